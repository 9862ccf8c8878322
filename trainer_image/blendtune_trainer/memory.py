"""How a training is laid out in GPU memory: ZeRO stage, activation checkpointing, and whether it fits."""

from __future__ import annotations

from dataclasses import dataclass

from blendtune_api import sizing
from blendtune_api.contract import GpuPreset
from blendtune_api.v1alpha1 import Training
from blendtune_trainer.base_model import ModelShape


@dataclass(frozen=True, kw_only=True, slots=True)
class MemoryLayout:
    zero_stage: int
    activation_checkpointing: bool
    sizing: sizing.Sizing


def memory_layout(shape: ModelShape, training: Training, ranks: int, gpu: GpuPreset) -> MemoryLayout:
    """What the spec asks for, and what suits the GPUs where it says `auto`. A micro-batch is one bin."""
    all_kept, recomputed = (
        sizing.activation_bytes(
            training.sequence_length,
            shape.hidden_size,
            shape.layers,
            shape.vocabulary_size,
            checkpointing=checkpointing,
        )
        for checkpointing in (False, True)
    )
    stage = sizing.zero_stage(
        training.deepspeed.stage,
        shape.parameters,
        ranks,
        gpu.memory_bytes,
        activations=recomputed,
        largest_layer_parameters=shape.largest_layer_parameters,
    )
    states = sizing.model_state_bytes(shape.parameters, stage, ranks, shape.largest_layer_parameters)
    checkpointing = sizing.checkpoints_activations(
        training.activation_checkpointing, states, gpu.memory_bytes, activations=all_kept
    )
    return MemoryLayout(
        zero_stage=stage,
        activation_checkpointing=checkpointing,
        sizing=sizing.fits(
            shape.parameters,
            stage,
            ranks,
            gpu.memory_bytes,
            activations=recomputed if checkpointing else all_kept,
            largest_layer_parameters=shape.largest_layer_parameters,
        ),
    )
