"""Progress lines while files are downloaded."""

from __future__ import annotations

import time
from threading import Lock

from blendtune_runtime.progress_bar import INTERVAL_SECONDS, progress_bar


class TransferProgress:
    """Prints the progress of a transfer, at most once in ten seconds, and its rate at the end."""

    def __init__(self, name: str, total: int) -> None:
        """`total` is in bytes."""
        self._name, self._total = name, total
        self._kept = self._received = 0
        self._start = self._last = time.monotonic()
        self._lock = Lock()

    def keep(self, count: int) -> None:
        """Counts bytes that are here from before."""
        with self._lock:
            self._kept += count

    def add(self, count: int) -> None:
        """Counts bytes that have just arrived."""
        with self._lock:
            self._received += count
            now = time.monotonic()
            if now - self._last < INTERVAL_SECONDS:
                return
            self._last = now
            line = format_progress(self._kept, self._received, self._total, now - self._start)
        print(f"{self._name}: {line}", flush=True)

    def finish(self) -> None:
        seconds = max(time.monotonic() - self._start, 1e-3)
        rate = f"{_size(self._received)} downloaded in {seconds:,.1f} s, {_size(self._received / seconds)}/s"
        kept = f"; {_size(self._kept)} were here" if self._kept else ""
        print(f"{self._name}: {rate}{kept}", flush=True)


def format_progress(kept: int, received: int, total: int, seconds: float) -> str:
    """[########............]  40%, 5.2 GB of 13.0 GB, 210 MB/s, 37 s left.

    `kept` of the `total` bytes were here before, and `received` arrived within the `seconds`.
    """
    done, rate = min(kept + received, total), received / seconds  # a damaged file arrives twice
    remaining = f", {(total - done) / rate:,.0f} s left" if rate else ""
    return f"{progress_bar(done / total)}, {_size(done)} of {_size(total)}, {_size(rate)}/s{remaining}"


def _size(count: float) -> str:
    """Bytes in the largest unit of 1,000 that leaves at least 1."""
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:,.1f} {unit}"
    return f"{count:,.0f} B"
