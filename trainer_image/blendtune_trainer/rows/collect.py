"""Reads the rows of a source one by one, each with its place: file and line, or row number."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from blendtune_runtime.chat.conversation import Conversation
from blendtune_runtime.stores import open_store
from blendtune_runtime.uris import HubData, StorePath
from blendtune_trainer.rows.conversations import RowFault, to_conversation
from blendtune_trainer.rows.data_files import SUFFIXES, data_files, file_rows
from blendtune_trainer.rows.faults import Faults
from blendtune_trainer.rows.hub import hub_rows
from blendtune_trainer.rows.store_files import StoreFiles
from blendtune_trainer.rows.values import Value


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One row of a source."""

    place: str  # file and line, "ads.jsonl:17"; for Parquet and the hub the row number, "ads.parquet row 17"
    conversation: Conversation
    fraction_read: float | None = None  # of its source, 0 to 1, up to this row; None if unknown


def collect(location: HubData | StorePath, field: str, faults: Faults) -> Iterator[Row]:
    """The rows of a source in order: by file name, then by position in the file.

    Files and rows that cannot be read or learnt from are added to `faults` with their place, and left out.
    `field` is the path of the URI in the spec. Raises Transient if a store or the hub does not answer,
    BadConfiguration if it may not be read, and BadData for a repository that is not there.
    """
    for each in _values(location, field, faults):
        try:
            yield Row(
                place=each.place, conversation=to_conversation(each.value), fraction_read=each.fraction_read
            )
        except RowFault as fault:
            faults.add(each.place, str(fault))


def _values(location: HubData | StorePath, field: str, faults: Faults) -> Iterator[Value]:
    if isinstance(location, HubData):
        yield from hub_rows(location, field, faults)
        return
    filesystem, path = _files(location, field)
    try:
        files = data_files(filesystem, path)
    except FileNotFoundError:
        faults.add(field, f"no such file or folder: {location.url}")
        return
    except PermissionError as error:
        faults.add(field, f"{location.url} may not be read: {error.strerror}")
        return
    if not files:
        faults.add(field, f"{location.url} holds no {', '.join(SUFFIXES)} file")
    total = sum(file.size for file in files)
    before = 0  # bytes of the files already read
    for file in files:
        for each in file_rows(filesystem, file, faults):
            read = before + (each.fraction_read or 0) * file.size
            yield replace(each, fraction_read=read / total if total else None)
        before += file.size


def _files(location: StorePath, field: str) -> tuple[Any, str]:
    """The file system of a location, and the path within it."""
    place = f"{field}: {location.url}"
    filesystem, path = open_store(location, place)
    return (filesystem if location.local is not None else StoreFiles(filesystem, place)), path
