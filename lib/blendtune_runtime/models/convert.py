"""Converts the weights of a downloaded model from PyTorch's files, which are pickles, to safetensors."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import torch
from safetensors.torch import save_file

from blendtune_api.contract import WEIGHTS_INDEX
from blendtune_runtime.errors import BadModel
from blendtune_runtime.files import write_text
from blendtune_runtime.models.files import PICKLED_INDEX

_PICKLED = "pytorch_model*.bin"


def convert_to_safetensors(folder: Path, place: str) -> None:
    """Converts the PyTorch files of a downloaded model, which are pickles, to safetensors.

    Only tensors are unpickled. Raises BadModel, which begins with `place`, for a file with anything else.
    """
    pickled = sorted(folder.glob(_PICKLED))
    for file in pickled:
        unfinished = folder / f"{file.name}.tmp"
        save_file(_tensors(file, place), unfinished, metadata={"format": "pt"})
        unfinished.chmod(
            0o644
        )  # safetensors makes files private to its user, but other stages may run as another
        unfinished.replace(folder / _safe_name(file.name))
    index = folder / PICKLED_INDEX
    if pickled and index.exists():
        document = json.loads(index.read_text())
        names = {key: _safe_name(name) for key, name in document["weight_map"].items()}
        write_text(folder / WEIGHTS_INDEX, json.dumps({**document, "weight_map": names}))
    for file in pickled:
        file.unlink()


def _safe_name(name: str) -> str:
    return name.replace("pytorch_model", "model", 1).removesuffix(".bin") + ".safetensors"


def _tensors(file: Path, place: str) -> dict[str, torch.Tensor]:
    """The tensors in a PyTorch file, by name."""
    try:
        state = torch.load(file, map_location="cpu", mmap=True, weights_only=True)
        return {name: tensor.clone().contiguous() for name, tensor in state.items()}
    except (pickle.UnpicklingError, RuntimeError, AttributeError, EOFError) as error:
        raise BadModel(f"{place}: {file.name} holds something else than tensors: {error}") from error
