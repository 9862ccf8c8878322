"""Collects what is wrong with files and rows, so that one error reports all of it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import IO

from blendtune_api.v1alpha1 import MAX_BAD_ROW_REASONS, BadRowPolicy, BadRowReason, BadRows
from blendtune_runtime.errors import BadData

_SHOWN = 20  # faults in the error message
_PLACE_LENGTH = 128  # characters of the first place of a reason, at most


class RowFault(ValueError):
    """A row that cannot be learnt from. The message tells the author of the data why."""

    def __init__(self, message: str, reason: BadRowReason = BadRowReason.TEMPLATE_REFUSED) -> None:
        super().__init__(message)
        self.reason = reason


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


class BadRowList:
    """The file that lists every bad row of a run, one JSON object per line. Written from its first row on."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[str] | None = None
        path.unlink(missing_ok=True)  # that of an earlier attempt

    def add(self, source: str, place: str, fault: RowFault) -> None:
        """Appends a row."""
        if self._file is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._path.open("w", encoding="utf-8")
        row = {"source": source, "place": place, "reason": fault.reason.value, "message": str(fault)}
        self._file.write(json.dumps(row) + "\n")

    def close(self) -> None:
        """Closes the file, if there was a row."""
        if self._file is not None:
            self._file.close()


class SourceFaults:
    """The faults of one source: those of its files, and its bad rows, which may be dropped.

    Keeps counts and first places only, whatever the number of bad rows.
    """

    def __init__(
        self,
        faults: Faults | None = None,
        *,
        source: str = "",
        policy: BadRowPolicy = BadRowPolicy.ERROR,
        listing: BadRowList | None = None,
    ) -> None:
        self.faults = faults or Faults()
        self._source = source
        self._policy = policy
        self._listing = listing
        self._rows: Counter[BadRowReason] = Counter()
        self._first: dict[BadRowReason, tuple[str, str]] = {}  # place and message

    @property
    def bad_rows(self) -> int:
        """The number of bad rows so far."""
        return self._rows.total()

    def add(self, place: str, message: str) -> None:
        """Adds a fault of a file, or of a field of the spec."""
        self.faults.add(place, message)

    def add_row(self, place: str, fault: RowFault) -> None:
        """Adds a bad row: a fault, unless bad rows are dropped."""
        self._rows[fault.reason] += 1
        self._first.setdefault(fault.reason, (place, str(fault)))
        if self._listing is not None:
            self._listing.add(self._source, place, fault)
        if self._policy is BadRowPolicy.ERROR:
            self.faults.add(place, str(fault))

    def by_reason(self) -> tuple[BadRows, ...]:
        """The bad rows by reason, the most frequent first."""
        return tuple(
            BadRows(reason=reason, rows=rows, first=_shortened(self._first[reason][0]))
            for reason, rows in self._rows.most_common()
        )

    def check_dropped(self, rows: int, allowed: int, limit: int | str) -> None:
        """Adds a fault if more of the source's `rows` were dropped than are `allowed` by `limit`."""
        if self._policy is BadRowPolicy.ERROR or self.bad_rows <= allowed:
            return
        reasons = "; ".join(
            f"{count:,} {reason} (first {self._first[reason][0]}: {self._first[reason][1]})"
            for reason, count in self._rows.most_common()
        )
        self.faults.add(
            f"spec.blend.maxBadRows ({self._source})",
            f"{self.bad_rows:,} of {rows:,} rows are bad, more than {limit}: {reasons}. Mend them (the "
            "workspace's bad_rows.jsonl lists all), or raise maxBadRows",
        )


def merged(sources: Iterable[SourceFaults]) -> tuple[BadRows, ...]:
    """The bad rows of all sources by reason, the most frequent first; MAX_BAD_ROW_REASONS at most."""
    rows: Counter[BadRowReason] = Counter()
    first: dict[BadRowReason, str] = {}
    for source in sources:
        for each in source.by_reason():
            rows[each.reason] += each.rows
            first.setdefault(each.reason, each.first)
    return tuple(
        BadRows(reason=reason, rows=count, first=first[reason])
        for reason, count in rows.most_common(MAX_BAD_ROW_REASONS)
    )


def _shortened(place: str) -> str:
    """The place within its bound. The end of it, with the line, is what counts."""
    return place if len(place) <= _PLACE_LENGTH else "..." + place[3 - _PLACE_LENGTH :]
