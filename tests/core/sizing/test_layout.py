"""The layouts that are chosen, what fits, and the numbers of GPUs that would do."""

from __future__ import annotations

from dataclasses import replace
from math import ceil
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.core.sizing.conftest import A100, CPU, MakeSetup

from blendtune_api.contract import GpuPreset
from blendtune_api.v1alpha1 import Attention, Precision, Training
from blendtune_core.sizing.estimate import stage_estimate
from blendtune_core.sizing.known import LLAMA
from blendtune_core.sizing.layout import (
    LARGEST_MICRO_BATCH_TOKENS,
    PRACTICAL_MEMORY,
    USABLE_MEMORY,
    Gpus,
    attention_in_use,
    choose_layout,
    fewest_gpus,
    fits,
    whole_nodes,
)
from blendtune_core.sizing.memory import STAGES
from blendtune_core.sizing.shape import read_shape, varlen_serves

GB = 10**9
UNKNOWN = GpuPreset(name="unheard-of")
H200 = GpuPreset(name="h200-141gb", memory_bytes=143_771 * 2**20, peak_flops=989e12)


@pytest.mark.parametrize(
    ("size", "nodes", "per_node", "more", "stage", "bins", "checkpointing"),
    [
        pytest.param("7B", 4, 8, {}, 2, 4, False, id="7B on 32"),
        pytest.param("13B", 4, 8, {}, 2, 4, True, id="13B on 32: recomputing is cheaper than reducing twice"),
        pytest.param("33B", 4, 8, {}, 3, 4, True, id="33B on 32"),
        pytest.param("33B", 2, 8, {}, 3, 8, True, id="33B on 16"),
        pytest.param("13B", 1, 8, {}, 3, 2, False, id="13B on 8"),
        pytest.param("7B", 1, 1, {"preset": H200}, 1, 1, True, id="7B on one H200: only just"),
        pytest.param("7B", 4, 8, {"stage": 3}, 3, 4, False, id="the stage as asked"),
        pytest.param("7B", 4, 8, {"checkpointing": "enabled"}, 2, 4, True, id="recomputed as asked"),
        pytest.param("33B", 4, 8, {"checkpointing": "disabled"}, 3, 1, False, id="kept as asked"),
        pytest.param("7B", 4, 8, {"attention": Attention.SDPA}, 1, 1, False, id="SDPA: bin by bin"),
        pytest.param("7B", 4, 8, {"preset": CPU}, 1, 1, False, id="CPU"),
        pytest.param("7B", 4, 8, {"preset": UNKNOWN}, 2, 1, False, id="memory unknown"),
        pytest.param("7B", 1, 1, {"preset": UNKNOWN}, 1, 1, False, id="one GPU, memory unknown"),
        pytest.param(
            "7B",
            4,
            8,
            {"preset": CPU, "stage": 3, "checkpointing": "enabled"},
            3,
            1,
            True,
            id="CPU, as asked",
        ),
    ],
)
def test_layout(
    make_setup: MakeSetup,
    size: str,
    nodes: int,
    per_node: int,
    more: dict[str, Any],
    stage: int,
    bins: int,
    checkpointing: bool,
) -> None:
    layout = choose_layout(make_setup(size, nodes, per_node, **more))
    chosen = (layout.zero_stage, layout.bins_per_micro_batch, layout.activation_checkpointing)
    assert chosen == (stage, bins, checkpointing)


@pytest.mark.parametrize(
    ("size", "stage", "fewest", "practical"),
    [
        pytest.param("7B", 1, 3, 4, id="7B ZeRO-1"),
        pytest.param("7B", 2, 2, 4, id="7B ZeRO-2"),
        pytest.param("7B", 3, 2, 2, id="7B ZeRO-3"),
        pytest.param("13B", 1, 9, 16, id="13B ZeRO-1"),
        pytest.param("13B", 2, 5, 8, id="13B ZeRO-2"),
        pytest.param("13B", 3, 4, 4, id="13B ZeRO-3"),
        pytest.param("33B", 1, None, None, id="33B ZeRO-1: never"),
        pytest.param("33B", 2, 55, 128, id="33B ZeRO-2"),
        pytest.param("33B", 3, 8, 16, id="33B ZeRO-3"),
    ],
)
def test_numbers_of_gpus(
    make_setup: MakeSetup, size: str, stage: int, fewest: int | None, practical: int | None
) -> None:
    estimated = stage_estimate(make_setup(size), stage)
    assert (estimated.fewest_gpus, estimated.practical_gpus) == (fewest, practical)


@pytest.mark.parametrize(
    ("size", "stage", "expected"),
    [
        pytest.param("33B", 2, False, id="33B ZeRO-2"),
        pytest.param("33B", 1, False, id="33B ZeRO-1"),
        pytest.param("33B", 3, True, id="33B ZeRO-3"),
        pytest.param("33B", "auto", True, id="33B"),
        pytest.param("13B", 2, True, id="13B ZeRO-2"),
        pytest.param("7B", 1, True, id="7B ZeRO-1"),
    ],
)
def test_what_fits_on_32_a100(make_setup: MakeSetup, size: str, stage: int | str, expected: bool) -> None:
    assert fits(choose_layout(make_setup(size, stage=stage)), A100) is expected


def test_nothing_is_known_of_unknown_memory(make_setup: MakeSetup) -> None:
    setup = make_setup("33B", 1, 1, preset=UNKNOWN)
    assert fits(choose_layout(setup), UNKNOWN)
    assert fewest_gpus(setup, 3) is None


