"""What a LoRA needs: its parameters by the model's shape, model states, layout, and the words for it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.core.sizing.conftest import A100, MakeSetup

from blendtune_api.v1alpha1 import Lora
from blendtune_core.sizing.describe import describe_sizing, refusal
from blendtune_core.sizing.estimate import stage_estimate
from blendtune_core.sizing.known import LLAMA
from blendtune_core.sizing.layout import choose_layout, fits
from blendtune_core.sizing.memory import STAGES, gathered_layer_bytes, model_state_bytes
from blendtune_core.sizing.shape import read_shape
from blendtune_core.sizing.weights import Weights, lora_parameters

GB = 10**9
SHARED_HEADS = read_shape(LLAMA["7B"] | {"num_key_value_heads": 8})  # keys of 1,024


@pytest.mark.parametrize(
    ("rank", "targets", "trained"),
    [
        pytest.param(16, (), 39_976_960, id="all linear layers"),
        pytest.param(8, ("q_proj", "v_proj"), 4_194_304, id="query and value"),
        pytest.param(1, ("model.layers.3.mlp.up_proj",), 4096 + 11008, id="one layer by its full name"),
        pytest.param(16, ("qkv_proj",), 39_976_960, id="a name that LLaMA lacks: all"),
        pytest.param(16, ("q_proj", "gate_up_proj"), 39_976_960, id="one name of two: all"),
    ],
)
def test_parameters_of_llama_7b(rank: int, targets: tuple[str, ...], trained: int) -> None:
    assert lora_parameters(read_shape(LLAMA["7B"]), Lora(rank=rank, target_modules=targets)) == trained


def test_keys_shared_by_heads_have_smaller_adapters() -> None:
    assert lora_parameters(SHARED_HEADS, Lora(rank=1, target_modules=("k_proj",))) == 32 * (4096 + 1024)


@pytest.mark.parametrize(
    ("stage", "element", "whole", "divided"),
    [
        pytest.param(1, 2, 2 * 100 + 4, 16, id="ZeRO-1"),
        pytest.param(2, 2, 2 * 100 + 2, 18, id="ZeRO-2"),
        pytest.param(3, 2, 0, 2 * 100 + 18, id="ZeRO-3"),
        pytest.param(1, 4, 4 * 100 + 8, 16, id="ZeRO-1 in fp32"),
        pytest.param(3, 4, 0, 4 * 100 + 20, id="ZeRO-3 in fp32"),
    ],
)
def test_model_states(stage: int, element: int, whole: int, divided: int) -> None:
    """Of a trained parameter over 100 frozen ones, in thousands."""
    weights = Weights(trained=1000, frozen=100_000)
    assert model_state_bytes(weights, stage, 4, element=element) == 1000 * whole + 250 * divided


def test_a_frozen_layer_is_gathered_without_gradients() -> None:
    assert [gathered_layer_bytes(1000, stage, frozen=True) for stage in (1, 2, 3)] == [0, 0, 2000]


@pytest.mark.parametrize(
    ("size", "per_node", "stage", "adapter", "states", "expected"),
    [
        pytest.param("7B", 1, 1, 39_976_960, 14.3, True, id="7B on one"),
        pytest.param("13B", 1, 1, 62_586_880, 27.3, True, id="13B on one"),
        pytest.param("33B", 1, 1, 121_896_960, 67.5, True, id="33B on one"),
        pytest.param("65B", 1, 1, 199_884_800, 134.6, False, id="65B on one"),
        pytest.param("7B", 8, 2, 39_976_960, 13.6, True, id="7B on a node"),
        pytest.param("65B", 8, 3, 199_884_800, 16.8, True, id="65B on a node, ZeRO-3"),
    ],
)
def test_rank_16_on_a100(
    make_setup: MakeSetup,
    size: str,
    per_node: int,
    stage: int,
    adapter: int,
    states: float,
    expected: bool,
) -> None:
    setup = make_setup(size, 1, per_node, stage=stage, lora=Lora(rank=16))
    layout = choose_layout(setup)
    assert setup.weights == Weights(trained=adapter, frozen=setup.shape.parameters)
    assert layout.memory.model_states / GB == pytest.approx(states, abs=0.06)
    assert fits(layout, A100) is expected


@pytest.mark.parametrize(
    ("size", "total"),
    [
        pytest.param("7B", 65.0, id="7B"),
        pytest.param("13B", 66.9, id="13B"),
        pytest.param("33B", 70.8, id="33B"),
    ],
)
def test_one_a100_is_enough(make_setup: MakeSetup, size: str, total: float) -> None:
    setup = make_setup(size, 1, 1, lora=Lora())
    assert choose_layout(setup).memory.total / GB == pytest.approx(total, abs=0.06)
    assert refusal(setup) is None
    estimates = [stage_estimate(make_setup(size, lora=Lora()), stage) for stage in STAGES]
    assert [(each.fewest_gpus, each.practical_gpus) for each in estimates] == [(1, 1)] * 3


def test_the_adapter_as_it_was_counted_goes_before_the_shape(make_setup: MakeSetup) -> None:
    setup = replace(make_setup("7B", lora=Lora()), adapter_parameters=1000)
    assert setup.weights == Weights(trained=1000, frozen=setup.shape.parameters)


def test_words(make_setup: MakeSetup) -> None:
    setup = make_setup("65B", 1, 1, lora=Lora())
    said = refusal(setup)
    assert said is not None
    assert said.startswith(
        "65.3 billion frozen parameters and a LoRA of 200 million do not fit on 1 x a100-80gb"
    )
    assert "What would fit: cluster.nodes 2 with gpusPerNode 1 (2 GPUs)" in said
    fitting = make_setup("7B", 1, 1, lora=Lora())
    told = describe_sizing(fitting.weights, choose_layout(fitting), fitting.gpus, 2048, None)
    assert told.startswith("6.74 billion frozen parameters and a LoRA of 40 million need 65.0 GB of 85.9 GB")
