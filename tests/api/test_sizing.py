from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blendtune_api.sizing import (
    STAGES,
    activation_bytes,
    checkpoints_activations,
    fits,
    model_state_bytes,
    zero_stage,
)
from blendtune_api.v1alpha1 import ActivationCheckpointing

GB = 10**9
A100 = 80 * GB
LLAMA_7B, LLAMA_13B, LLAMA_33B = 6_738_000_000, 13_016_000_000, 32_529_000_000


@pytest.mark.parametrize(
    ("parameters", "stage", "ranks", "gigabytes"),
    [
        pytest.param(LLAMA_7B, 2, 4, 43.8, id="7B Z2 x4"),
        pytest.param(LLAMA_7B, 2, 32, 17.3, id="7B Z2 x32"),
        pytest.param(LLAMA_13B, 2, 8, 55.3, id="13B Z2 x8"),
        pytest.param(LLAMA_13B, 2, 32, 33.4, id="13B Z2 x32"),
        pytest.param(LLAMA_33B, 2, 32, 83.4, id="33B Z2 x32"),
        pytest.param(LLAMA_7B, 3, 4, 30.3, id="7B Z3 x4"),
        pytest.param(LLAMA_33B, 3, 16, 36.6, id="33B Z3 x16"),
        pytest.param(LLAMA_7B, 1, 1, 134.8, id="7B Z1 x1"),
        pytest.param(LLAMA_7B, 1, 8, 40.4, id="7B Z1 x8"),
    ],
)
def test_model_states(parameters: int, stage: int, ranks: int, gigabytes: float) -> None:
    assert model_state_bytes(parameters, stage, ranks) / GB == pytest.approx(gigabytes, abs=0.06)


@pytest.mark.parametrize(
    ("parameters", "stage", "ranks", "expected", "smallest"),
    [
        pytest.param(LLAMA_7B, 2, 32, True, 3, id="7B Z2"),
        pytest.param(LLAMA_13B, 2, 32, True, 5, id="13B Z2"),
        pytest.param(LLAMA_33B, 2, 32, False, 69, id="33B Z2"),
        pytest.param(LLAMA_33B, 3, 32, True, 8, id="33B Z3"),
        pytest.param(LLAMA_33B, 1, 32, False, None, id="33B Z1: never"),
        pytest.param(LLAMA_7B, 1, 1, False, 3, id="7B on one"),
        pytest.param(1_000_000, 1, 1, True, 1, id="tiny"),
    ],
)
def test_fits_on_a100(parameters: int, stage: int, ranks: int, expected: bool, smallest: int | None) -> None:
    sizing = fits(parameters, stage, ranks, A100)
    assert (sizing.fits, sizing.smallest_number_of_gpus) == (expected, smallest)


def test_the_message_says_what_to_do() -> None:
    assert fits(LLAMA_33B, 2, 32, A100).message == (
        "ZeRO stage 2 needs about 83.4 GB per GPU for 32.5 billion parameters on 32 GPUs; 73.6 GB of 80.0 GB "
        "can be used. Set training.deepspeed.stage to 3, or use at least 69 GPUs, or use GPUs with more "
        "memory, a smaller model or a smaller sequenceLength"
    )
    assert "Use at least 8 GPUs" in fits(LLAMA_33B, 3, 4, A100).message
    assert "on 1 GPU;" in fits(LLAMA_7B, 1, 1, A100).message


def test_unknown_memory_always_fits() -> None:
    sizing = fits(LLAMA_33B, 1, 1, None)
    assert (sizing.fits, sizing.smallest_number_of_gpus) == (True, None)
    assert "nothing was checked" in sizing.message


@pytest.mark.parametrize(
    ("requested", "parameters", "ranks", "memory", "stage"),
    [
        pytest.param(3, LLAMA_7B, 1, A100, 3, id="as requested"),
        pytest.param("auto", LLAMA_33B, 1, A100, 1, id="one rank"),
        pytest.param("auto", LLAMA_33B, 2, None, 2, id="memory unknown"),
        pytest.param("auto", LLAMA_7B, 32, A100, 1, id="7B"),
        pytest.param("auto", LLAMA_13B, 8, A100, 2, id="13B"),
        pytest.param("auto", LLAMA_33B, 32, A100, 3, id="33B"),
        pytest.param("auto", LLAMA_33B, 2, A100, 3, id="none fits"),
    ],
)
def test_zero_stage(
    requested: int | str, parameters: int, ranks: int, memory: int | None, stage: int
) -> None:
    assert zero_stage(requested, parameters, ranks, memory) == stage


def test_activations_count_in_the_choice_of_the_stage() -> None:
    assert zero_stage("auto", LLAMA_13B, 32, A100, activations=5 * GB) == 1
    assert zero_stage("auto", LLAMA_13B, 32, A100, activations=30 * GB) == 2


def test_activations_of_7b_at_2048() -> None:
    shape = {"tokens": 2048, "hidden_size": 4096, "layers": 32, "vocabulary_size": 32_000}
    assert activation_bytes(**shape, checkpointing=False) / GB == pytest.approx(9.1 + 0.66, abs=0.05)
    assert activation_bytes(**shape, checkpointing=True) / GB == pytest.approx(0.54 + 0.29 + 0.66, abs=0.05)


@pytest.mark.parametrize(
    ("requested", "memory", "expected"),
    [
        pytest.param(ActivationCheckpointing.ENABLED, None, True, id="enabled"),
        pytest.param(ActivationCheckpointing.DISABLED, 10, False, id="disabled"),
        pytest.param(ActivationCheckpointing.AUTO, None, False, id="unknown memory"),
        pytest.param(ActivationCheckpointing.AUTO, A100, False, id="fits"),
        pytest.param(ActivationCheckpointing.AUTO, 40 * GB, True, id="does not fit"),
    ],
)
def test_activations_are_recomputed_only_when_needed(
    requested: ActivationCheckpointing, memory: int | None, expected: bool
) -> None:
    assert checkpoints_activations(requested, 30 * GB, memory, activations=15 * GB) is expected


@pytest.mark.parametrize("stage", [0, 4])
def test_there_are_three_stages(stage: int) -> None:
    with pytest.raises(ValueError, match="must be 1, 2 or 3"):
        model_state_bytes(1, stage, 1)


@given(
    parameters=st.integers(1, 10**12),
    stage=st.sampled_from(STAGES),
    memory=st.integers(GB, 200 * GB),
    activations=st.integers(0, 20 * GB),
    largest_layer=st.integers(0, 10**9),
)
def test_the_smallest_number_fits_and_one_less_does_not(
    parameters: int, stage: int, memory: int, activations: int, largest_layer: int
) -> None:
    extra = {"activations": activations, "largest_layer_parameters": largest_layer}
    smallest = fits(parameters, stage, 1, memory, **extra).smallest_number_of_gpus
    if smallest is None:
        assert not fits(parameters, stage, 10**9, memory, **extra).fits
        return
    assert fits(parameters, stage, smallest, memory, **extra).fits
    if smallest > 1:
        assert not fits(parameters, stage, smallest - 1, memory, **extra).fits
