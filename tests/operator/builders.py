"""Runs and results to test with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from blendtune_api.contract import (
    BlendResult,
    EvalResult,
    Layout,
    Memory,
    Outcome,
    RehearseResult,
    TrainResult,
)
from blendtune_api.v1alpha1 import (
    BenchmarkScore,
    Blend,
    BlendedFineTune,
    BlendedFineTuneSpec,
    BlendedSource,
    Budget,
    Cluster,
    EvaluatedModel,
    EvaluationDigests,
    Gate,
    Metric,
    Model,
    ObjectMeta,
    RehearsedSource,
    RejectedBecause,
    RejectedRows,
    RetentionScore,
    RetentionText,
    Role,
    RowsOfScript,
    RubricEval,
    RubricEvalSpec,
    ScopeScore,
    Source,
    Storage,
    Verdict,
)

STORAGE = Storage(persistent_volume_claim="blendtune")
GATES = (Gate(metric=Metric.IN_DOMAIN, min_gain=0.1), Gate(metric=Metric.GENERAL, max_drop=0.1))


def fine_tune(**spec: Any) -> BlendedFineTune:
    """A BlendedFineTune of two sources on one node of a real cluster; `spec` replaces fields of the spec."""
    base = BlendedFineTuneSpec(
        model=Model(uri="hf://org/model"),
        blend=Blend(
            budget=Budget(epochs=3),
            sources=(
                Source(name="ads", role=Role.IN_DOMAIN, uri="pvc://datasets/ads.jsonl", weight=50),
                Source(name="general", role=Role.GENERAL, uri="hf://datasets/org/general", weight=50),
            ),
        ),
        storage=STORAGE,
        cluster=Cluster(nodes=2, gpus_per_node=4, backoff_limit=2),
    )
    return BlendedFineTune(metadata=_metadata(), spec=replace(base, **spec))


def rubric_eval(**spec: Any) -> RubricEval:
    base = RubricEvalSpec(model=EvaluatedModel(uri="pvc://models/tuned/model"), storage=STORAGE)
    return RubricEval(metadata=_metadata(), spec=replace(base, **spec))


def _metadata() -> ObjectMeta:
    return ObjectMeta(name="ads", namespace="team", uid="uid-1")


LAYOUT = Layout(
    zero_stage=2,
    bins_per_micro_batch=4,
    activation_checkpointing=False,
    memory=Memory(
        model_states=40_000_000_000,
        gathered_layer=0,
        activations=18_000_000_000,
        logits=2_000_000_000,
    ),
)


def self_blend(**changes: Any) -> Blend:
    """A blend whose general rows the base model writes."""
    sources = (
        Source(name="ads", role=Role.IN_DOMAIN, uri="pvc://datasets/ads.jsonl", weight=50),
        Source(name="known", role=Role.GENERAL, uri="self://", weight=50),
    )
    return replace(Blend(budget=Budget(epochs=3), sources=sources), **changes)


def rehearse_result() -> RehearseResult:
    source = RehearsedSource(
        name="known",
        rows=100,
        tokens=5_000,
        longest=200,
        written=128,
        reused=0,
        digest="rows-1",
        rejected=(
            RejectedRows(reason=RejectedBecause.UNFINISHED, rows=20),
            RejectedRows(reason=RejectedBecause.NEAR_RUBRIC, rows=8),
        ),
        scripts=(RowsOfScript(script="Latin", rows=97), RowsOfScript(script="Han", rows=3)),
    )
    return RehearseResult(config_digest="config-1", sources=(source,))


def blend_result(**changes: Any) -> BlendResult:
    sources = tuple(
        BlendedSource(name=name, examples=10, tokens=5000, target_share=0.5, achieved_share=0.5, epochs=3)
        for name in ("ads", "general")
    )
    result = BlendResult(
        digest="blend-1",
        config_digest="config-1",
        tokens=10_000,
        steps=40,
        sources=sources,
        parameters=13_000_000_000,
        layout=LAYOUT,
    )
    return replace(result, **changes)


def train_result(**changes: Any) -> TrainResult:
    result = TrainResult(
        config_digest="config-1",
        blend_digest="blend-1",
        steps=40,
        tokens=10_000,
        model_digest="model-1",
        final_loss=1.25,
        gpu_seconds=480.0,
    )
    return replace(result, **changes)


def scope(name: str, score: float, delta: float | None = None, margin: float = 0.05) -> ScopeScore:
    """A score with an interval of `margin` around it, and around its delta where there is one."""
    if delta is None:
        return ScopeScore(name=name, score=score, low=score - margin, high=score + margin, n=20)
    return ScopeScore(
        name=name,
        score=score,
        low=score - margin,
        high=score + margin,
        n=20,
        baseline_score=score - delta,
        delta=delta,
        delta_low=delta - margin,
        delta_high=delta + margin,
        p_value=0.01 if abs(delta) > margin else 0.5,
    )


def retention(rise: float, margin: float = 0.01) -> RetentionScore:
    """The loss on the base model's own answers, which rose by `rise`."""
    return RetentionScore(
        text=RetentionText.BASE_ANSWERS, rows=45, tokens=900, baseline=0.5, loss=0.5 + rise, rise=rise,
        rise_low=rise - margin, rise_high=rise + margin, divergence=0.1,
    )  # fmt: skip


def benchmark(delta: float, margin: float = 0.01) -> BenchmarkScore:
    """The score in gsm8k, which changed by `delta`."""
    return BenchmarkScore(
        name="gsm8k", metric="exact_match", score=0.5 + delta, n=1319, baseline_score=0.5, delta=delta,
        delta_low=delta - margin, delta_high=delta + margin,
    )  # fmt: skip


def eval_result(in_domain: float = 0.5, general: float = 0.0, margin: float = 0.05) -> EvalResult:
    """What the evaluation leaves, by the gain in-domain and the change in general."""
    return EvalResult(
        overall=replace(scope("overall", 0.7, (in_domain + general) / 2, margin), critical_errors=1),
        general=scope("general", 0.6, general, margin),
        in_domain=scope("inDomain", 0.8, in_domain, margin),
        dimensions=(scope("reliability", 0.7), scope("consistency", 0.8), scope("businessImpact", 0.6)),
        categories=(scope("pricing", 0.7, 0.1),),
        coverage=1.0,
        digests=EvaluationDigests(model="model-1", baseline="base-1"),
        verdict=Verdict.IMPROVED,
        report_uri="pvc://blendtune/team/ads/eval",
        benchmarks=(BenchmarkScore(name="mmlu", metric="acc", score=0.5, n=14042),),
    )


def result_of(stage: str) -> Outcome:
    """What a stage leaves that succeeds."""
    made: dict[str, Callable[[], Outcome]] = {
        "rehearse": rehearse_result,
        "blend": blend_result,
        "train": train_result,
        "eval": eval_result,
    }
    return made[stage]()
