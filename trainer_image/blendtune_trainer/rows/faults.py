"""Faults of the rows, gathered over all files so that they are reported together."""

from __future__ import annotations

from blendtune_runtime.errors import BadData

_SHOWN = 20


class Faults:
    """The first faults in full, and the count of all."""

    def __init__(self) -> None:
        self.count = 0
        self._lines: list[str] = []

    def add(self, place: str, message: str) -> None:
        """`place` is a file and line, or the path of a field."""
        self.count += 1
        if self.count <= _SHOWN:
            self._lines.append(f"{place}: {message}")

    def check(self) -> None:
        """Raises StageError when there was any fault."""
        if not self.count:
            return
        lines = list(self._lines)
        if self.count > len(lines):
            lines.append(f"... {self.count:,} faults in all; these are the first {len(lines)}")
        raise BadData("\n".join(lines))
