"""Exports the tuned model as a Hugging Face folder that transformers loads without further settings."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from transformers import GenerationConfig

from blendtune_runtime.chat.rendering import ChatRenderer
from blendtune_runtime.files import flush_folder
from blendtune_trainer.blending.lineage import Lineage, write_lineage
from blendtune_trainer.model.lora import merged_model
from blendtune_trainer.ranks.group import Ranks


def export_model(engine: Any, tokenizer: Any, ranks: Ranks, folder: Path, lineage: Lineage | None) -> None:
    """Writes the model to `folder`, completely or not at all. Every rank calls it; rank 0 writes.

    `AutoModelForCausalLM.from_pretrained` loads the model, and `AutoTokenizer.from_pretrained` the tokenizer
    with the chat template that was used in training.
    """
    weights = _trained_weights(engine, ranks)
    if ranks.is_first:
        _write_model(engine.module.model, tokenizer, folder, lineage, weights)
    ranks.barrier()


def export_adapted_model(
    engine: Any,
    base: Path,
    dtype: torch.dtype,
    tokenizer: Any,
    ranks: Ranks,
    *,
    adapter: Path,
    model: Path,
    lineage: Lineage | None,
) -> None:
    """Writes the adapter in peft's format to `adapter`, and the merged model to `model`."""
    weights = _trained_weights(engine, ranks)
    if ranks.is_first:
        with _replacing_folder(adapter) as unfinished:
            engine.module.model.save_pretrained(unfinished, state_dict=weights, save_embedding_layers=False)
            tokenizer.save_pretrained(unfinished)
        _write_model(merged_model(base, adapter, dtype), tokenizer, model, lineage)
    ranks.barrier()


def generation_config(model: Any, tokenizer: Any) -> GenerationConfig:
    """Greedy decoding that ends at any end token of the model, the tokenizer or the chat template.

    The sampling settings of the base model are dropped: they were chosen for other weights, and some of them
    fail the validation of transformers.
    """
    base = model.generation_config
    declared = base.eos_token_id
    ends = declared if isinstance(declared, list) else [declared]
    ends = [*ends, *ChatRenderer(tokenizer).stop_token_ids()]
    eos = sorted({int(token) for token in ends if token is not None})
    padding = next(
        (token for token in (base.pad_token_id, tokenizer.pad_token_id) if token is not None), None
    )
    return GenerationConfig(
        bos_token_id=base.bos_token_id,
        eos_token_id=eos[0] if len(eos) == 1 else eos or None,
        pad_token_id=padding,
    )


def _trained_weights(engine: Any, ranks: Ranks) -> dict[str, Any]:
    """The weights that are not frozen, unsharded, by their names in the model; empty except on rank 0."""
    prefix = "model."  # of the attribute of SupervisedLoss
    if engine.zero_optimization_partition_weights():
        state = engine._zero3_consolidated_16bit_state_dict(exclude_frozen_parameters=True)
    else:
        state = engine.module_state_dict(exclude_frozen_parameters=True) if ranks.is_first else None
    return {name.removeprefix(prefix): weight for name, weight in (state or {}).items()}


def _write_model(
    model: Any, tokenizer: Any, folder: Path, lineage: Lineage | None, weights: dict[str, Any] | None = None
) -> None:
    """Writes the model with `weights`, by default its own, and the tokenizer."""
    model.config.use_cache = True
    model.generation_config = generation_config(model, tokenizer)
    with _replacing_folder(folder) as unfinished:
        model.save_pretrained(unfinished, state_dict=weights)
        tokenizer.save_pretrained(unfinished)
        if lineage:
            write_lineage(unfinished, lineage)


@contextmanager
def _replacing_folder(folder: Path) -> Iterator[Path]:
    """A temporary folder that replaces `folder` when the block ends without an error."""
    unfinished = folder.with_name(folder.name + ".tmp")
    shutil.rmtree(unfinished, ignore_errors=True)
    yield unfinished
    for file in unfinished.iterdir():
        file.chmod(
            0o644
        )  # safetensors makes files private to its user, but evaluation may run as another user
        with file.open("rb") as opened:
            os.fsync(opened.fileno())
    flush_folder(unfinished)
    old = folder.with_name(folder.name + ".old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    unfinished.rename(folder)
    flush_folder(folder.parent)
    shutil.rmtree(old, ignore_errors=True)
