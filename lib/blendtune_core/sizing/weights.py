"""The trained and the frozen parameters of a training, and the size of a LoRA by the shape of the model."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from blendtune_api.v1alpha1 import Lora, Method, Training
from blendtune_core.lora import Shape, adapted_layers, trainable_parameters, unknown_targets
from blendtune_core.sizing.shape import ModelShape


@dataclass(frozen=True, kw_only=True, slots=True)
class Weights:
    """Numbers of parameters: a fully trained model, or an adapter over a frozen model."""

    trained: int
    frozen: int = 0

    @property
    def base(self) -> int:
        """The parameters of the base model."""
        return self.frozen or self.trained


def training_weights(shape: ModelShape, training: Training, adapter: int | None = None) -> Weights:
    """The weights of a training. `adapter` is a LoRA's number of parameters; None: counted by the shape."""
    if training.method is Method.FULL:
        return Weights(trained=shape.parameters)
    trained = lora_parameters(shape, training.lora) if adapter is None else adapter
    return Weights(trained=trained, frozen=shape.parameters)


@lru_cache
def lora_parameters(shape: ModelShape, lora: Lora) -> int:
    """The number of parameters that `lora` trains, if the model has LLaMA's layers.

    If LLaMA has no layer of a target's name, the model names its layers differently, and all of LLaMA's are
    counted. A model that fuses some of them needs fewer parameters, a mixture of experts more.
    """
    layers = _linear_layers(shape)
    targets = () if unknown_targets(layers, lora.target_modules) else lora.target_modules
    return trainable_parameters(adapted_layers(layers, targets), lora.rank)


def _linear_layers(shape: ModelShape) -> dict[str, Shape]:
    """The linear layers of LLaMA's blocks, by name, each with its (inputs, outputs)."""
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
