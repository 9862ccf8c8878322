"""Batches of rows that a base model has written, on disk: each is whole, or not there.

Several runs may share them: all that decides a batch is in the name of its folder, and in its number.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from blendtune_runtime.files import write_text

_KEY_LENGTH = 16


@dataclass(frozen=True, kw_only=True, slots=True)
class WrittenRow:
    """A question and the base model's answer, as it has written them."""

    question: str
    answer: str = ""
    reasoning: str = ""
    finished: bool = True  # neither was cut
    fault: str = ""  # a RejectedBecause: why the question was not asked


class Batches:
    """The batches in one folder, numbered from 0."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read_or_write(
        self, number: int, write: Callable[[int], Sequence[WrittenRow]]
    ) -> tuple[tuple[WrittenRow, ...], bool]:
        """The rows of a batch, and whether they were there already; else `write` makes them."""
        found = self._read(number)
        if found is not None:
            return found, True
        rows = tuple(write(number))
        lines = (json.dumps(asdict(row), ensure_ascii=False) + "\n" for row in rows)
        write_text(self._path(number), "".join(lines))
        return rows, False

    def _read(self, number: int) -> tuple[WrittenRow, ...] | None:
        """The rows of a batch; None if it is not there, or cannot be read: it is then written again."""
        try:
            lines = self._path(number).read_text(encoding="utf-8").split("\n")
            return tuple(WrittenRow(**json.loads(line)) for line in lines if line)
        except (OSError, ValueError, TypeError):
            return None

    def _path(self, number: int) -> Path:
        return self._folder / f"batch-{number:06d}.jsonl"


def batches_folder(rehearsals: Path, digest: str) -> Path:
    """The folder of the batches that `digest` decides."""
    return rehearsals / digest[:_KEY_LENGTH]
