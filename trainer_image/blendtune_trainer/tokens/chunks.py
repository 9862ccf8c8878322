"""Rows with their canonical bytes, grouped into chunks of equal size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from blendtune_trainer.rows.collect import Row
from blendtune_trainer.rows.conversations import canonical_bytes
from blendtune_trainer.rows.faults import RowFault, SourceFaults

CHUNK_ROWS = 2048


@dataclass(frozen=True, kw_only=True, slots=True)
class CanonicalRow:
    """A row and the canonical bytes of its conversation, which decide its digests."""

    row: Row
    content: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Chunk:
    """Consecutive rows of a source; never empty."""

    rows: tuple[Row, ...]
    contents: tuple[bytes, ...]  # canonical bytes of each row


def canonical_rows(rows: Iterable[Row], faults: SourceFaults) -> Iterator[CanonicalRow]:
    """Each row with its canonical bytes. A row whose text is not valid Unicode is bad and left out."""
    for row in rows:
        try:
            yield CanonicalRow(row=row, content=canonical_bytes(row.conversation))
        except RowFault as fault:
            faults.add_row(row.place, fault)


def chunks_of(rows: Iterable[CanonicalRow]) -> Iterator[Chunk]:
    """The rows in chunks of CHUNK_ROWS; the last chunk may be shorter."""
    iterator = iter(rows)
    while batch := list(islice(iterator, CHUNK_ROWS)):
        yield Chunk(rows=tuple(each.row for each in batch), contents=tuple(each.content for each in batch))
