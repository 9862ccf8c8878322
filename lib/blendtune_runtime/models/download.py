"""Downloads the files of a model from the hub or a store: settings, tokenizer, weights as safetensors."""

from __future__ import annotations

import json
import pickle
from collections.abc import Sequence
from pathlib import Path

import fsspec
import torch
from safetensors.torch import save_file

from blendtune_runtime.errors import BadModel, Transient
from blendtune_runtime.files import write_text
from blendtune_runtime.models.files import SAFETENSORS, SETTINGS_FILES, SUBFOLDERS, flat_files
from blendtune_runtime.uris import HubRepository, StorePath

_PICKLED = "pytorch_model*.bin"
_PICKLED_INDEX, _SAFE_INDEX = "pytorch_model.bin.index.json", "model.safetensors.index.json"


def wanted_patterns(files: Sequence[str]) -> tuple[str, ...]:
    """Patterns of the files to download: settings, and weights in one format, preferably safetensors."""
    has_safetensors = any(name.endswith(".safetensors") for name in files)
    return (*SETTINGS_FILES, SAFETENSORS if has_safetensors else _PICKLED)


def download(location: HubRepository | StorePath, folder: Path, field: str) -> None:
    """Downloads the files of a model to `folder`; none of its code is run.

    `field` is the model's path in the spec, for error messages. Raises BadModel if there is no model or its
    weights are not tensors, Transient if the hub or the store does not answer.
    """
    if isinstance(location, HubRepository):
        _download_from_hub(location, folder, field)
    else:
        _download_from_store(location, folder, field)
    convert_to_safetensors(folder, field)


def _download_from_hub(repository: HubRepository, folder: Path, field: str) -> None:
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError, RevisionNotFoundError

    try:
        files = HfApi().list_repo_files(repository.name, revision=repository.revision)
        snapshot_download(
            repository.name,
            revision=repository.revision,
            local_dir=folder,
            allow_patterns=list(wanted_patterns(files)),
            ignore_patterns=[SUBFOLDERS],
        )
    except (RepositoryNotFoundError, RevisionNotFoundError) as error:
        raise BadModel(
            f"{field}: hf://{repository.name} at revision {repository.revision} was not found, or needs "
            f"a token in spec.credentials.secretRef (HF_TOKEN): {error}"
        ) from error
    except (HfHubHTTPError, OSError) as error:
        raise Transient(f"{field}: hf://{repository.name} could not be downloaded: {error}") from error


def _download_from_store(location: StorePath, folder: Path, field: str) -> None:
    """Downloads the files without subfolders, so that no name in the store leads out of `folder`."""
    filesystem, path = fsspec.core.url_to_fs(location.url)
    try:
        found = filesystem.find(path, maxdepth=1)
        wanted = flat_files(found, wanted_patterns(found))
        if not wanted:
            raise BadModel(f"{field}.uri: there is no model at {location.url}")
        folder.mkdir(parents=True, exist_ok=True)
        filesystem.get(list(wanted.values()), [str(folder / name) for name in wanted])
    except FileNotFoundError as error:
        raise BadModel(f"{field}.uri: there is no model at {location.url}") from error
    except OSError as error:
        raise Transient(f"{field}.uri: {location.url} could not be downloaded: {error}") from error


def convert_to_safetensors(folder: Path, field: str) -> None:
    """Converts the PyTorch files of a downloaded model, which are pickles, to safetensors.

    Only tensors are unpickled. Raises BadModel for a file with anything else.
    """
    pickled = sorted(folder.glob(_PICKLED))
    for file in pickled:
        unfinished = folder / f"{file.name}.tmp"
        save_file(_tensors(file, field), unfinished, metadata={"format": "pt"})
        unfinished.chmod(
            0o644
        )  # safetensors makes files private to its user, but other stages may run as another
        unfinished.replace(folder / _safe_name(file.name))
    index = folder / _PICKLED_INDEX
    if pickled and index.exists():
        document = json.loads(index.read_text())
        names = {key: _safe_name(name) for key, name in document["weight_map"].items()}
        write_text(folder / _SAFE_INDEX, json.dumps({**document, "weight_map": names}))
    for file in pickled:
        file.unlink()


def _safe_name(name: str) -> str:
    return name.replace("pytorch_model", "model", 1).removesuffix(".bin") + ".safetensors"


def _tensors(file: Path, field: str) -> dict[str, torch.Tensor]:
    """The tensors in a PyTorch file, by name."""
    try:
        state = torch.load(file, map_location="cpu", mmap=True, weights_only=True)
        return {name: tensor.clone().contiguous() for name, tensor in state.items()}
    except (pickle.UnpicklingError, RuntimeError, AttributeError, EOFError) as error:
        raise BadModel(f"{field}.uri: {file.name} holds something else than tensors: {error}") from error
