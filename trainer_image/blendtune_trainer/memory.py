"""How a training is laid out on its GPUs: the sizing of this run's spec, model and image."""

from __future__ import annotations

import importlib.util

from blendtune_api.contract import GpuPreset
from blendtune_api.sizing.layout import Gpus, Setup, attention_in_use
from blendtune_api.sizing.shape import ModelShape
from blendtune_api.v1alpha1 import BlendedFineTuneSpec


def flash_attention_installed() -> bool:
    return importlib.util.find_spec("flash_attn") is not None


def sizing_setup(
    spec: BlendedFineTuneSpec, shape: ModelShape, preset: GpuPreset, world_size: int | None = None
) -> Setup:
    """What decides the layout of this run's training. The ranks are the spec's, or those that have met."""
    nodes = spec.cluster.nodes
    per_node = spec.cluster.gpus_per_node if world_size is None else max(1, world_size // nodes)
    installed = flash_attention_installed()
    return Setup(
        shape=shape,
        training=spec.training,
        gpus=Gpus(preset=preset, nodes=nodes, per_node=per_node),
        attention=attention_in_use(spec.training.attention, preset, flash_attention=installed),
    )
