"""The files of a source, and the values of the rows in each: JSON lines, a JSON list, or Parquet."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import IO, Any

from blendtune_runtime.store_errors import check_store
from blendtune_trainer.rows.faults import Faults
from blendtune_trainer.rows.values import Value

SUFFIXES = (".jsonl", ".json", ".parquet")
_HIDDEN = re.compile(r"(^|/)[._]")
_BETWEEN_ELEMENTS = re.compile(r"[\s,]*")


@dataclass(frozen=True, kw_only=True, slots=True)
class DataFile:
    """A file of a source."""

    path: str  # on its file system
    name: str  # relative to the source, for messages
    size: int  # bytes


def data_files(filesystem: Any, path: str) -> list[DataFile]:
    """The file at `path`, or all files below the folder with a known suffix. Raises FileNotFoundError."""
    if filesystem.isfile(path):
        return [DataFile(path=path, name=PurePosixPath(path).name, size=filesystem.size(path) or 0)]
    if not filesystem.isdir(path):
        raise FileNotFoundError(path)
    found = (
        DataFile(path=file, name=str(PurePosixPath(file).relative_to(path)), size=details.get("size") or 0)
        for file, details in sorted(filesystem.find(path, detail=True).items())
    )
    return [file for file in found if file.path.endswith(SUFFIXES) and not _HIDDEN.search(file.name)]


def file_rows(filesystem: Any, file: DataFile, faults: Faults) -> Iterator[Value]:
    try:
        match PurePosixPath(file.path).suffix:
            case ".jsonl":
                with filesystem.open(file.path, "rb") as stream:
                    yield from _json_lines(stream, file, faults)
            case ".json":
                with filesystem.open(file.path, "rb") as stream:
                    yield from _json_document(stream.read(), file.name, faults)
            case ".parquet":
                yield from _parquet_rows(filesystem, file, faults)
            case suffix:
                kind = suffix or "a file without a suffix"
                faults.add(file.name, f"cannot read {kind}; use {', '.join(SUFFIXES)}")
    except PermissionError as error:
        faults.add(file.name, f"may not be read: {error.strerror}")


def _json_lines(stream: IO[bytes], file: DataFile, faults: Faults) -> Iterator[Value]:
    read = 0  # bytes
    for number, line in enumerate(stream, start=1):
        place = f"{file.name}:{number}"
        read += len(line)
        if not line.strip():
            continue
        try:
            value = json.loads(line.decode("utf-8-sig" if number == 1 else "utf-8"))
        except UnicodeDecodeError as error:
            faults.add(place, f"not valid UTF-8 at byte {error.start + 1} of the line")
        except json.JSONDecodeError as error:
            faults.add(place, f"not valid JSON: {error.msg}, at column {error.colno}")
        except RecursionError:
            faults.add(place, "not valid JSON: nested too deeply")
        else:
            yield Value(place=place, value=value, fraction_read=read / max(read, file.size))


def _json_document(content: bytes, name: str, faults: Faults) -> Iterator[Value]:
    """The elements of a JSON list, each with the line on which it begins."""
    try:
        text = content.decode("utf-8-sig")
        document = json.loads(text)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        faults.add(f"{name}:{line}", "not valid UTF-8")
        return
    except json.JSONDecodeError as error:
        faults.add(f"{name}:{error.lineno}", f"not valid JSON: {error.msg}, at column {error.colno}")
        return
    if not isinstance(document, list):
        faults.add(f"{name}:1", "must be a JSON list of rows; rows one per line belong in a .jsonl file")
        return
    decoder = json.JSONDecoder()
    at, line = text.index("[") + 1, 1 + text.count("\n", 0, text.index("["))
    for _ in document:
        start = _BETWEEN_ELEMENTS.match(text, at).end()  # type: ignore[union-attr]  # it matches anywhere
        line += text.count("\n", at, start)
        value, at = decoder.raw_decode(text, start)
        yield Value(place=f"{name}:{line}", value=value, fraction_read=at / len(text))
        line += text.count("\n", start, at)


def _parquet_rows(filesystem: Any, file: DataFile, faults: Faults) -> Iterator[Value]:
    import datasets
    from pyarrow.parquet import read_metadata

    try:
        with filesystem.open(file.path, "rb") as stream:
            total = read_metadata(stream).num_rows
        url = filesystem.unstrip_protocol(file.path)
        rows = datasets.load_dataset("parquet", data_files=url, split="train", streaming=True)
        for number, row in enumerate(rows, start=1):
            read = number / max(number, total)
            yield Value(place=f"{file.name} row {number}", value=row, fraction_read=read)
    except (ValueError, OSError, datasets.exceptions.DatasetGenerationError) as error:
        check_store(error, file.name)
        faults.add(file.name, f"not a readable Parquet file: {error}")
