"""The values of the rows of a data set on the hub, streamed."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import fields
from fnmatch import fnmatchcase
from glob import escape
from typing import Any

from blendtune_api.v1alpha1 import Columns
from blendtune_runtime.errors import BadData
from blendtune_runtime.hub import HubSnapshot, snapshot
from blendtune_runtime.store_errors import check_store
from blendtune_runtime.store_retries import with_retries
from blendtune_runtime.uris import HubData
from blendtune_trainer.rows.cells import without_nulls
from blendtune_trainer.rows.csv_rows import DELIMITERS
from blendtune_trainer.rows.data_files import DataFile, data_file, with_shares
from blendtune_trainer.rows.faults import SourceFaults
from blendtune_trainer.rows.file_kinds import is_text
from blendtune_trainer.rows.file_rows import file_rows
from blendtune_trainer.rows.hub_files import HubFiles
from blendtune_trainer.rows.notes import Notes
from blendtune_trainer.rows.splits import Split
from blendtune_trainer.rows.store_files import StoreFiles
from blendtune_trainer.rows.values import Value

_DEFAULT_SPLIT = "train"
_SHOWN = 20  # names in a message


def hub_rows(
    data: HubData, field: str, purpose: Split, columns: Columns | None, faults: SourceFaults, notes: Notes
) -> Iterator[Value]:
    """The rows of one split of a data set on the hub, or of files of its repository, streamed.

    What is not there, or cannot be read as rows, is added to `faults`, with what is there. Raises BadData or
    BadConfiguration if the repository is not there or may not be read, and Transient if the hub does not
    answer. `field` is the path of the URI in the spec.
    """
    found = snapshot(data.repository, field, BadData)
    place = f"{field}: {data.repository.place}"
    try:
        names = _named(data, found, field)
        if not names or not all(map(is_text, names)):
            builder = with_retries(lambda: _builder(data, found, names, field), place)
            names = _plain_text(builder, data.split or _DEFAULT_SPLIT, found)
            if not names:
                yield from _library_rows(builder, data, place)
                return
        filesystem, files = _text_files(names, found, field)
        for file in files:
            yield from file_rows(filesystem, file, purpose, columns, faults, notes)
    except _NotThere as error:
        faults.add(place, str(error))
    except Exception as error:
        # Of the library and those that it uses there are too many errors to name, and all are of the content.
        check_store(error, place, BadData)
        words = " ".join(str(error).split()) or "it is empty, or not what its name says"
        faults.add(place, f"cannot be read as rows: {words}")


class _NotThere(Exception):
    """The split, configuration or file that is asked for is not in the repository."""


def _text_files(
    names: Sequence[str], found: HubSnapshot, field: str
) -> tuple[StoreFiles, Sequence[DataFile]]:
    """CSV and JSON files, to be read as those of any store, and their file system.

    `datasets` guesses types: it makes a missing value of the text NA, and a time of an answer that is a date.
    """
    repository, held = found.repository, found.files(field, BadData)
    filesystem = StoreFiles(HubFiles(found, held), f"{field}: {repository.place}")
    files = [data_file(name, f"{repository.name}/{name}", held[name].size) for name in names]
    return filesystem, with_shares(files)


def _library_rows(builder: Any, data: HubData, place: str) -> Iterator[Value]:
    """The rows of one split, as `datasets` streams them. Raises _NotThere."""
    wanted = data.split or _DEFAULT_SPLIT
    splits = with_retries(builder.as_streaming_dataset, place)
    if wanted not in splits:
        raise _NotThere(f"there is no split {wanted!r}: set split to one of {_listed(splits)}")
    rows = splits[wanted]
    split = (rows.info.splits or {}).get(str(rows.split)) if not data.path else None
    for number, row in enumerate(rows, start=1):
        read = number / split.num_examples if split and split.num_examples else None
        # most are Parquet, which writes null where a row lacks a field of a nested object
        value = without_nulls(row)
        yield Value(place=f"{data.repository.name} row {number}", value=value, fraction_read=read)


def _named(data: HubData, found: HubSnapshot, field: str) -> list[str]:
    """The files that the URI names; none if it names a whole data set. Raises _NotThere."""
    files = _matching(data.path, found.files(field, BadData)) if data.path else []
    if files and (data.split or data.config):
        raise _NotThere(f"split and config are of a whole data set: leave them out, or /{data.path}")
    return files


def _builder(data: HubData, found: HubSnapshot, files: Sequence[str], field: str) -> Any:
    """What `datasets` reads the files with, or else the whole data set. Raises _NotThere."""
    import datasets

    # With this scheme a folder of the same name in the working directory is not taken for the data set.
    path = f"hf://datasets/{found.repository.name}"
    patterns = [escape(file) for file in files] or None
    try:
        builder = datasets.load_dataset_builder(path, data.config, data_files=patterns, revision=found.commit)
    except datasets.exceptions.DataFilesNotFoundError as error:
        raise _NotThere(
            f"there are no rows in it. It holds {_listed(found.files(field, BadData))}"
        ) from error
    except ValueError as error:
        configs = datasets.get_dataset_config_names(path, revision=found.commit, data_files=patterns)
        raise _NotThere(_no_config(data.config, configs, error)) from error
    if _is_csv(builder.config):
        builder.config.na_filter = False  # text such as NA is not a missing value
    return builder


def _plain_text(builder: Any, split: str, found: HubSnapshot) -> list[str]:
    """The CSV or JSON files of a split; none if it has others, or its card says how they are to be read."""
    from datasets.packaged_modules.json.json import JsonConfig

    config, prefix = builder.config, f"hf://datasets/{found.repository.name}@{found.commit}/"
    if not _is_csv(config) and not isinstance(config, JsonConfig):
        return []
    files = [str(file) for file in (config.data_files or {}).get(split, ())]
    own = all(file.startswith(prefix) and is_text(file) for file in files)
    return [file.removeprefix(prefix) for file in files] if own and not _has_options(config) else []


def _has_options(config: Any) -> bool:
    """Whether a card says more of how CSV or JSON is to be read than what our readers find out."""
    import datasets

    if _is_csv(config) and config.sep not in DELIMITERS:
        return True
    common = {each.name for each in fields(datasets.BuilderConfig)}
    found_out = {*common, "features", "sep", "delimiter", "na_filter"}
    plain = type(config)()
    return any(
        getattr(config, each.name) != getattr(plain, each.name)
        for each in fields(config)
        if each.name not in found_out
    )


def _is_csv(config: Any) -> bool:
    from datasets.packaged_modules.csv.csv import CsvConfig

    return isinstance(config, CsvConfig)


def _matching(path: str, files: Collection[str]) -> list[str]:
    """The files at a path or pattern. Raises _NotThere."""
    matching = [path] if path in files else [file for file in files if fnmatchcase(file, path)]
    if matching:
        return matching
    below = [file for file in files if file.startswith(path.rstrip("/") + "/")]
    if below:
        raise _NotThere(f"{path} is a folder: name a file or a pattern of files. It holds {_listed(below)}")
    raise _NotThere(f"there is no file {path}. The repository holds {_listed(files)}")


def _no_config(config: str | None, configs: Collection[str], error: ValueError) -> str:
    """Why a data set could not be opened: its configurations, or else the library's own words."""
    if config is not None and config not in configs:
        return f"there is no configuration {config!r}: set config to one of {_listed(configs)}"
    if config is None and len(configs) > 1:
        return f"there are several configurations: set config to one of {_listed(configs)}"
    return f"cannot be read as a data set: {error}"


def _listed(names: Collection[str]) -> str:
    """The first of several names."""
    shown = ", ".join(sorted(names)[:_SHOWN]) or "nothing"
    return shown if len(names) <= _SHOWN else f"{shown} and {len(names) - _SHOWN:,} more"
