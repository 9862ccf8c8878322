"""LoRA (arXiv 2106.09685) with peft: an adapter on frozen base weights, and the merged model."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import AutoModelForCausalLM
from transformers.pytorch_utils import Conv1D

from blendtune_api.v1alpha1 import Lora, Model
from blendtune_core.lora import Shape, adapted_layers, module_names, trainable_parameters, unknown_targets
from blendtune_runtime.errors import BadConfiguration
from blendtune_trainer.model.text_part import other_parts, text_modules

# peft is imported inside functions, because full fine-tuning does not need it.
_ALL_LINEAR = "all-linear"  # in peft: every linear layer except the head


def linear_layers(model: Any) -> dict[str, Shape]:
    """(inputs, outputs) of every linear layer except the head, by name: peft's `all-linear`.

    Experts of a mixture that are stored as one tensor are not linear layers, and are not adapted; neither are
    the parts of a multimodal model that are not of text.
    """
    head, text = model.get_output_embeddings(), text_modules(model)
    return {
        name: _shape(module)
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear | Conv1D) and module is not head and id(module) in text
    }


def adapter_parameters(model: Any, lora: Lora) -> int:
    """Number of parameters that `lora` trains on a model, which may be on the meta device.

    Raises BadConfiguration for a target that names no linear layer of the model.
    """
    layers = linear_layers(model)
    unknown = unknown_targets(layers, lora.target_modules)
    if unknown:
        faults = (f"[{index}]: no linear layer is named {lora.target_modules[index]!r}" for index in unknown)
        raise BadConfiguration(
            "\n".join(f"spec.training.lora.targetModules{fault}" for fault in faults)
            + f"\nThis model has {', '.join(module_names(layers))}; leave the list empty to adapt all of them"
        )
    return trainable_parameters(adapted_layers(layers, lora.target_modules), lora.rank)


def with_adapter(model: Any, lora: Lora, base: Model, seed: int) -> Any:
    """`model` with frozen weights and a new adapter, initialised by `seed` in the same way on every rank."""
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        target_modules=list(lora.target_modules) or _ALL_LINEAR,
        exclude_modules=other_parts(model),
        task_type="CAUSAL_LM",
        revision=base.revision if base.uri.startswith("hf://") else None,
    )
    torch.manual_seed(seed)
    with _old_names():
        adapted = get_peft_model(model, config, autocast_adapter_dtype=False)
    config.base_model_name_or_path = base.uri.removeprefix("hf://")  # peft has set the local folder
    return adapted


def merged_model(base: Path, adapter: Path, dtype: torch.dtype) -> Any:
    """The base model in main memory, with the adapter in `adapter` merged into its weights."""
    from peft import PeftModel

    model = AutoModelForCausalLM.from_pretrained(
        base, dtype=dtype, local_files_only=True, trust_remote_code=False
    )
    with _old_names():
        adapted = PeftModel.from_pretrained(
            model, str(adapter), torch_device="cpu", autocast_adapter_dtype=False
        )
    return adapted.merge_and_unload(safe_merge=True)


@contextmanager
def _old_names() -> Iterator[None]:
    """Without the warning that peft asks transformers 5 by a name of transformers 4."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)
        yield


def _shape(module: nn.Module) -> Shape:
    """(inputs, outputs) of a linear layer."""
    if isinstance(module, Conv1D):
        return int(module.nx), int(module.nf)
    assert isinstance(module, nn.Linear)
    return module.in_features, module.out_features
