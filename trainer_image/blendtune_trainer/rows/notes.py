"""What a source's rows hold beside what is learnt, and how they were understood: told once, with counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

_NAMED = 12  # columns that a line names, at most


class Notes:
    """What is told about the rows of one source."""

    def __init__(self) -> None:
        self._formats: Counter[str] = Counter()
        self._unused: Counter[str] = Counter()
        self._remarks: Counter[str] = Counter()
        self._files: Counter[str] = Counter()

    def read_as(self, shape: str, rows: int = 1) -> None:
        """Counts rows of a format."""
        self._formats[shape] += rows

    def unused(self, name: str, count: int = 1) -> None:
        """Counts a column of a row, or a key of a message, that nothing uses."""
        self._unused[name] += count

    def remark(self, what: str) -> None:
        """Counts something that the author of the rows should know."""
        self._remarks[what] += 1

    def trained_on(self, name: str) -> None:
        """Counts a file that is trained on for want of another."""
        self.remark(f"trained on, though named as a test or validation split: {name}")

    def left_out(self, file: str, why: str) -> None:
        """Remembers a file that is not read."""
        self._files[f"{file} ({why})"] += 1

    def information(self) -> Iterator[str]:
        """How the rows were read."""
        for shape, rows in self._formats.most_common():
            yield f"rows read as {shape}: {rows:,}"

    def warnings(self) -> Iterator[str]:
        """What of the rows and files is not used."""
        return map(printable, self._warnings())

    def _warnings(self) -> Iterator[str]:
        if self._files:
            yield f"not read: {_listed(list(self._files))}"
        for remark, count in self._remarks.most_common():
            yield f"{remark} ({count:,} times)"
        if self._unused:
            yield f"not used: {_listed([f'{name} ({n:,})' for name, n in self._unused.most_common()])}"


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def printable(text: str) -> str:
    """Text that can be written out: JSON, and Linux in names of files, allow what UTF-8 does not."""
    return text.encode(errors="backslashreplace").decode()
