"""How far an evaluation has come with its questions, in a file that others read."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from blendtune_runtime.files import write_json

FILE = "progress.json"


class AnswerProgress:
    """Counts the answers of all models."""

    def __init__(self, folder: Path, total: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._file = folder / FILE
        self._total = total
        self._clock = clock
        self._begin = clock()

    def skip(self, answers: int) -> None:
        """So many answers will not be asked for."""
        self._total -= answers

    def report(self, done: int, label: str) -> None:
        """Says that `done` answers are there in all, the latest of them by the model called `label`.

        The remaining seconds are estimated from the mean time of an answer so far, and left out at the end.
        """
        progress = {"done": done, "total": self._total}
        if 0 < done < self._total:
            seconds = (self._clock() - self._begin) / done * (self._total - done)
            progress["estimatedRemainingSeconds"] = round(seconds)
        write_json(self._file, progress)
        print(f"answered {done}/{self._total} ({label})", flush=True)
