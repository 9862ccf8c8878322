"""The values of the rows of a data set on the hub, streamed."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from fnmatch import fnmatchcase
from typing import Any

from blendtune_runtime.errors import BadData
from blendtune_runtime.hub import HubSnapshot, snapshot
from blendtune_runtime.store_errors import check_store
from blendtune_runtime.store_retries import with_retries
from blendtune_runtime.uris import HubData
from blendtune_trainer.rows.faults import Faults
from blendtune_trainer.rows.values import Value

_DEFAULT_SPLIT = "train"
_SHOWN = 20  # names in a message


def hub_rows(data: HubData, field: str, faults: Faults) -> Iterator[Value]:
    """The rows of one split of a data set on the hub, or of files of its repository, streamed.

    What is not there, or cannot be read as rows, is added to `faults`, with what is there. Raises BadData or
    BadConfiguration if the repository is not there or may not be read, and Transient if the hub does not
    answer. `field` is the path of the URI in the spec.
    """
    import datasets
    import pyarrow

    found = snapshot(data.repository, field, BadData)
    name, place = data.repository.name, f"{field}: {data.repository.place}"
    of_content = (ValueError, OSError, datasets.exceptions.DatasetsError, pyarrow.ArrowException)
    try:
        rows = with_retries(lambda: _dataset(data, found, field), place)
        split = (rows.info.splits or {}).get(str(rows.split)) if not data.path else None
        for number, row in enumerate(rows, start=1):
            read = number / split.num_examples if split and split.num_examples else None
            yield Value(place=f"{name} row {number}", value=row, fraction_read=read)
    except _NotThere as error:
        faults.add(place, str(error))
    except Exception as error:
        check_store(error, place, BadData)
        if not isinstance(error, of_content):
            raise
        faults.add(place, f"cannot be read as rows: {error}")


class _NotThere(Exception):
    """The split, configuration or file that is asked for is not in the repository."""


def _dataset(data: HubData, found: HubSnapshot, field: str) -> Any:
    """The rows that are asked for, as `datasets` streams them. Raises _NotThere."""
    import datasets

    files = _matching(data.path, found.files(field, BadData)) if data.path else None
    if files and (data.split or data.config):
        raise _NotThere(f"split and config are of a whole data set: leave them out, or /{data.path}")
    # With this scheme a folder of the same name in the working directory is not taken for the data set.
    path = f"hf://datasets/{found.repository.name}"
    try:
        builder = datasets.load_dataset_builder(path, data.config, data_files=files, revision=found.commit)
    except datasets.exceptions.DataFilesNotFoundError as error:
        raise _NotThere(
            f"there are no rows in it. It holds {_listed(found.files(field, BadData))}"
        ) from error
    except ValueError as error:
        configs = datasets.get_dataset_config_names(path, revision=found.commit, data_files=files)
        raise _NotThere(_no_config(data.config, configs, error)) from error
    splits = builder.as_streaming_dataset()
    wanted = data.split or _DEFAULT_SPLIT
    if wanted not in splits:
        raise _NotThere(f"there is no split {wanted!r}: set split to one of {_listed(splits)}")
    return splits[wanted]


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
