"""The estimate of a run: what each ZeRO stage needs, the chosen layout, time and disk."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil

from blendtune_api.contract import GpuPreset, Layout
from blendtune_api.v1alpha1 import Attention, BlendedFineTuneSpec
from blendtune_core.power import candidates_of
from blendtune_core.sizing.cost import (
    ASSUMED_MFU,
    checkpoint_bytes,
    disk_bytes,
    flops_per_token,
    training_seconds,
)
from blendtune_core.sizing.describe import refusal
from blendtune_core.sizing.layout import (
    PRACTICAL_MEMORY,
    Gpus,
    Setup,
    choose_layout,
    fewest_gpus,
    fits,
    whole_nodes,
    with_stage,
)
from blendtune_core.sizing.memory import STAGES
from blendtune_core.sizing.shape import ModelShape
from blendtune_core.sizing.weights import Weights

MILLION = 1_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class StageEstimate:
    """One ZeRO stage on the GPUs of the spec. The numbers of GPUs are None if no number is enough, or if the
    memory of a GPU is unknown.
    """

    layout: Layout  # the best at this stage
    fits: bool
    fewest_gpus: int | None
    practical_gpus: int | None  # within PRACTICAL_MEMORY, and an equal part of a node or whole nodes


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingCost:
    """Times and rates are those of the optimizer steps; None if the peak of the GPUs is unknown."""

    tokens: int
    steps: int
    assumed_mfu: float
    seconds: float | None
    gpu_hours: float | None
    tokens_per_second: float | None  # of all GPUs together


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """The estimate of a run. Sizes are in bytes."""

    shape: ModelShape
    weights: Weights
    gpu_type: str
    gpus: int
    gpu_memory_bytes: int | None
    sequence_length: int
    attention: Attention
    fused: bool  # whether Liger's kernels compute norms and feed-forward networks
    layout: Layout
    fits: bool
    refusal: str | None  # why it does not fit, and what would fit
    stages: tuple[StageEstimate, ...]
    training: TrainingCost  # of the budget, or of a million tokens if the budget is not known in tokens
    budget_known: bool
    candidates: int  # models of which the evaluation takes one: each is asked all questions
    rehearsed_tokens: int  # that the base model writes for the sources self://, of that budget; 0 for none
    checkpoint_bytes: int
    disk_bytes: int


def estimate(
    spec: BlendedFineTuneSpec,
    shape: ModelShape,
    preset: GpuPreset,
    attention: Attention,
    *,
    fused: bool = False,
    tokens: int | None = None,
    mfu: float = ASSUMED_MFU,
) -> Estimate:
    """What a run of `spec` needs. `tokens` is the length of the blend; by default that of the budget."""
    gpus = Gpus(preset=preset, nodes=spec.cluster.nodes, per_node=spec.cluster.gpus_per_node)
    setup = Setup(shape=shape, training=spec.training, gpus=gpus, attention=attention, fused=fused)
    layout = choose_layout(setup)
    tokens = tokens or spec.blend.budget.tokens
    keep = spec.training.checkpoint.keep
    candidates = candidates_of(spec.evaluation.interpolation)
    downloaded = spec.model.uri.startswith(("hf://", "s3://"))
    return Estimate(
        shape=shape,
        weights=setup.weights,
        gpu_type=preset.name,
        gpus=gpus.count,
        gpu_memory_bytes=preset.memory_bytes,
        sequence_length=spec.training.sequence_length,
        attention=attention,
        fused=fused,
        layout=layout,
        fits=fits(layout, preset),
        refusal=refusal(setup),
        stages=tuple(stage_estimate(setup, stage) for stage in STAGES),
        training=training_cost(setup, tokens or MILLION, mfu),
        budget_known=tokens is not None,
        candidates=candidates,
        rehearsed_tokens=rehearsed_tokens(spec, tokens or MILLION),
        checkpoint_bytes=checkpoint_bytes(setup.weights, setup.element),
        disk_bytes=disk_bytes(
            setup.weights,
            keep,
            downloaded=downloaded,
            epoch_models=_epoch_models(spec),
            interpolated=candidates - 1,
            element=setup.element,
        ),
    )


def _epoch_models(spec: BlendedFineTuneSpec) -> int:
    """The number of models that `everyEpoch` keeps besides the last; 0 if the budget is in tokens."""
    epochs = spec.blend.budget.epochs
    if epochs is None or not spec.evaluation.every_epoch:
        return 0
    return ceil(epochs) - 1


def rehearsed_tokens(spec: BlendedFineTuneSpec, tokens: int) -> int:
    """Tokens of the rows that the base model writes for a blend of so many `tokens`, and that are kept.

    The weights are taken for shares of tokens, whatever the unit of the blend.
    """
    blend = spec.blend
    weights = sum(source.weight for source in blend.sources)
    return sum(
        source.rehearsal.asked_tokens
        or ceil(tokens * source.weight / weights / source.resolved_max_epochs(blend.budget))
        for source in blend.self_sources
    )


def stage_estimate(setup: Setup, stage: int) -> StageEstimate:
    """The best layout on the GPUs of the spec at `stage`, whatever stage the spec asks for."""
    layout = choose_layout(replace(setup, training=with_stage(setup.training, stage)))
    practical = fewest_gpus(setup, stage, PRACTICAL_MEMORY)
    return StageEstimate(
        layout=layout,
        fits=fits(layout, setup.gpus.preset),
        fewest_gpus=fewest_gpus(setup, stage),
        practical_gpus=None if practical is None else whole_nodes(practical, setup.gpus.per_node),
    )


def training_cost(setup: Setup, tokens: int, mfu: float = ASSUMED_MFU) -> TrainingCost:
    """Steps and time of a training over `tokens`, if all bins are full."""
    gpus, training = setup.gpus, setup.training
    seconds = None
    if gpus.preset.peak_flops is not None:
        token_flops = flops_per_token(setup.shape, setup.weights, training.sequence_length)
        seconds = training_seconds(tokens, token_flops, gpus.count, gpus.preset.peak_flops, mfu)
    return TrainingCost(
        tokens=tokens,
        steps=ceil(tokens / training.batch_tokens),
        assumed_mfu=mfu,
        seconds=seconds,
        gpu_hours=None if seconds is None else seconds * gpus.count / 3600,
        tokens_per_second=None if seconds is None else tokens / seconds,
    )
