"""Reads the rows of a source one by one, each with its place: file and line, or row number."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from blendtune_api.v1alpha1 import Columns
from blendtune_runtime.chat.conversation import Conversation
from blendtune_runtime.stores import open_store
from blendtune_runtime.uris import HubData, StorePath
from blendtune_trainer.rows.conversations import RowReader
from blendtune_trainer.rows.data_files import data_files
from blendtune_trainer.rows.faults import RowFault, SourceFaults
from blendtune_trainer.rows.file_kinds import SUFFIXES
from blendtune_trainer.rows.file_rows import file_rows
from blendtune_trainer.rows.hub import hub_rows
from blendtune_trainer.rows.notes import Notes
from blendtune_trainer.rows.splits import Split
from blendtune_trainer.rows.store_files import StoreFiles
from blendtune_trainer.rows.values import Value


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One row of a source."""

    place: str  # file and line, "ads.jsonl:17"; for Parquet the row number, "ads.parquet row 17"
    conversation: Conversation
    fraction_read: float | None = None  # of its source, 0 to 1, up to this row; None if unknown


@dataclass(frozen=True, kw_only=True, slots=True)
class RowSource:
    """Where rows are, and how to read them. `field` is the path of the source in the spec."""

    location: HubData | StorePath
    field: str
    columns: Columns | None = None
    purpose: Split = Split.TRAIN


def collect(source: RowSource, faults: SourceFaults, notes: Notes | None = None) -> Iterator[Row]:
    """The rows of a source in order: by file name, then by position in the file.

    Files and rows that cannot be read or learnt from are added to `faults` with their place, and left out.
    What of the others is not used is added to `notes`.

    Raises Transient if a store or the hub does not answer, BadConfiguration if it may not be read, and
    BadData for a repository that is not there.
    """
    notes = notes or Notes()
    reader = RowReader(source.columns, notes)
    for each in values_of(source, faults, notes):
        try:
            conversation = reader.read(each.value)
        except RowFault as fault:
            faults.add_row(each.place, fault)
        else:
            yield Row(place=each.place, conversation=conversation, fraction_read=each.fraction_read)
    for role, message in reader.layouts.missing().items():
        faults.add(f"{source.field}.columns.{role}", message)


def values_of(source: RowSource, faults: SourceFaults, notes: Notes) -> Iterator[Value]:
    """The rows of a source as they stand in its files. Adds faults and notes, and raises, as `collect`."""
    field = f"{source.field}.uri"
    if isinstance(source.location, HubData):
        yield from hub_rows(source.location, field, source.purpose, source.columns, faults, notes)
        return
    yield from _stored_values(source.location, field, source.purpose, source.columns, faults, notes)


def _stored_values(
    location: StorePath,
    field: str,
    purpose: Split,
    columns: Columns | None,
    faults: SourceFaults,
    notes: Notes,
) -> Iterator[Value]:
    filesystem, path = _files(location, field)
    before_files = faults.faults.count
    try:
        files = data_files(filesystem, path, purpose, faults, notes)
    except FileNotFoundError:
        faults.add(field, f"no such file or folder: {location.url}")
        return
    except PermissionError as error:
        faults.add(field, f"{location.url} may not be read: {error.strerror}")
        return
    if not files and faults.faults.count == before_files:
        faults.add(field, f"{location.url} holds no {SUFFIXES} file")
    for file in files:
        yield from file_rows(filesystem, file, purpose, columns, faults, notes)


def _files(location: StorePath, field: str) -> tuple[Any, str]:
    """The file system of a location, and the path within it."""
    place = f"{field}: {location.url}"
    filesystem, path = open_store(location, place)
    return (filesystem if location.local is not None else StoreFiles(filesystem, place)), path
