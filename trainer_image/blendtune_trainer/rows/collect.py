"""Reads the rows of a source one by one, each with its place: file and line, or row number."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import IO, Any

import fsspec

from blendtune_runtime.errors import Transient
from blendtune_runtime.uris import HubRepository, StorePath
from blendtune_trainer.rows.conversations import Conversation, RowFault, to_conversation
from blendtune_trainer.rows.faults import Faults

_SUFFIXES = (".jsonl", ".json", ".parquet")
_HIDDEN = re.compile(r"(^|/)[._]")
_BETWEEN_ELEMENTS = re.compile(r"[\s,]*")


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One row of a source."""

    place: str  # file and line, "ads.jsonl:17"; for Parquet and the hub the row number, "ads.parquet row 17"
    conversation: Conversation
    fraction_read: float | None = None  # of its source, 0 to 1, up to this row; None if unknown


@dataclass(frozen=True, kw_only=True, slots=True)
class _Value:
    """The value of a row, before its format is checked."""

    place: str
    value: object
    fraction_read: float | None = None  # of its file or, on the hub, of its source


def collect(location: HubRepository | StorePath, field: str, faults: Faults) -> Iterator[Row]:
    """The rows of a source in order: by file name, then by position in the file.

    Files and rows that cannot be read or learnt from are added to `faults` with their place, and left out.
    `field` is the path of the URI in the spec. Raises Transient if a store or the hub does not answer.
    """
    for each in _values(location, field, faults):
        try:
            yield Row(
                place=each.place, conversation=to_conversation(each.value), fraction_read=each.fraction_read
            )
        except RowFault as fault:
            faults.add(each.place, str(fault))


def _values(location: HubRepository | StorePath, field: str, faults: Faults) -> Iterator[_Value]:
    if isinstance(location, HubRepository):
        yield from _hub_rows(location, field, faults)
        return
    try:
        filesystem, path = fsspec.core.url_to_fs(location.url)
        files = _files(filesystem, path)
    except FileNotFoundError:
        faults.add(field, f"no such file or folder: {location.url}")
        return
    except OSError as error:
        raise Transient(f"{field}: {location.url} cannot be read: {error}") from error
    if not files:
        faults.add(field, f"{location.url} holds no {', '.join(_SUFFIXES)} file")
    total = sum(file.size for file in files)
    before = 0  # bytes of the files already read
    for file in files:
        for each in _file_rows(filesystem, file, faults):
            read = before + (each.fraction_read or 0) * file.size
            yield replace(each, fraction_read=read / total if total else None)
        before += file.size


@dataclass(frozen=True, kw_only=True, slots=True)
class _File:
    """A file of a source."""

    path: str  # on its file system
    name: str  # relative to the source, for messages
    size: int  # bytes


def _files(filesystem: Any, path: str) -> list[_File]:
    """The file at `path`, or all files below the folder with a known suffix. Raises FileNotFoundError."""
    if filesystem.isfile(path):
        return [_File(path=path, name=PurePosixPath(path).name, size=filesystem.size(path) or 0)]
    if not filesystem.isdir(path):
        raise FileNotFoundError(path)
    found = (
        _File(path=file, name=str(PurePosixPath(file).relative_to(path)), size=details.get("size") or 0)
        for file, details in sorted(filesystem.find(path, detail=True).items())
    )
    return [file for file in found if file.path.endswith(_SUFFIXES) and not _HIDDEN.search(file.name)]


def _file_rows(filesystem: Any, file: _File, faults: Faults) -> Iterator[_Value]:
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
                faults.add(file.name, f"cannot read {kind}; use {', '.join(_SUFFIXES)}")
    except PermissionError as error:
        faults.add(file.name, f"may not be read: {error.strerror}")


def _json_lines(stream: IO[bytes], file: _File, faults: Faults) -> Iterator[_Value]:
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
            yield _Value(place=place, value=value, fraction_read=read / max(read, file.size))


def _json_document(content: bytes, name: str, faults: Faults) -> Iterator[_Value]:
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
        yield _Value(place=f"{name}:{line}", value=value, fraction_read=at / len(text))
        line += text.count("\n", start, at)


def _parquet_rows(filesystem: Any, file: _File, faults: Faults) -> Iterator[_Value]:
    import datasets
    from pyarrow.parquet import read_metadata

    try:
        with filesystem.open(file.path, "rb") as stream:
            total = read_metadata(stream).num_rows
        url = filesystem.unstrip_protocol(file.path)
        rows = datasets.load_dataset("parquet", data_files=url, split="train", streaming=True)
        for number, row in enumerate(rows, start=1):
            read = number / max(number, total)
            yield _Value(place=f"{file.name} row {number}", value=row, fraction_read=read)
    except (ValueError, OSError, datasets.exceptions.DatasetGenerationError) as error:
        faults.add(file.name, f"not a readable Parquet file: {error}")


def _hub_rows(repository: HubRepository, field: str, faults: Faults) -> Iterator[_Value]:
    """The rows of the train split of a data set on the hub, streamed."""
    import datasets

    try:
        rows = datasets.load_dataset(
            repository.name,
            revision=repository.revision,
            data_files=repository.path or None,
            split="train",
            streaming=True,
        )
        split = (rows.info.splits or {}).get("train") if not repository.path else None
        for number, row in enumerate(rows, start=1):
            read = number / split.num_examples if split and split.num_examples else None
            yield _Value(place=f"{repository.name} row {number}", value=row, fraction_read=read)
    except (datasets.exceptions.DatasetNotFoundError, ValueError) as error:
        faults.add(field, f"hf://datasets/{repository.name} cannot be read: {error}")
    except OSError as error:
        raise Transient(f"{field}: hf://datasets/{repository.name} does not answer: {error}") from error
