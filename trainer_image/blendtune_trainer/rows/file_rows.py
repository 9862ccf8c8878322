"""The values of the rows in a file of any kind."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from typing import Any

from blendtune_api.v1alpha1 import Columns
from blendtune_trainer.rows.arrow_rows import arrow_rows
from blendtune_trainer.rows.csv_rows import csv_rows
from blendtune_trainer.rows.data_files import DataFile
from blendtune_trainer.rows.faults import SourceFaults
from blendtune_trainer.rows.file_kinds import FileKind
from blendtune_trainer.rows.json_rows import json_document_rows, json_line_rows
from blendtune_trainer.rows.notes import Notes
from blendtune_trainer.rows.opening import DAMAGED, Opened, opened
from blendtune_trainer.rows.splits import Split
from blendtune_trainer.rows.values import Value

_GONE = (errno.ENOENT, errno.ELOOP)


def file_rows(
    filesystem: Any,
    file: DataFile,
    purpose: Split,
    columns: Columns | None,
    faults: SourceFaults,
    notes: Notes,
) -> Iterator[Value]:
    """The rows of a file, with their places. What cannot be read is a fault.

    `columns` tells a JSON document that is one row from one that holds lists of rows.

    Raises StageError if a store fails while it is read, and OSError if a disk does.
    """
    try:
        if file.kind in (FileKind.PARQUET, FileKind.ARROW):
            with filesystem.open(file.path, "rb") as stream:
                yield from arrow_rows(stream, file, faults)
        else:
            with opened(filesystem, file) as content:
                yield from _text_rows(content, purpose, columns, faults, notes)
    except PermissionError as error:
        faults.add(file.name, f"may not be read: {error.strerror}")
    except DAMAGED as error:
        faults.add(file.name, f"its compression is damaged, or the file is cut short: {error}")
    except OSError as error:
        if error.errno in _GONE:
            faults.add(
                file.name, "is not there: a link that leads nowhere, or removed since; mend or remove it"
            )
            return
        if error.errno is not None:
            raise  # of the disk, not of the content
        faults.add(file.name, f"damaged, or not what its name says: {error}")


def _text_rows(
    content: Opened, purpose: Split, columns: Columns | None, faults: SourceFaults, notes: Notes
) -> Iterator[Value]:
    fault = content.not_utf8()
    if fault is not None:
        faults.add(content.file.name, fault)
        return
    match content.file.kind:
        case FileKind.JSON_LINES:
            yield from json_line_rows(content, purpose, columns, faults, notes)
        case FileKind.JSON:
            yield from json_document_rows(content, purpose, columns, faults, notes)
        case FileKind.CSV:
            yield from csv_rows(content, faults)
