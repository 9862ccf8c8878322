"""A wish to stop, as Kubernetes and a terminal express it."""

from __future__ import annotations

import ctypes
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class StopRequest:
    """Remembers that a stop signal came. The loop asks between steps, so nothing is cut in the middle."""

    def __init__(self) -> None:
        self.requested = False

    @contextmanager
    def listening(self) -> Iterator[StopRequest]:
        """Takes the stop signals while the block runs; only the main thread may."""
        previous = {number: signal.signal(number, self._note) for number in STOP_SIGNALS}
        try:
            yield self
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)

    def _note(self, _number: int, _frame: FrameType | None) -> None:
        self.requested = True


def end_with_parent() -> None:
    """Has the kernel end this process when its parent dies, so that no rank outlives its launcher. Linux
    only.
    """
    set_parent_death_signal = 1  # PR_SET_PDEATHSIG of prctl(2)
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:
        prctl(set_parent_death_signal, signal.SIGKILL)
