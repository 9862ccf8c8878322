"""The input of the sizing: the spec, the model and the image of this run."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import torch

from blendtune_api.contract import GpuPreset
from blendtune_api.v1alpha1 import BlendedFineTuneSpec, Method
from blendtune_core.sizing.layout import Gpus, Setup, attention_in_use, fuses_layers
from blendtune_core.sizing.shape import read_shape, varlen_serves
from blendtune_trainer.model.attention import BLIND_TO_RESTARTS
from blendtune_trainer.model.base_model import empty_model, model_shape, sizes
from blendtune_trainer.model.kernels import kernels_work
from blendtune_trainer.model.lora import adapter_parameters
from blendtune_trainer.model.varlen import varlen_knows, varlen_runs


def flash_attention_works(model_type: str) -> bool:
    """Whether flash-attn can be imported, and keeps the examples of a bin apart in models of this type."""
    return model_type not in BLIND_TO_RESTARTS and importlib.util.find_spec("flash_attn") is not None


def varlen_works(config: Any) -> bool:
    """Whether torch's kernel for a row of examples serves models with this config, and a GPU that is here."""
    if config.model_type in BLIND_TO_RESTARTS or not varlen_knows(config):
        return False
    if torch.cuda.is_available() and not varlen_runs(torch.device("cuda")):
        return False
    return varlen_serves(read_shape(sizes(config), parameters=1))


def sizing_setup(
    spec: BlendedFineTuneSpec, base: Path, preset: GpuPreset, world_size: int | None = None
) -> Setup:
    """Everything that decides the layout of the training of the model in `base`.

    The number of ranks is `world_size`, or that of the spec. Raises BadModel if the folder has no causal
    language model, BadConfiguration for a LoRA target that names no linear layer of it.
    """
    nodes = spec.cluster.nodes
    per_node = spec.cluster.gpus_per_node if world_size is None else max(1, world_size // nodes)
    training = spec.training
    model = empty_model(base)
    return Setup(
        shape=model_shape(model),
        training=training,
        gpus=Gpus(preset=preset, nodes=nodes, per_node=per_node),
        attention=attention_in_use(
            training,
            on_gpu=preset.is_gpu,
            varlen=varlen_works(model.config),
            flash_attention=flash_attention_works(model.config.model_type),
        ),
        fused=fuses_layers(training, on_gpu=preset.is_gpu, fusable=kernels_work(model.config)),
        adapter_parameters=adapter_parameters(model, training.lora)
        if training.method is Method.LORA
        else None,
    )
