"""Exports the tuned model as a Hugging Face folder that transformers loads without further settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import GenerationConfig

from blendtune_runtime.files import replacing_folder
from blendtune_trainer.blending.lineage import Lineage, write_lineage
from blendtune_trainer.model.lora import merged_model
from blendtune_trainer.model.settings_files import write_config, write_generation_config, write_tokenizer
from blendtune_trainer.ranks.group import Ranks

MAX_SHARD_SIZE = "5GB"  # of a file of weights: what readers of one shard at a time hold


def export_model(
    engine: Any, base: Path, tokenizer: Any, ranks: Ranks, folder: Path, lineage: Lineage | None
) -> None:
    """Writes the model to `folder`, completely or not at all. Every rank calls it; rank 0 writes.

    `AutoModelForCausalLM.from_pretrained` loads the model, and `AutoTokenizer.from_pretrained` the tokenizer
    with the chat template that was used in training. What was not trained is as in `base`.
    """
    weights = _weights(engine, ranks, only_trained=False)
    if ranks.is_first:
        write_model(engine.module.model, base, tokenizer, folder, lineage, weights)
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
    weights = _weights(engine, ranks, only_trained=True)
    if ranks.is_first:
        write_adapter(engine.module.model, base, tokenizer, adapter, weights)
        write_model(merged_model(base, adapter, dtype), base, tokenizer, model, lineage)
    ranks.barrier()


def write_adapter(
    adapted: Any, base: Path, tokenizer: Any, folder: Path, weights: dict[str, Any] | None = None
) -> None:
    """Writes the adapter of a peft model with `weights`, by default its own, and the tokenizer."""
    with replacing_folder(folder) as unfinished:
        adapted.save_pretrained(unfinished, state_dict=weights, save_embedding_layers=False)
        write_tokenizer(base, tokenizer, unfinished)


def write_model(
    model: Any,
    base: Path,
    tokenizer: Any,
    folder: Path,
    lineage: Lineage | None = None,
    weights: dict[str, Any] | None = None,
) -> None:
    """Writes the model with `weights`, by default its own, and the settings and tokenizer of `base`."""
    own = model.generation_config
    with replacing_folder(folder) as unfinished:
        model.generation_config = GenerationConfig()  # some base models' does not pass the check on saving
        model.save_pretrained(unfinished, state_dict=weights, max_shard_size=MAX_SHARD_SIZE)
        model.generation_config = own
        write_config(base, model.dtype, unfinished)
        write_generation_config(base, model, tokenizer, unfinished)
        write_tokenizer(base, tokenizer, unfinished)
        if lineage:
            write_lineage(unfinished, lineage)


def _weights(engine: Any, ranks: Ranks, *, only_trained: bool) -> dict[str, Any]:
    """The weights, or those not frozen, unsharded, by their names in the model; empty except on rank 0."""
    prefix = "model."  # of the attribute of SupervisedLoss
    if engine.zero_optimization_partition_weights():
        state = engine._zero3_consolidated_16bit_state_dict(exclude_frozen_parameters=only_trained)
    else:
        state = engine.module_state_dict(exclude_frozen_parameters=only_trained) if ranks.is_first else None
    return {name.removeprefix(prefix): weight for name, weight in (state or {}).items()}
