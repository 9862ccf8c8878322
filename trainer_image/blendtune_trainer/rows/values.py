"""The value of a row as its file or the hub gives it, before its format is checked."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Value:
    """The value of a row, with its place."""

    place: str
    value: object
    fraction_read: float | None = None  # of its source
