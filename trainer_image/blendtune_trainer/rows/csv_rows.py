"""The values of the rows in CSV and TSV files with a header (RFC 4180)."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from blendtune_api.v1alpha1 import BadRowReason
from blendtune_trainer.rows.faults import RowFault, SourceFaults
from blendtune_trainer.rows.opening import BOM, Opened, iconv_advice
from blendtune_trainer.rows.values import Value

DELIMITERS = ",;\t|"
# The line with which Excel is told the separator; it is none of the table.
_SAID = re.compile(rb'(?:\xef\xbb\xbf)?"?sep=([\t -~])"?(?:\r\n|\n|\r)', re.IGNORECASE)
_FIELD_BYTES = 1 << 30  # Python's own limit is 128 KiB


def csv_rows(opened: Opened, faults: SourceFaults) -> Iterator[Value]:
    """One row per record, with the line on which it begins. The header names the columns."""
    said = _SAID.match(opened.head())
    delimiter = said[1].decode() if said else _delimiter(opened.head())
    if said:
        opened.stream.read(said.end())
    csv.field_size_limit(_FIELD_BYTES)
    text = io.TextIOWrapper(opened.stream, encoding="utf-8-sig", newline="")
    try:
        reader = csv.reader(text, delimiter=delimiter, strict=True)
        yield from _records(reader, delimiter, 2 if said else 1, opened, faults)
    finally:
        text.detach()  # who has opened the stream closes it


def _records(
    reader: Any, delimiter: str, first: int, opened: Opened, faults: SourceFaults
) -> Iterator[Value]:
    """The rows of the records from the line `first` of the file on."""
    name = opened.file.name
    header: list[str] = []
    while True:
        place = f"{name}:{reader.line_num + first}"
        try:
            record = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if str(error) == "unexpected end of data":
                faults.add(place, "a quote that opens here, or before, is not closed")
                return
            faults.add_row(place, RowFault(f"not valid CSV: {error}", BadRowReason.INVALID_CSV))
            continue
        except UnicodeDecodeError:
            faults.add(place, f"not valid UTF-8 here, or a little below; {iconv_advice(name)}")
            return
        if not any(cell.strip() for cell in record):
            continue
        if not header:
            header = [column.strip() or f"column {number}" for number, column in enumerate(record, start=1)]
            twice = [column for column, count in Counter(header).items() if count > 1]
            if twice:
                faults.add(place, f"the header has {twice[0]!r} twice")
                return
        elif len(record) != len(header):
            message = f"{len(record)} fields, where the header has {len(header)} (separated by {delimiter!r})"
            faults.add_row(place, RowFault(message, BadRowReason.INVALID_CSV))
        else:
            value = dict(zip(header, record, strict=True))
            yield Value(place=place, value=value, fraction_read=opened.fraction(opened.stream.tell()))


def _delimiter(head: bytes) -> str:
    """What separates the columns of the header most often; a comma if nothing does."""
    header = (
        head.removeprefix(BOM).lstrip(b"\r\n").split(b"\n", 1)[0].split(b"\r", 1)[0].decode(errors="replace")
    )
    return max(DELIMITERS, key=header.count)
