"""Model shapes, GPUs and setups that the tests of the sizing share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from blendtune_api.contract import GpuPreset
from blendtune_api.v1alpha1 import ActivationCheckpointing, Attention, DeepSpeed, Lora, Method, Training
from blendtune_core.sizing.known import LLAMA
from blendtune_core.sizing.layout import Gpus, Setup
from blendtune_core.sizing.shape import read_shape

A100 = GpuPreset(name="a100-80gb", memory_bytes=81_920 * 2**20, peak_flops=312e12)
CPU = GpuPreset(name="cpu", resource_name=None)

MakeSetup = Callable[..., Setup]


@pytest.fixture
def make_setup() -> MakeSetup:
    """A training of a LLaMA, by default at the spec's defaults on nodes of eight A100."""

    def make(
        size: str = "7B",
        nodes: int = 4,
        per_node: int = 8,
        *,
        stage: int | str = "auto",
        checkpointing: str = "auto",
        preset: GpuPreset = A100,
        attention: Attention = Attention.FLASH_ATTENTION_2,
        lora: Lora | None = None,
        **training: int,
    ) -> Setup:
        return Setup(
            shape=read_shape(LLAMA[size]),
            training=replace(
                Training(**training),
                deepspeed=DeepSpeed(stage=stage),
                activation_checkpointing=ActivationCheckpointing(checkpointing),
                method=Method.LORA if lora else Method.FULL,
                lora=lora or Lora(),
            ),
            gpus=Gpus(preset=preset, nodes=nodes, per_node=per_node),
            attention=attention,
        )

    return make
