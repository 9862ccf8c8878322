"""Shapes that a config.json tells, against the models that transformers builds from it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from blendtune_core.sizing.known import LLAMA, shape_on_the_hub
from blendtune_core.sizing.shape import ShapeError, attention_span, read_shape

SMALL: dict[str, Any] = {
    "hidden_size": 64,
    "intermediate_size": 160,
    "num_attention_heads": 4,
    "num_hidden_layers": 3,
    "vocab_size": 500,
}


@pytest.mark.parametrize(
    "config",
    [
        pytest.param({"model_type": "llama"}, id="llama"),
        pytest.param({"model_type": "llama", "num_key_value_heads": 2, "head_dim": 32}, id="grouped queries"),
        pytest.param({"model_type": "llama", "tie_word_embeddings": True}, id="tied"),
        pytest.param({"model_type": "llama", "attention_bias": True, "mlp_bias": True}, id="biases"),
        pytest.param({"model_type": "mistral", "num_key_value_heads": 2}, id="mistral"),
        pytest.param({"model_type": "qwen2", "num_key_value_heads": 2}, id="qwen2"),
        pytest.param({"model_type": "qwen3", "num_key_value_heads": 2}, id="qwen3"),
        pytest.param({"model_type": "phi3", "num_key_value_heads": 2, "pad_token_id": 0}, id="phi3"),
        pytest.param({"model_type": "gemma", "num_key_value_heads": 1}, id="gemma"),
        pytest.param({"model_type": "gemma2", "num_key_value_heads": 2}, id="gemma2"),
    ],
)
def test_parameters_are_those_of_the_model(config: dict[str, Any]) -> None:
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(AutoConfig.for_model(**SMALL | config))
    shape = read_shape(SMALL | config)
    assert shape.parameters == sum(parameter.numel() for parameter in model.parameters())
    assert shape.largest_layer_parameters == max(
        sum(parameter.numel() for parameter in module.parameters(recurse=False)) for module in model.modules()
    )


@pytest.mark.parametrize(
    ("size", "parameters"),
    [("7B", 6_738_415_616), ("13B", 13_015_864_320), ("33B", 32_528_943_616), ("65B", 65_285_660_672)],
)
def test_llama(size: str, parameters: int) -> None:
    assert read_shape(LLAMA[size]).parameters == parameters


def test_models_known_by_name() -> None:
    assert shape_on_the_hub("lmsys/vicuna-13b-v1.3") == read_shape(LLAMA["13B"])
    assert shape_on_the_hub("org/unheard-of") is None


def test_the_names_of_gpt2() -> None:
    config = {
        "model_type": "gpt2",
        "n_embd": 64,
        "n_layer": 3,
        "n_head": 4,
        "n_inner": None,
        "vocab_size": 500,
    }
    shape = read_shape(config, parameters=1_000_000)
    assert (shape.hidden_size, shape.layers, shape.attention_heads) == (64, 3, 4)
    assert (shape.intermediate_size, shape.key_value_size, shape.parameters) == (256, 64, 1_000_000)


def test_the_language_model_within_another() -> None:
    nested = {"model_type": "llava", "text_config": SMALL | {"model_type": "llama"}}
    assert read_shape(nested) == read_shape(SMALL | {"model_type": "llama"})


@pytest.mark.parametrize(
    ("config", "message"),
    [
        pytest.param(
            SMALL | {"model_type": "mamba"}, "model type 'mamba' are not counted here", id="unknown"
        ),
        pytest.param({"model_type": "llama"}, "there is no hidden_size", id="no language model"),
        pytest.param(
            SMALL | {"vocab_size": "500"}, "vocab_size must be a whole number above 0, not '500'", id="text"
        ),
    ],
)
def test_what_a_configuration_lacks_is_told(config: dict[str, Any], message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        read_shape(config)


@pytest.mark.parametrize(
    ("config", "span"),
    [
        pytest.param({}, None, id="no window"),
        pytest.param({"sliding_window": 4096}, 4096, id="a window everywhere"),
        pytest.param({"sliding_window": 4096, "use_sliding_window": False}, None, id="not used"),
        pytest.param({"sliding_window": 0, "layer_types": ["full_attention"]}, None, id="none that slides"),
        pytest.param(
            {"sliding_window": 512, "layer_types": ["full_attention", "sliding_attention"]},
            512,
            id="some slide",
        ),
        pytest.param({"layer_types": ["full_attention", "chunked_attention"]}, 0, id="another kind"),
    ],
)
def test_how_far_every_layer_looks_back(config: dict[str, Any], span: int | None) -> None:
    assert attention_span(config) == span
