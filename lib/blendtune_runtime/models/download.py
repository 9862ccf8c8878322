"""Downloads a model from the hub or a store: settings, tokenizer and weights as safetensors, no code."""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection
from pathlib import Path

from blendtune_api.contract import Workspace
from blendtune_runtime.errors import BadModel
from blendtune_runtime.files import write_json
from blendtune_runtime.models.convert import convert_to_safetensors
from blendtune_runtime.models.files import settings_files, weight_sources
from blendtune_runtime.models.sources import ModelSource
from blendtune_runtime.models.transfer import transfer
from blendtune_runtime.workspace_lock import hold_when_free

_CONFIG = "config.json"
_SOURCE_FILE = ".source.json"  # in the folder of a download: where its files are from
_SHOWN = 20  # names of files in a message


def fetch_once(source: ModelSource, folder: Path, uid: str) -> None:
    """Downloads a model to `folder`, which exists once the model is whole.

    Of several runs that want the same folder one downloads, and the others wait. `uid` is that of this run.
    Raises BadModel if there is no model or its weights are not tensors, BadConfiguration if it may not be
    read, Transient if the hub or the store does not answer; what has arrived by then is kept.
    """
    if folder.exists():
        return
    with hold_when_free(Workspace(folder.with_suffix(".lock")), uid, folder.name):
        if not folder.exists():
            unfinished = folder.with_suffix(".unfinished")
            download(source, unfinished)
            unfinished.rename(folder)


def download(source: ModelSource, folder: Path) -> None:
    """Downloads the files of a model to `folder`, where an earlier download may have been broken off.

    None of the model's code is run. Raises as `fetch_once` does.
    """
    _keep_only(source.identity, folder)
    files = source.files()
    if _CONFIG not in files:
        raise BadModel(f"{source.place} holds no model: there is no {_CONFIG}. It holds {_listed(files)}")
    transfer(source, [files[name] for name in settings_files(files)], folder)

    def read_index(name: str) -> str:
        transfer(source, [files[name]], folder)
        return (folder / name).read_text(encoding="utf-8")

    try:
        weights = weight_sources(files, read_index)
    except ValueError as error:
        raise BadModel(f"{source.place}: {error}. It holds {_listed(files)}") from error
    if not weights:
        raise BadModel(
            f"{source.place} holds no weights that transformers loads (model.safetensors, or an index of "
            f"several). It holds {_listed(files)}"
        )
    transfer(source, [files[name] for name in weights], folder)
    convert_to_safetensors(folder, source.place)


def _keep_only(identity: str, folder: Path) -> None:
    """Empties the folder unless what is there was downloaded from the same content."""
    marker = folder / _SOURCE_FILE
    try:
        same = json.loads(marker.read_text())["identity"] == identity
    except (OSError, ValueError, KeyError, TypeError):
        same = False
    if not same:
        shutil.rmtree(folder, ignore_errors=True)
        write_json(marker, {"identity": identity})


def _listed(names: Collection[str]) -> str:
    """The first names of those that are there."""
    shown = ", ".join(sorted(names)[:_SHOWN]) or "nothing"
    return shown if len(names) <= _SHOWN else f"{shown} and {len(names) - _SHOWN:,} more"
