"""The bar of progress lines, and how often such lines are printed."""

from __future__ import annotations

INTERVAL_SECONDS = 10.0  # between two lines
_WIDTH = 20  # characters


def progress_bar(fraction: float) -> str:
    """[########............]  40%, of a fraction from 0 to 1."""
    filled = "#" * int(_WIDTH * fraction)
    return f"[{filled:.<{_WIDTH}}] {fraction:4.0%}"
