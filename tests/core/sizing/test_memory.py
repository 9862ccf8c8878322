"""Model states against DeepSpeed's own estimators, activations against what autograd keeps."""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from peft import LoraConfig
from tests.core.sizing.kept import SMALL, TOKENS, kept_by_layers

from blendtune_api.v1alpha1 import Attention
from blendtune_core.sizing.memory import (
    STAGES,
    activation_bytes,
    gathered_layer_bytes,
    logits_bytes,
    model_state_bytes,
)
from blendtune_core.sizing.shape import read_shape
from blendtune_core.sizing.weights import Weights

GB = 10**9
LLAMA_7B, LLAMA_13B, LLAMA_33B = 6_738_415_616, 13_015_864_320, 32_528_943_616


@pytest.mark.parametrize(
    ("parameters", "stage", "ranks", "gigabytes"),
    [
        pytest.param(LLAMA_7B, 1, 1, 134.8, id="7B ZeRO-1 on 1"),
        pytest.param(LLAMA_7B, 1, 8, 40.4, id="7B ZeRO-1 on 8"),
        pytest.param(LLAMA_7B, 2, 4, 43.8, id="7B ZeRO-2 on 4"),
        pytest.param(LLAMA_7B, 2, 8, 28.6, id="7B ZeRO-2 on 8"),
        pytest.param(LLAMA_7B, 2, 32, 17.3, id="7B ZeRO-2 on 32"),
        pytest.param(LLAMA_13B, 2, 4, 84.6, id="13B ZeRO-2 on 4"),
        pytest.param(LLAMA_13B, 2, 8, 55.3, id="13B ZeRO-2 on 8"),
        pytest.param(LLAMA_13B, 2, 32, 33.4, id="13B ZeRO-2 on 32"),
        pytest.param(LLAMA_33B, 2, 32, 83.4, id="33B ZeRO-2 on 32"),
        pytest.param(LLAMA_7B, 3, 4, 30.3, id="7B ZeRO-3 on 4"),
        pytest.param(LLAMA_7B, 3, 32, 3.8, id="7B ZeRO-3 on 32"),
        pytest.param(LLAMA_13B, 3, 8, 29.3, id="13B ZeRO-3 on 8"),
        pytest.param(LLAMA_13B, 3, 16, 14.6, id="13B ZeRO-3 on 16"),
        pytest.param(LLAMA_33B, 3, 8, 73.2, id="33B ZeRO-3 on 8"),
        pytest.param(LLAMA_33B, 3, 32, 18.3, id="33B ZeRO-3 on 32"),
    ],
)
def test_model_states(parameters: int, stage: int, ranks: int, gigabytes: float) -> None:
    assert model_state_bytes(Weights(trained=parameters), stage, ranks) / GB == pytest.approx(
        gigabytes, abs=0.06
    )


@pytest.fixture(scope="module")
def deepspeed_estimators() -> Any:
    os.environ.setdefault("DS_ACCELERATOR", "cpu")
    from deepspeed.runtime.zero import stage3, stage_1_and_2

    return stage_1_and_2.estimate_zero2_model_states_mem_needs, stage3.estimate_zero3_model_states_mem_needs


@pytest.mark.parametrize("parameters", [26_880, 134_515_008, LLAMA_7B, LLAMA_13B, LLAMA_33B, 65_285_660_672])
@pytest.mark.parametrize(("nodes", "per_node"), [(1, 1), (1, 3), (1, 8), (2, 8), (4, 8), (7, 5)])
def test_model_states_are_deepspeeds(
    deepspeed_estimators: Any, parameters: int, nodes: int, per_node: int
) -> None:
    zero2, zero3 = deepspeed_estimators
    ranks, largest = nodes * per_node, parameters // 40
    weights = Weights(trained=parameters)
    _, states = zero2(parameters, per_node, nodes, cpu_offload=False)
    assert model_state_bytes(weights, 2, ranks) == pytest.approx(states, abs=1)
    _, states, _ = zero3(parameters, largest, per_node, nodes, cpu_offload=False)
    ours = model_state_bytes(weights, 3, ranks) + gathered_layer_bytes(largest, 3)
    assert ours == pytest.approx(states, abs=1)


@given(parameters=st.integers(1, 10**12), ranks=st.integers(1, 4096), element=st.sampled_from([2, 4]))
def test_each_stage_divides_more_than_the_one_before(parameters: int, ranks: int, element: int) -> None:
    weights = Weights(trained=parameters)
    first, second, third = (model_state_bytes(weights, stage, ranks, element=element) for stage in STAGES)
    assert first >= second >= third
    assert third * ranks >= first - 2 * element * parameters - ranks


