"""The files of a source: which are read, and what is said of the others."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import PurePosixPath
from typing import Any

from blendtune_trainer.rows.faults import SourceFaults
from blendtune_trainer.rows.file_kinds import (
    SUFFIXES,
    Compression,
    FileKind,
    is_container,
    is_hidden,
    is_metadata,
    kind_of,
)
from blendtune_trainer.rows.notes import Notes, printable
from blendtune_trainer.rows.splits import Split, chosen_names, split_of, trains_on_others

_STATE = "state.json"  # datasets' save_to_disk writes it beside the files of a split


@dataclass(frozen=True, kw_only=True, slots=True)
class DataFile:
    """A file of a source."""

    path: str  # on its file system
    name: str  # relative to the source, for messages
    size: int  # bytes
    kind: FileKind
    compression: Compression | None = None
    start: float = 0.0  # fraction of its source that stands before it
    share: float = 1.0  # fraction of its source that it is

    def of_source(self, fraction: float) -> float:
        """The fraction of the source that is read once this one of the file is."""
        return self.start + self.share * min(1.0, fraction)


def data_files(
    filesystem: Any, path: str, purpose: Split, faults: SourceFaults, notes: Notes
) -> list[DataFile]:
    """The file at `path`, or the files with rows below the folder, by name. Raises FileNotFoundError.

    A file that may hold rows and cannot be read is a fault; any other that is not read is noted, but for what
    is known not to be data.
    """
    if filesystem.isfile(path):
        name = PurePosixPath(path).name
        if kind_of(name) is None:
            faults.add(name, f"cannot be read; use {SUFFIXES}")
            return []
        return with_shares([data_file(path, name, filesystem.size(path))])
    if not filesystem.isdir(path):
        raise FileNotFoundError(path)
    sizes = {
        str(PurePosixPath(file).relative_to(PurePosixPath(path))): (file, details.get("size"))
        for file, details in sorted(filesystem.find(path, detail=True).items())
        if not file.endswith("/")  # the empty object by which a console of S3 shows a folder
    }
    candidates = [name for name in sizes if _is_data(name, faults, notes)]
    candidates = _without_caches(filesystem, sizes, candidates, notes)
    kept = chosen_names(candidates, purpose)
    for name in sorted({*candidates} - {*kept}):
        notes.left_out(name, f"{split_of(name) or 'training'} split")
    if trains_on_others(kept, purpose):
        notes.trained_on(kept[0])
    return with_shares([data_file(sizes[name][0], name, sizes[name][1]) for name in kept])


def _is_data(name: str, faults: SourceFaults, notes: Notes) -> bool:
    """Whether a file of a folder is to be read. Says so where it is not, and that is not plain."""
    if is_metadata(name):
        return False
    if kind_of(name) is not None:
        if not is_hidden(name):
            return True
        notes.left_out(name, "hidden")
    elif is_container(name):
        faults.add(
            name, f"cannot be read, though it may hold rows: unpack or convert it, or remove it. {SUFFIXES}"
        )
    elif not PurePosixPath(name).name.startswith("."):
        notes.left_out(name, "not a file of rows")
    return False


def _without_caches(
    filesystem: Any, sizes: Mapping[str, tuple[str, int | None]], names: list[str], notes: Notes
) -> list[str]:
    """The names without those that datasets left in a saved folder as caches of its own."""
    saved: dict[str, set[str]] = {}
    for name, (path, _) in sizes.items():
        if PurePosixPath(name).name == _STATE:
            try:
                with filesystem.open(path, "rb") as file:
                    state = json.load(file)
                saved[str(PurePosixPath(name).parent)] = {each["filename"] for each in state["_data_files"]}
            except (FileNotFoundError, ValueError, KeyError, TypeError):
                continue  # not datasets' file, or a link that leads nowhere
    kept = []
    for name in names:
        listed = saved.get(str(PurePosixPath(name).parent))
        if listed is None or PurePosixPath(name).name in listed or kind_of(name) != (FileKind.ARROW, None):
            kept.append(name)
        else:
            notes.left_out(name, "a cache of datasets")
    return kept


def with_shares(files: list[DataFile]) -> list[DataFile]:
    """The files, each with its part of their bytes together."""
    total = max(1, sum(file.size for file in files))
    starts = accumulate((file.size for file in files), initial=0)
    return [
        replace(file, start=start / total, share=file.size / total)
        for file, start in zip(files, starts, strict=False)
    ]


def data_file(path: str, name: str, size: int | None) -> DataFile:
    """A file of a known kind, by its name."""
    known = kind_of(name)
    assert known is not None
    return DataFile(path=path, name=printable(name), size=size or 0, kind=known[0], compression=known[1])
