"""Ends a rank that makes no progress, so that the attempt is retried instead of blocking its GPUs forever."""

from __future__ import annotations

import faulthandler
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from blendtune_api.contract import ExitCode


class Watchdog:
    """Expects `beat` to be called at least every `timeout_seconds` while it is watching.

    After a timeout it prints the stacks of all threads, calls `on_hang` with a message and exits at once with
    the code HANG: no exception can interrupt a rank that hangs in a collective.
    """

    def __init__(
        self,
        timeout_seconds: float,
        on_hang: Callable[[str], None],
        *,
        exit_process: Callable[[int], object] = os._exit,
    ) -> None:
        self._timeout = timeout_seconds
        self._on_hang = on_hang
        self._exit_process = exit_process
        self._last_beat = time.monotonic()
        self._done = threading.Event()

    def beat(self) -> None:
        """Reports progress."""
        self._last_beat = time.monotonic()

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Watches during the block, from a thread."""
        self._done.clear()
        self.beat()
        thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._done.set()
            thread.join()

    def _watch(self) -> None:
        while not self._done.wait(self._remaining()):
            if self._remaining() == 0:
                faulthandler.dump_traceback(file=sys.stderr, all_threads=True)
                self._on_hang(
                    f"no step for {self._timeout / 60:g} minutes (spec.training.hangTimeoutMinutes); the "
                    "stacks of all threads are in the log"
                )
                self._exit_process(ExitCode.HANG)
                return

    def _remaining(self) -> float:
        return max(0.0, self._last_beat + self._timeout - time.monotonic())
