"""The DeepSpeed configuration of a run as a plain dict, built without importing DeepSpeed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from blendtune_api.v1alpha1 import Training
from blendtune_runtime.errors import BadConfiguration

# Settings of DeepSpeed that Blendtune sets itself -> the fields of the spec that decide them.
_RESERVED = {
    "optimizer": "training.adam, training.learningRate and training.weightDecay",
    "scheduler": "training.schedule",
    "gradient_clipping": "training.maxGradNorm",
    "train_batch_size": "training.batchTokens",
    "train_micro_batch_size_per_gpu": "training.sequenceLength",
    "gradient_accumulation_steps": "training.batchTokens",
    "managed_gradient_accumulation": "training.batchTokens",
    "bf16": "training.precision",
    "fp16": "training.precision",
    "zero_optimization.stage": "training.deepspeed.stage",
    "checkpoint": "training.checkpoint",
}

# Small buckets, each reduced as a whole and in place: on CPU most of a step would be spent on new memory.
_CPU_COMMUNICATION = {
    "reduce_scatter": False,
    "reduce_bucket_size": 20_000_000,
    "allgather_bucket_size": 20_000_000,
}


def deepspeed_config(
    training: Training,
    *,
    stage: int,
    bf16: bool,
    world_size: int,
    on_cpu: bool,
    universal: bool = False,
) -> dict[str, Any]:
    """The configuration for `deepspeed.initialize`; the overrides of the spec are merged last.

    Gradients are accumulated by the training loop, not by DeepSpeed: the last step may have fewer
    micro-batches, and the loss is already divided by the supervised tokens of the step. `universal` makes the
    next load read a universal checkpoint.

    Raises BadConfiguration for an override of a setting that the spec has a field for.
    """
    _refuse_reserved(training.deepspeed.overrides)
    config: dict[str, Any] = {
        "train_batch_size": world_size,
        "train_micro_batch_size_per_gpu": 1,
        "gradient_accumulation_steps": 1,
        "managed_gradient_accumulation": False,
        "gradient_clipping": training.max_grad_norm,
        # The norm of the gradients shows what is not finite, and the training then ends.
        "bf16": {"enabled": bf16, "check_grad_overflow": False},
        "zero_optimization": _zero(stage, on_cpu),
        # torch's AdamW needs no compiler, unlike DeepSpeed's own.
        "zero_allow_untested_optimizer": True,
        "zero_force_ds_cpu_optimizer": False,
        "steps_per_print": None,
        "wall_clock_breakdown": False,
    }
    if universal:
        config["checkpoint"] = {"load_universal": True}
    return merged(config, training.deepspeed.overrides)


def merged(base: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """`base` updated by `overrides`: mappings are merged key by key, other values are replaced."""
    result = dict(base)
    for key, value in overrides.items():
        old = result.get(key)
        result[key] = merged(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return result


def _zero(stage: int, on_cpu: bool) -> dict[str, Any]:
    zero: dict[str, Any] = {"stage": stage}
    if on_cpu:
        zero |= _CPU_COMMUNICATION
    if stage == 3:
        zero["stage3_gather_16bit_weights_on_model_save"] = True
    return zero


def _refuse_reserved(overrides: Mapping[str, Any]) -> None:
    """Raises BadConfiguration for an override of a reserved setting."""
    for path, field in _RESERVED.items():
        value: Any = overrides
        for key in path.split("."):
            value = value.get(key) if isinstance(value, Mapping) else None
        if value is not None:
            raise BadConfiguration(f"spec.training.deepspeed.overrides.{path}: set spec.{field} instead")
