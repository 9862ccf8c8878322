"""What a training trains and what it leaves frozen; a LoRA's size by the shape of the model."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from blendtune_api.v1alpha1 import Lora, Method, Training
from blendtune_core.lora import Shape, adapted_layers, trainable_parameters, unknown_targets
from blendtune_core.sizing.shape import ModelShape


@dataclass(frozen=True, kw_only=True, slots=True)
class Weights:
    """Numbers of parameters: all of the model, or those of an adapter over a frozen model."""

    trained: int
    frozen: int = 0

    @property
    def base(self) -> int:
        """Those of the base model."""
        return self.frozen or self.trained


def training_weights(shape: ModelShape, training: Training, adapter: int | None = None) -> Weights:
    """The weights of a training; a LoRA's `adapter` parameters are counted by the shape unless given."""
    if training.method is Method.FULL:
        return Weights(trained=shape.parameters)
    trained = lora_parameters(shape, training.lora) if adapter is None else adapter
    return Weights(trained=trained, frozen=shape.parameters)


@lru_cache
def lora_parameters(shape: ModelShape, lora: Lora) -> int:
    """Parameters that `lora` trains over a model of LLaMA's layers.

    Where LLaMA lacks a target the model names its layers otherwise, and all of LLaMA's are counted. A model
    that fuses some of them into one needs less, a mixture of experts more.
    """
    layers = _linear_layers(shape)
    targets = () if unknown_targets(layers, lora.target_modules) else lora.target_modules
    return trainable_parameters(adapted_layers(layers, targets), lora.rank)


def _linear_layers(shape: ModelShape) -> dict[str, Shape]:
    """Inputs and outputs of the linear layers of LLaMA's blocks, by name."""
    hidden, query, key_value = shape.hidden_size, shape.query_size, shape.key_value_size
    block = {
        "self_attn.q_proj": (hidden, query),
        "self_attn.k_proj": (hidden, key_value),
        "self_attn.v_proj": (hidden, key_value),
        "self_attn.o_proj": (query, hidden),
        "mlp.gate_proj": (hidden, shape.intermediate_size),
        "mlp.up_proj": (hidden, shape.intermediate_size),
        "mlp.down_proj": (shape.intermediate_size, hidden),
    }
    return {
        f"model.layers.{layer}.{name}": sizes
        for layer in range(shape.layers)
        for name, sizes in block.items()
    }
