"""Shapes of the LLaMA models (arXiv 2302.13971, table 2), and the models on the Hub that share them.

The feed-forward size is 2/3 of 4 hidden sizes (section 2.2), rounded up to a multiple of 256 as in the
published code. Llama 2 7B and 13B, and Vicuna, which is fine-tuned from both generations, keep these sizes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from blendtune_core.sizing.shape import ModelShape, read_shape


def _llama(hidden_size: int, layers: int, heads: int) -> dict[str, Any]:
    return {
        "model_type": "llama",
        "hidden_size": hidden_size,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "intermediate_size": -(-8 * hidden_size // 3 // 256) * 256,
        "vocab_size": 32_000,
    }


LLAMA: Mapping[str, Mapping[str, Any]] = {
    "7B": _llama(4096, 32, 32),
    "13B": _llama(5120, 40, 40),
    "33B": _llama(6656, 60, 52),
    "65B": _llama(8192, 80, 64),
}

_ON_THE_HUB: Mapping[str, str] = {
    "lmsys/vicuna-7b-v1.3": "7B",
    "lmsys/vicuna-13b-v1.3": "13B",
    "lmsys/vicuna-33b-v1.3": "33B",
    "lmsys/vicuna-7b-v1.5": "7B",
    "lmsys/vicuna-13b-v1.5": "13B",
    "meta-llama/Llama-2-7b-hf": "7B",
    "meta-llama/Llama-2-7b-chat-hf": "7B",
    "meta-llama/Llama-2-13b-hf": "13B",
    "meta-llama/Llama-2-13b-chat-hf": "13B",
}


def nearest_llama(parameters: int) -> ModelShape:
    """A shape with `parameters` parameters and the other sizes of the LLaMA model nearest to that number."""
    shapes = [read_shape(config) for config in LLAMA.values()]
    return replace(min(shapes, key=lambda shape: abs(shape.parameters - parameters)), parameters=parameters)


def shape_on_the_hub(name: str) -> ModelShape | None:
    """The shape of the model `name` (ORG/NAME) on the Hub; None if it is not known here."""
    size = _ON_THE_HUB.get(name)
    return None if size is None else read_shape(LLAMA[size])
