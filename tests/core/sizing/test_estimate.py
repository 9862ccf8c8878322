"""Time, disk, and what a person is told."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.core.sizing.conftest import A100, CPU, MakeSetup

from blendtune_api.contract import GpuPreset
from blendtune_api.v1alpha1 import (
    Attention,
    Blend,
    BlendedFineTuneSpec,
    Budget,
    Cluster,
    Evaluation,
    Interpolation,
    Model,
    Role,
    Source,
    Storage,
)
from blendtune_core.sizing.cost import (
    checkpoint_bytes,
    communication_seconds,
    disk_bytes,
    flops_per_token,
    recomputed_flops_per_token,
    sent_bytes,
)
from blendtune_core.sizing.describe import describe_sizing, format_count, format_duration, refusal
from blendtune_core.sizing.estimate import MILLION, Estimate, estimate, training_cost
from blendtune_core.sizing.known import LLAMA
from blendtune_core.sizing.layout import choose_layout
from blendtune_core.sizing.shape import read_shape
from blendtune_core.sizing.weights import Weights

GB = 10**9


@pytest.mark.parametrize(("size", "flops"), [("7B", 4.37e10), ("13B", 8.31e10), ("33B", 2.05e11)])
def test_flops_per_token(size: str, flops: float) -> None:
    shape = read_shape(LLAMA[size])
    assert flops_per_token(shape, Weights(trained=shape.parameters), 2048) == pytest.approx(flops, rel=0.005)


def test_frozen_parameters_cost_a_third_less() -> None:
    shape = read_shape(LLAMA["7B"])
    weights = Weights(trained=1000, frozen=shape.parameters)
    attention = 12 * 32 * 4096 * 2048
    assert flops_per_token(shape, weights, 2048) == 4 * shape.parameters + 6000 + attention


@pytest.mark.parametrize(
    ("weights", "share"),
    [
        pytest.param(Weights(trained=10**9), 1 / 3, id="all trained"),
        pytest.param(Weights(trained=0, frozen=10**9), 1 / 2, id="all frozen"),
    ],
)
def test_a_second_forward_pass_is_that_share_of_the_arithmetic(weights: Weights, share: float) -> None:
    shape = read_shape(LLAMA["7B"])
    whole, again = (count(shape, weights, 1) for count in (flops_per_token, recomputed_flops_per_token))
    assert again / whole == pytest.approx(share, rel=0.01)


def test_time(make_setup: MakeSetup) -> None:
    """100 million tokens at an MFU of 0.5 on 32 A100."""
    minutes = [training_cost(make_setup(size), 100 * MILLION, 0.5).seconds for size in ("7B", "13B", "33B")]
    assert [round(seconds / 60) for seconds in minutes if seconds] == [15, 28, 68]
    cost = training_cost(make_setup("7B"), 100 * MILLION, 0.5)
    assert cost.steps == 382  # of 262,144 tokens
    assert cost.tokens_per_second == pytest.approx(32 * 3574, rel=0.01)
    assert cost.gpu_hours == pytest.approx(32 * 14.6 / 60, rel=0.01)


def test_the_time_on_unknown_hardware_is_not_known(make_setup: MakeSetup) -> None:
    cost = training_cost(make_setup("7B", preset=CPU), MILLION)
    assert (cost.steps, cost.seconds, cost.gpu_hours, cost.tokens_per_second) == (4, None, None, None)


@pytest.mark.parametrize(
    ("stage", "micro_batches", "transfers"),
    [(1, 4, 3), (2, 1, 3), (2, 4, 9), (3, 1, 3), (3, 4, 12)],
)
def test_communication(stage: int, micro_batches: int, transfers: int) -> None:
    """bench/nodes.py saw these bytes at the interfaces."""

    def seconds(ranks: int, nodes: int) -> float:
        weights = Weights(trained=GB // 2)
        sent = sent_bytes(weights, 2, stage=stage, micro_batches=micro_batches, ranks=ranks)
        return communication_seconds(sent, nodes)

    assert seconds(1, 1) == 0
    assert seconds(2, 1) == pytest.approx(transfers / 2 / 300)
    assert seconds(4, 2) == pytest.approx(transfers * 3 / 4 / 25)


@pytest.mark.parametrize(("stage", "transfers"), [(1, 0), (2, 0), (3, 8)])
def test_frozen_weights_are_only_gathered(stage: int, transfers: int) -> None:
    frozen = Weights(trained=0, frozen=GB // 2)
    sent = sent_bytes(frozen, 2, stage=stage, micro_batches=4, ranks=2)
    assert communication_seconds(sent, 1) == pytest.approx(transfers / 2 / 300)


def test_by_hpz_all_but_the_first_gathering_of_a_step_is_within_the_node() -> None:
    weights = Weights(trained=GB // 2)
    plain, hpz = (sent_bytes(weights, 2, stage=3, micro_batches=4, ranks=16, hpz=size) for size in (1, 8))
    assert plain.among_all - hpz.among_all == pytest.approx(7 * GB * 15 / 16)
    assert hpz.within_node == pytest.approx(7 * GB * 7 / 8)
    assert communication_seconds(hpz, 2) < communication_seconds(plain, 2)


@pytest.mark.parametrize(("size", "gigabytes"), [("7B", 94), ("13B", 182), ("33B", 455)])
def test_checkpoint(size: str, gigabytes: int) -> None:
    assert round(checkpoint_bytes(Weights(trained=read_shape(LLAMA[size]).parameters)) / GB) == gigabytes


def test_disk() -> None:
    weights = Weights(trained=GB)
    assert disk_bytes(weights, 2, downloaded=False) == (3 * 14 + 2) * GB
    assert disk_bytes(weights, 2, downloaded=True) == (3 * 14 + 4) * GB
    assert disk_bytes(weights, 1, downloaded=False, element=4) == (2 * 16 + 4) * GB


@pytest.mark.parametrize(
    ("budget", "kept"),
    [
        pytest.param(Budget(epochs=3), 2, id="all but the last"),
        pytest.param(Budget(epochs=2.5), 2, id="part of a pass"),
        pytest.param(Budget(epochs=1), 0, id="one pass"),
        pytest.param(Budget(tokens=MILLION), 0, id="passes not known"),
    ],
)
def test_the_models_of_earlier_epochs_take_disk(budget: Budget, kept: int) -> None:
    plain = spec(budget)
    scored = replace(plain, evaluation=Evaluation(every_epoch=True))
    shape = read_shape(LLAMA["7B"])
    sizes = [estimate(each, shape, A100, Attention.SDPA).disk_bytes for each in (plain, scored)]
    assert sizes[1] - sizes[0] == kept * 2 * shape.parameters


def test_models_between_base_and_tuned_take_disk() -> None:
    plain = spec(Budget(epochs=1))
    choosing = replace(plain, evaluation=Evaluation(interpolation=Interpolation(weights=(0.5, 0.7, 0.85))))
    shape = read_shape(LLAMA["7B"])
    one, several = (estimate(each, shape, A100, Attention.SDPA) for each in (plain, choosing))
    assert several.disk_bytes - one.disk_bytes == 3 * 2 * shape.parameters
    assert (one.candidates, several.candidates) == (1, 4)


def test_the_disk_of_a_lora() -> None:
    """Checkpoints of the adapter alone; then the merged model and the adapter."""
    weights = Weights(trained=GB, frozen=10 * GB)
    assert disk_bytes(weights, 2, downloaded=False) == (3 * 14 + 20 + 2) * GB
    assert disk_bytes(weights, 2, downloaded=True) == (20 + 3 * 14 + 20 + 2) * GB


def spec(budget: Budget, uri: str = "hf://lmsys/vicuna-7b-v1.3") -> BlendedFineTuneSpec:
    source = Source(name="ads", role=Role.IN_DOMAIN, uri="pvc://data/ads.jsonl", weight=1)
    return BlendedFineTuneSpec(
        model=Model(uri=uri),
        blend=Blend(sources=(source,), budget=budget),
        cluster=Cluster(nodes=4, gpus_per_node=8),
        storage=Storage(persistent_volume_claim="work"),
    )


def estimated(budget: Budget, tokens: int | None = None, preset: GpuPreset = A100) -> Estimate:
    return estimate(spec(budget), read_shape(LLAMA["7B"]), preset, Attention.FLASH_ATTENTION_2, tokens=tokens)


@pytest.mark.parametrize(
    ("budget", "tokens", "expected", "known"),
    [
        pytest.param(Budget(tokens=5 * MILLION), None, 5 * MILLION, True, id="budget"),
        pytest.param(Budget(epochs=3), 7 * MILLION, 7 * MILLION, True, id="tokens given"),
        pytest.param(Budget(epochs=3), None, MILLION, False, id="unknown"),
    ],
)
def test_tokens(budget: Budget, tokens: int | None, expected: int, known: bool) -> None:
    whole = estimated(budget, tokens)
    assert (whole.training.tokens, whole.budget_known) == (expected, known)


def test_an_estimate_tells_every_stage_and_the_choice() -> None:
    whole = estimated(Budget(epochs=3))
    assert [stage.layout.zero_stage for stage in whole.stages] == [1, 2, 3]
    assert whole.layout == whole.stages[1].layout
    assert whole.fits and all(stage.fits for stage in whole.stages)
    assert (whole.gpus, whole.gpu_type, whole.gpu_memory_bytes) == (32, "a100-80gb", A100.memory_bytes)


@pytest.mark.parametrize(
    ("size", "nodes", "per_node", "more", "message"),
    [
        pytest.param(
            "33B",
            4,
            8,
            {"stage": 2},
            "32.5 billion parameters do not fit on 32 x a100-80gb at ZeRO stage 2: each GPU needs 86.7 GB "
            "(model states 83.4 GB, activations 2.3 GB, logits 1.0 GB), and 79.0 GB of its 85.9 GB can be "
            "used. What would fit: training.deepspeed.stage auto or 3 (30.0 GB per GPU); cluster.nodes 7 "
            "with gpusPerNode 8 (56 GPUs); GPUs with more memory, a smaller model or a smaller "
            "training.sequenceLength",
            id="33B ZeRO-2",
        ),
        pytest.param(
            "33B",
            1,
            4,
            {},
            "32.5 billion parameters do not fit on 4 x a100-80gb at ZeRO stage 3: each GPU needs 150.5 GB "
            "(model states 146.4 GB, gathered layer 0.9 GB, activations 2.3 GB, logits 1.0 GB), and 79.0 GB "
            "of its 85.9 GB can be used. What would fit: cluster.nodes 2 with gpusPerNode 4 (8 GPUs); GPUs "
            "with more memory, a smaller model or a smaller training.sequenceLength",
            id="33B on 4",
        ),
        pytest.param(
            "7B",
            1,
            2,
            {"stage": 3, "checkpointing": "disabled", "sequence_length": 4096},
            "6.74 billion parameters do not fit on 2 x a100-80gb at ZeRO stage 3: each GPU needs 86.9 GB "
            "(model states 60.6 GB, gathered layer 0.5 GB, activations 24.4 GB, logits 1.3 GB), and 79.0 GB "
            "of its 85.9 GB can be used. What would fit: training.activationCheckpointing auto (71.4 GB per "
            "GPU); cluster.nodes 2 with gpusPerNode 2 (4 GPUs); GPUs with more memory, a smaller model or a "
            "smaller training.sequenceLength",
            id="activations kept",
        ),
    ],
)
def test_a_refusal_says_what_would_fit(
    make_setup: MakeSetup, size: str, nodes: int, per_node: int, more: dict[str, object], message: str
) -> None:
    assert refusal(make_setup(size, nodes, per_node, **more)) == message


@pytest.mark.parametrize("preset", [A100, CPU])
def test_what_fits_is_not_refused(make_setup: MakeSetup, preset: GpuPreset) -> None:
    assert refusal(make_setup("33B", preset=preset)) is None


def test_what_fits_is_told_with_its_time(make_setup: MakeSetup) -> None:
    setup = make_setup("33B")
    layout = choose_layout(setup)
    said = describe_sizing(setup.weights, layout, setup.gpus, 2048, 7200.0)
    assert said == (
        "32.5 billion parameters need 30.0 GB of 85.9 GB on each of 32 x a100-80gb (model states 18.3 GB, "
        "gathered layer 0.9 GB, activations 9.0 GB, logits 1.9 GB): ZeRO stage 3, micro-batches of 4 x 2,048 "
        "tokens, activations recomputed; about 2.0 h, 64.0 GPU-hours, at an assumed MFU of 0.4"
    )
    assert said.startswith(describe_sizing(setup.weights, layout, setup.gpus, 2048, None))


@pytest.mark.parametrize(
    ("parameters", "words"),
    [(26_880, "26,880"), (134_515_008, "135 million"), (32_528_943_616, "32.5 billion")],
)
def test_count_words(parameters: int, words: str) -> None:
    assert format_count(parameters) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(3, "1 min"), (1800, "30 min"), (5400, "1.5 h"), (86_400, "24 h"), (864_000, "10 days")],
)
def test_time_words(seconds: float, words: str) -> None:
    assert format_duration(seconds) == words