SETUPS = {
    "size": st.sampled_from(["7B", "13B", "33B", "65B"]),
    "nodes": st.integers(1, 9),
    "per_node": st.integers(1, 8),
    "memory": st.integers(16 * GB, 200 * GB),
    "checkpointing": st.sampled_from(["auto", "enabled", "disabled"]),
    "sequence_length": st.sampled_from([512, 2048, 4096]),
}
same_fixture = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@given(**SETUPS, stage=st.sampled_from(STAGES))
@same_fixture
def test_the_smallest_number_fits_and_one_less_does_not(
    make_setup: MakeSetup,
    size: str,
    nodes: int,
    per_node: int,
    memory: int,
    checkpointing: str,
    sequence_length: int,
    stage: int,
) -> None:
    preset = GpuPreset(name="any", memory_bytes=memory, peak_flops=312e12)
    setup = make_setup(
        size,
        nodes,
        per_node,
        preset=preset,
        stage=stage,
        checkpointing=checkpointing,
        sequence_length=sequence_length,
    )

    def fit(number: int) -> bool:
        gpus = Gpus(preset=preset, nodes=1, per_node=number)
        return fits(choose_layout(replace(setup, gpus=gpus)), preset)

    smallest = fewest_gpus(setup, stage)
    if smallest is None:
        assert not fit(10**9)
        return
    assert fit(smallest)
    assert smallest == 1 or not fit(smallest - 1)


@given(**SETUPS)
@same_fixture
def test_a_micro_batch_is_no_larger_than_it_must_be_and_fits_well(
    make_setup: MakeSetup,
    size: str,
    nodes: int,
    per_node: int,
    memory: int,
    checkpointing: str,
    sequence_length: int,
) -> None:
    preset = GpuPreset(name="any", memory_bytes=memory, peak_flops=312e12)
    setup = make_setup(
        size, nodes, per_node, preset=preset, checkpointing=checkpointing, sequence_length=sequence_length
    )
    layout = choose_layout(setup)
    bins, most = layout.bins_per_micro_batch, setup.bins_per_rank
    assert 1 <= bins <= most
    assert bins * sequence_length <= LARGEST_MICRO_BATCH_TOKENS
    assert bins == ceil(most / ceil(most / bins))  # evened out
    if bins > 1:
        assert layout.memory.total <= PRACTICAL_MEMORY * memory
    allowed = {"auto": {True, False}, "enabled": {True}, "disabled": {False}}[checkpointing]
    assert layout.activation_checkpointing in allowed


def test_a_window_shorter_than_a_bin_is_sized_with_its_mask(make_setup: MakeSetup) -> None:
    setup = make_setup("7B", 4, 8, attention=Attention.SDPA)
    activations = {
        span: replace(setup, shape=replace(setup.shape, attention_span=span))
        .layout(1, 1, checkpointing=False)
        .memory.activations
        for span in (None, 2048, 1024)
    }
    assert activations[2048] == activations[None]
    assert activations[1024] != activations[None]


@pytest.mark.parametrize(
    ("number", "per_node", "expected"),
    [(1, 8, 1), (3, 8, 4), (5, 8, 8), (8, 8, 8), (9, 8, 16), (5, 6, 6), (4, 6, 6), (3, 1, 3)],
)
def test_whole_nodes(number: int, per_node: int, expected: int) -> None:
    assert whole_nodes(number, per_node) == expected


@pytest.mark.parametrize(
    ("training", "preset", "varlen", "installed", "expected"),
    [
        pytest.param(Training(), A100, True, True, Attention.VARLEN, id="torch's kernel"),
        pytest.param(Training(), A100, False, True, Attention.FLASH_ATTENTION_2, id="only flash-attn serves"),
        pytest.param(Training(), A100, False, False, Attention.SDPA, id="neither serves"),
        pytest.param(Training(), CPU, True, True, Attention.SDPA, id="CPU"),
        pytest.param(Training(precision=Precision.FP32), A100, True, True, Attention.SDPA, id="fp32"),
        pytest.param(Training(attention=Attention.EAGER), A100, True, True, Attention.EAGER, id="as asked"),
    ],
)
def test_attention_in_use(
    training: Training, preset: GpuPreset, varlen: bool, installed: bool, expected: Attention
) -> None:
    chosen = attention_in_use(training, on_gpu=preset.is_gpu, varlen=varlen, flash_attention=installed)
    assert chosen is expected


@pytest.mark.parametrize(
    ("changes", "served"),
    [
        pytest.param({}, True, id="llama"),
        pytest.param({"num_key_value_heads": 8}, True, id="grouped heads"),
        pytest.param({"sliding_window": 1024}, True, id="a window"),
        pytest.param({"head_dim": 256}, True, id="the largest heads"),
        pytest.param({"head_dim": 264}, False, id="larger heads"),
        pytest.param({"head_dim": 100}, False, id="heads that no kernel has"),
        pytest.param({"num_key_value_heads": 5, "num_attention_heads": 32}, False, id="uneven groups"),
        pytest.param({"layer_types": ["conv", "full_attention"]}, False, id="convolutions"),
        pytest.param({"attn_logit_softcapping": 50.0}, False, id="capped scores"),
        pytest.param({"attention_dropout": 0.1}, False, id="dropout"),
        pytest.param({"attention_dropout": 0.0}, True, id="no dropout"),
    ],
)
def test_which_shapes_one_kernel_serves(changes: dict[str, Any], served: bool) -> None:
    shape = read_shape(LLAMA["7B"] | changes, parameters=7_000_000_000)
    assert varlen_serves(shape) is served


def test_the_choice_leaves_more_room_than_what_is_refused() -> None:
    assert PRACTICAL_MEMORY < USABLE_MEMORY < 1
