"""Collects the faults of all rows and files, so that one error reports them together."""

from __future__ import annotations

from blendtune_runtime.errors import BadData

_SHOWN = 20  # faults in the error message


class Faults:
    """The number of all faults, and the messages of the first."""

    def __init__(self) -> None:
        self.count = 0
        self._lines: list[str] = []

    def add(self, place: str, message: str) -> None:
        """Adds a fault. `place` is a file and line, or the path of a field of the spec."""
        self.count += 1
        if self.count <= _SHOWN:
            self._lines.append(f"{place}: {message}")

    def check(self) -> None:
        """Raises BadData if there is any fault."""
        if not self.count:
            return
        lines = list(self._lines)
        if self.count > len(lines):
            lines.append(f"... {self.count:,} faults in all; these are the first {len(lines)}")
        raise BadData("\n".join(lines))
