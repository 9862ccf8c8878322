"""How the arms of the throughput bench take turns: one of them works at a time, the others wait."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


class Turns:
    """The arm's side. It calls `between_steps` before its first step and after each one."""

    def __init__(self) -> None:
        self._say = os.fdopen(os.dup(1), "w", buffering=1)
        os.dup2(2, 1)  # what libraries print is no answer
        self._left = 0
        self._begin: float | None = None
        self._cpu_begin = 0.0
        self._counts = {"tokens": 0, "computed": 0}

    def count(self, tokens: int, computed: int) -> None:
        """Tokens of this turn, and positions that were computed for them, padding among these."""
        self._counts["tokens"] += tokens
        self._counts["computed"] += computed

    def between_steps(self) -> None:
        """Returns when the next step is due; ends the process when no further one is wanted."""
        self._left = max(0, self._left - 1)
        if self._left:
            return
        if self._begin is None:
            self._say.write("{}\n")
        else:
            turn = {
                **self._counts,
                "seconds": time.perf_counter() - self._begin,
                "cpuSeconds": time.process_time() - self._cpu_begin,
                "peakBytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
            }
            self._say.write(json.dumps(turn) + "\n")
        wanted = sys.stdin.readline().strip()
        if not wanted:
            os._exit(0)
        self._counts = dict.fromkeys(self._counts, 0)
        self._left = int(wanted)
        self._begin, self._cpu_begin = time.perf_counter(), time.process_time()


@dataclass
class Arm:
    """The bench's side: a program that works when it is told to, and its turns so far."""

    name: str
    command: list[str | Path]
    environment: dict[str, str]
    log: Path
    turns: list[dict[str, Any]] = field(default_factory=list)

    def start(self) -> None:
        """Starts the program and waits until it is about to take its first step."""
        self.launch()
        self.result()

    def launch(self) -> None:
        """Starts the program; its first `result` comes when it is about to take its first step."""
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                self.command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=self.environment,
                text=True,
            )

    def take(self, steps: int) -> dict[str, Any]:
        """Has the arm take so many steps. Raises RuntimeError where it ended instead."""
        self.begin(steps)
        return self.result()

    def begin(self, steps: int) -> None:
        """Tells the arm to take so many steps, without waiting for it."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.write(f"{steps}\n")
            self._process.stdin.flush()

    def result(self) -> dict[str, Any]:
        """What the arm tells of the steps that it was to take. Raises RuntimeError where it ended instead."""
        assert self._process.stdout is not None
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError(f"{self.name} ended:\n{self.log.read_text()[-3000:]}")
        turn: dict[str, Any] = json.loads(answer)
        return turn

    def stop_after_one_step(self) -> int:
        """Sends SIGTERM before a step; the exit code, -N for signal N."""
        assert self._process.stdin is not None
        self._process.terminate()
        self._process.stdin.write("1\n")
        self._process.stdin.close()
        return self._process.wait(60)

    def end(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(60)
