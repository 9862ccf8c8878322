"""How a training is laid out on its GPUs: the sizing of this run's spec, model and image."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from blendtune_api.contract import GpuPreset
from blendtune_api.v1alpha1 import BlendedFineTuneSpec, Method
from blendtune_core.sizing.layout import Gpus, Setup, attention_in_use
from blendtune_trainer.model.base_model import empty_model, model_shape
from blendtune_trainer.model.lora import adapter_parameters


def flash_attention_installed() -> bool:
    return importlib.util.find_spec("flash_attn") is not None


def sizing_setup(
    spec: BlendedFineTuneSpec, base: Path, preset: GpuPreset, world_size: int | None = None
) -> Setup:
    """What decides the layout of this run's training of the model in `base`.

    The ranks are the spec's, or those that have met. Raises StageError where the folder holds no causal
    language model, and for a target of a LoRA that names no layer of it.
    """
    nodes = spec.cluster.nodes
    per_node = spec.cluster.gpus_per_node if world_size is None else max(1, world_size // nodes)
    training = spec.training
    model = empty_model(base)
    installed = flash_attention_installed()
    return Setup(
        shape=model_shape(model),
        training=training,
        gpus=Gpus(preset=preset, nodes=nodes, per_node=per_node),
        attention=attention_in_use(training, on_gpu=preset.is_gpu, flash_attention=installed),
        adapter_parameters=adapter_parameters(model, training.lora)
        if training.method is Method.LORA
        else None,
    )
