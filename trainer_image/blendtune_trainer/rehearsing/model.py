"""Loads the base model to write with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM

from blendtune_api.v1alpha1 import Precision
from blendtune_runtime.errors import BadModel, OutOfMemory
from blendtune_trainer.model.load import training_dtype


def device() -> torch.device:
    """The first GPU, or the CPU where there is none."""
    return torch.device("cuda", 0) if torch.cuda.is_available() else torch.device("cpu")


def load_writer(folder: Path, precision: Precision) -> Any:
    """The causal language model in `folder`, over all GPUs of this pod, or on the CPU. Raises BadModel."""
    place = device()
    placement: dict[str, Any] = {"device_map": "auto"} if torch.cuda.device_count() > 1 else {}
    try:
        model: Any = AutoModelForCausalLM.from_pretrained(
            folder,
            dtype=training_dtype(precision, place),
            local_files_only=True,
            trust_remote_code=False,
            **placement,
        )
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise BadModel(
            f"spec.model: no causal language model could be loaded from {folder}: {error}"
        ) from error
    model.eval()
    return model if placement else model.to(place)


@contextmanager
def within_gpu_memory() -> Iterator[None]:
    """Raises OutOfMemory where a GPU runs out of memory in the block."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise OutOfMemory(
            f"a GPU ran out of memory: {error}. Raise spec.cluster.rehearse.gpus, or lower maxNewTokens of "
            "selfRehearsal"
        ) from error
