"""Waiting for a condition, never for a time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def until(what: str, holds: Callable[[], T], seconds: float = 120, every: float = 0.25) -> T:
    """Asks until the answer is true, and returns it. Raises TimeoutError."""
    end = time.monotonic() + seconds
    while True:
        if answer := holds():
            return answer
        if time.monotonic() > end:
            raise TimeoutError(f"not within {seconds:.0f} s: {what}")
        time.sleep(every)
