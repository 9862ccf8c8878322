"""Progress lines on the console while a source is read and encoded."""

from __future__ import annotations

import time
from collections.abc import Callable

from blendtune_runtime.progress_bar import INTERVAL_SECONDS, progress_bar

ReportProgress = Callable[[int, int, float | None], None]
"""Called with the rows and tokens encoded so far, and the fraction of the source read, 0 to 1, if known."""


def console_progress(name: str) -> ReportProgress:
    """A callback that prints the progress of source `name`, at most once in `INTERVAL_SECONDS`."""
    start = last = time.monotonic()

    def report(rows: int, tokens: int, fraction: float | None) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= INTERVAL_SECONDS:
            last = now
            print(f"{name}: {format_progress(rows, tokens, fraction, now - start)}", flush=True)

    return report


def format_progress(rows: int, tokens: int, fraction: float | None, seconds: float) -> str:
    """[########............]  40%, 812,000 rows, 91,400,000 tokens, 41,000 rows/s, 30 s left.

    The bar and the remaining time are left out if the fraction of the source read is unknown.
    """
    counts = [f"{rows:,} rows", f"{tokens:,} tokens", f"{rows / seconds:,.0f} rows/s"]
    if not fraction:
        return ", ".join(counts)
    remaining = seconds / fraction - seconds
    return ", ".join([progress_bar(fraction), *counts, f"{remaining:,.0f} s left"])
