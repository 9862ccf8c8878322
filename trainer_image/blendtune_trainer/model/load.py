"""Loads the base model for training, with its precision, attention and activation checkpointing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import MODEL_FOR_CAUSAL_LM_MAPPING, AutoConfig, AutoModelForCausalLM
from transformers.integrations import HfDeepSpeedConfig

from blendtune_api.v1alpha1 import Attention, Precision, Training
from blendtune_core.sizing.layout import attention_in_use
from blendtune_runtime.errors import BadConfiguration, BadModel
from blendtune_trainer.model.attention import BLIND_TO_RESTARTS, attend_within_examples
from blendtune_trainer.model.kernels import fuse_if_asked
from blendtune_trainer.model.memory import flash_attention_works, varlen_works
from blendtune_trainer.model.text_part import freeze_other_parts
from blendtune_trainer.model.varlen import VARLEN


def training_dtype(precision: Precision, device: torch.device) -> torch.dtype:
    """The dtype of the weights in training; `auto` is bf16 on CUDA and fp32 on CPU."""
    if precision is Precision.AUTO:
        return torch.bfloat16 if device.type == "cuda" else torch.float32
    return torch.bfloat16 if precision is Precision.BF16 else torch.float32


def attention_implementation(training: Training, device: torch.device, config: Any) -> str:
    """The attention that transformers is to use for a model with this config, as its name there.

    `auto` is, on CUDA and in 16 bits, VARLEN if torch's kernel serves the model, or FlashAttention 2 if it is
    installed and can keep the examples of a bin apart; else SDPA, or what the model has instead of it. Raises
    BadConfiguration if what is requested cannot be used.
    """
    flash, on_gpu, one_kernel = (
        flash_attention_works(config.model_type),
        device.type == "cuda",
        varlen_works(config),
    )
    attention = attention_in_use(training, on_gpu=on_gpu, varlen=one_kernel, flash_attention=flash)
    require_attention(training, config)
    if attention is Attention.VARLEN and not (one_kernel and on_gpu):
        raise BadConfiguration(
            "spec.training.attention: varlen needs a CUDA device of compute capability 8.0 or more; set auto "
            "or sdpa"
        )
    if attention is Attention.FLASH_ATTENTION_2 and not (flash and on_gpu):
        raise BadConfiguration(
            "spec.training.attention: flash_attention_2 needs a CUDA device and the flash-attn package; "
            "set auto or sdpa"
        )
    has_sdpa = MODEL_FOR_CAUSAL_LM_MAPPING[type(config)]._supports_sdpa
    return "eager" if attention is Attention.SDPA and not has_sdpa else str(attention)


def require_attention(training: Training, config: Any) -> None:
    """Raises BadConfiguration if the attention that is asked for cannot keep the examples of a bin apart."""
    if training.attention is Attention.VARLEN and not varlen_works(config):
        raise BadConfiguration(
            f"spec.training.attention: varlen does not compute the attention of this {config.model_type} "
            "(heads of a multiple of 8 up to 256, neither dropout nor a cap on the scores); set auto or sdpa"
        )
    if training.attention is Attention.FLASH_ATTENTION_2 and config.model_type in BLIND_TO_RESTARTS:
        raise BadConfiguration(
            "spec.training.attention: with flash_attention_2 the examples of a bin see one another in a "
            f"{config.model_type}; set auto or sdpa"
        )


def load_model(
    folder: Path,
    training: Training,
    device: torch.device,
    *,
    activation_checkpointing: bool,
    deepspeed_config: dict[str, Any],
) -> Any:
    """The causal language model in `folder`, ready to train. Under ZeRO-3 each rank loads only its shard.

    Raises BadModel if the folder has no such model, BadConfiguration as `attention_implementation` and
    `fuse_if_asked` do.
    """
    dtype = training_dtype(training.precision, device)
    config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    attention = attention_implementation(training, device, config)
    zero3 = HfDeepSpeedConfig(deepspeed_config)  # from_pretrained uses it as long as this reference exists
    try:
        model = AutoModelForCausalLM.from_pretrained(
            folder,
            dtype=dtype,
            attn_implementation="sdpa" if attention == VARLEN else attention,
            local_files_only=True,
            trust_remote_code=False,
        )
    except (OSError, ValueError, KeyError) as error:
        raise BadModel(
            f"spec.model: no causal language model could be loaded from {folder}: {error}"
        ) from error
    if zero3.is_zero3():
        del zero3  # with it, transformers notes renamings for the export that this checkpoint did not need
        model._weight_conversions = weightless(folder)._weight_conversions
    if attention != Attention.FLASH_ATTENTION_2:
        attend_within_examples(model, training.sequence_length, one_kernel=attention == VARLEN)
    fuse_if_asked(model, training, device)
    if activation_checkpointing:
        model.activation_checkpointing_enable(activation_checkpointing_kwargs={"use_reentrant": False})
    model.config.use_cache = False
    freeze_other_parts(model)
    return model


def weightless(folder: Path) -> Any:
    """The model in `folder` on the meta device, loaded from its weights: it knows their names."""
    return AutoModelForCausalLM.from_pretrained(
        folder, device_map="meta", local_files_only=True, trust_remote_code=False
    )


def parameter_groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Parameter groups of the optimizer: matrices with weight decay; norms, biases, other vectors without."""
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    matrices = [parameter for parameter in trained if _dimensions(parameter) > 1]
    vectors = [parameter for parameter in trained if _dimensions(parameter) <= 1]
    groups = [{"params": matrices, "weight_decay": weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    return [group for group in groups if group["params"]]


def _dimensions(parameter: nn.Parameter) -> int:
    """Number of dimensions of the whole parameter; under ZeRO-3 `parameter` itself is a flat shard."""
    return len(getattr(parameter, "ds_shape", parameter.shape))
