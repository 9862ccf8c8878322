"""How far a source has been read, on the console."""

from __future__ import annotations

import time
from collections.abc import Callable

_BAR_WIDTH = 20
_TELL_SECONDS = 10.0


def told_on_console(name: str) -> Callable[[int, int, float | None], None]:
    """Says every now and then how far a source is."""
    start = last = time.monotonic()

    def tell(rows: int, tokens: int, read: float | None) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= _TELL_SECONDS:
            last = now
            print(f"{name}: {reading_words(rows, tokens, read, now - start)}", flush=True)

    return tell


def reading_words(rows: int, tokens: int, read: float | None, seconds: float) -> str:
    """[########............]  40%, 812,000 rows, 91,400,000 tokens, 41,000 rows/s, 30 s left"""
    words = [f"{rows:,} rows", f"{tokens:,} tokens", f"{rows / seconds:,.0f} rows/s"]
    if not read:
        return ", ".join(words)
    bar = "#" * int(_BAR_WIDTH * read)
    return ", ".join(
        [f"[{bar:.<{_BAR_WIDTH}}] {read:4.0%}", *words, f"{seconds / read - seconds:,.0f} s left"]
    )