@pytest.mark.parametrize("stage", [0, 4])
def test_there_are_three_stages(stage: int) -> None:
    with pytest.raises(ValueError, match="must be 1, 2 or 3"):
        model_state_bytes(Weights(trained=1), stage, 1)


@pytest.mark.parametrize("element", [pytest.param(2, id="bf16"), pytest.param(4, id="fp32")])
@pytest.mark.parametrize("attention", [Attention.SDPA, Attention.EAGER])
@pytest.mark.parametrize(
    ("model_type", "key_value_heads"), [("llama", 4), ("llama", 2), ("mistral", 2), ("qwen2", 2)]
)
@pytest.mark.parametrize("checkpointing", [False, True])
def test_activations_are_what_autograd_keeps(
    model_type: str, key_value_heads: int, attention: Attention, element: int, checkpointing: bool
) -> None:
    config = SMALL | {"model_type": model_type, "num_key_value_heads": key_value_heads}
    kept = kept_by_layers(config, attention, element, checkpointing)
    shape = read_shape(config)
    predicted = activation_bytes(
        shape, TOKENS, checkpointing=checkpointing, attention=attention, element=element
    )
    if checkpointing:  # one layer more is alive only in the backward pass
        predicted -= (
            activation_bytes(shape, TOKENS, checkpointing=False, attention=attention, element=element) // 4
        )
    assert kept == pytest.approx(predicted, rel=0.05)


@pytest.mark.parametrize("element", [pytest.param(2, id="bf16"), pytest.param(4, id="fp32")])
def test_a_window_shorter_than_the_bin_keeps_a_mask_and_copies_of_shared_heads(element: int) -> None:
    config = SMALL | {"model_type": "mistral", "num_key_value_heads": 2, "sliding_window": TOKENS // 2}
    shape = read_shape(config)
    kept = kept_by_layers(config, Attention.SDPA, element, checkpointing=False)
    predicted = activation_bytes(
        shape, TOKENS, checkpointing=False, attention=Attention.SDPA, masked=True, element=element
    )
    assert kept == pytest.approx(predicted, rel=0.05)


# peft still asks transformers 5 by the old name.
@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")
@pytest.mark.parametrize("element", [pytest.param(2, id="bf16"), pytest.param(4, id="fp32")])
@pytest.mark.parametrize(
    ("targets", "least"), [pytest.param((), 0.85, id="all layers"), pytest.param(("q_proj",), 0.5, id="one")]
)
def test_a_lora_keeps_a_little_less(targets: tuple[str, ...], least: float, element: int) -> None:
    config = SMALL | {"model_type": "llama", "num_key_value_heads": 4}
    lora = LoraConfig(r=8, target_modules=list(targets) or "all-linear", task_type="CAUSAL_LM")
    kept = kept_by_layers(config, Attention.SDPA, element, checkpointing=False, lora=lora)
    shape = read_shape(config)
    full = activation_bytes(shape, TOKENS, checkpointing=False, attention=Attention.SDPA, element=element)
    assert least < kept / full < 1


def test_flash_attention_joins_no_outputs_and_only_eager_keeps_scores_and_copies_of_shared_heads() -> None:
    shape = read_shape(SMALL | {"model_type": "llama", "num_key_value_heads": 1})
    flash, sdpa, eager = (
        activation_bytes(shape, TOKENS, checkpointing=False, attention=attention)
        for attention in (Attention.VARLEN, Attention.SDPA, Attention.EAGER)
    )
    assert sdpa - flash == 4 * 2 * TOKENS * 256
    assert eager - sdpa == 4 * TOKENS * (4 * 6 * TOKENS + 4 * (256 - 64) - 2 * 256 - 4 * 4)


@pytest.mark.parametrize(
    ("tokens", "vocabulary", "expected"),
    [
        pytest.param(100, 1000, 4 * 100_000 + 12 * 100_000, id="one chunk"),
        pytest.param(8192, 152_064, 4 * 8192 * 152_064 + 3 * 256 * 2**20, id="many chunks"),
    ],
)
def test_logits_are_computed_in_chunks(tokens: int, vocabulary: int, expected: int) -> None:
    assert logits_bytes(vocabulary, tokens) == expected
