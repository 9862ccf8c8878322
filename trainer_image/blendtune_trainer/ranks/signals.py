"""Stop signals of Kubernetes (SIGTERM) and of a terminal (SIGINT)."""

from __future__ import annotations

import ctypes
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class StopRequest:
    """Records that a stop signal arrived. The training loop checks it between steps."""

    def __init__(self) -> None:
        self.requested = False

    @contextmanager
    def listening(self) -> Iterator[StopRequest]:
        """Handles the stop signals during the block. Only the main thread may call it."""
        previous = {number: signal.signal(number, self._record) for number in STOP_SIGNALS}
        try:
            yield self
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)

    def _record(self, _number: int, _frame: FrameType | None) -> None:
        self.requested = True


def end_with_parent() -> None:
    """Makes the kernel kill this process when its parent dies, so that no rank outlives its launcher.

    Linux only; elsewhere it does nothing.
    """
    set_parent_death_signal = 1  # PR_SET_PDEATHSIG of prctl(2)
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:
        prctl(set_parent_death_signal, signal.SIGKILL)
