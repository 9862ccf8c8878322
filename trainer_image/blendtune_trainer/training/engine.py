"""The DeepSpeed engine of a training, and the layout it uses."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from blendtune_api.contract import Layout, RunConfig
from blendtune_api.v1alpha1 import Method
from blendtune_core.sizing.layout import Setup, choose_layout, with_stage
from blendtune_trainer.model.load import load_model, parameter_groups, training_dtype
from blendtune_trainer.model.lora import with_adapter
from blendtune_trainer.ranks.group import Ranks, initialize
from blendtune_trainer.training.checkpoint import Pointer
from blendtune_trainer.training.ds_config import deepspeed_config
from blendtune_trainer.training.loss import SupervisedLoss


def resumable_layout(setup: Setup, pointer: Pointer | None) -> Layout:
    """The layout chosen by the sizing. ZeRO stage `auto` is that of the checkpoint, if there is one."""
    if pointer and setup.training.deepspeed.stage == "auto":
        setup = replace(setup, training=with_stage(setup.training, pointer.stage))
    return choose_layout(setup)


def load_engine(base: Path, config: RunConfig, ranks: Ranks, layout: Layout, pointer: Pointer | None) -> Any:
    """The DeepSpeed engine over the base model in `base`, configured to load the checkpoint of `pointer`.

    Raises BadModel if the folder has no causal language model, BadConfiguration for an invalid override or
    attention.
    """
    training = config.spec.training
    settings = deepspeed_config(
        training,
        stage=layout.zero_stage,
        bf16=training_dtype(training.precision, ranks.device) is torch.bfloat16,
        world_size=ranks.world_size,
        on_cpu=ranks.device.type == "cpu",
        universal=pointer is not None and pointer.world_size != ranks.world_size,
    )
    model = load_model(
        base,
        training,
        ranks.device,
        activation_checkpointing=layout.activation_checkpointing,
        deepspeed_config=settings,
    )
    if training.method is Method.LORA:
        model = with_adapter(model, training.lora, config.spec.model, training.seed)
    adam = training.adam
    optimizer = torch.optim.AdamW(
        parameter_groups(model, training.weight_decay),
        lr=training.learning_rate,
        betas=(adam.beta1, adam.beta2),
        eps=adam.epsilon,
        fused=True,
    )
    return initialize(SupervisedLoss(model), optimizer, settings)
