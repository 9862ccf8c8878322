"""The series of a run: what is known is shown, what is not known is absent."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, generate_latest

from blendtune_api.v1alpha1 import (
    Blend,
    BlendedFineTune,
    BlendedFineTuneSpec,
    BlendedFineTuneStatus,
    BlendedSource,
    BlendStatus,
    Budget,
    EvaluatedModel,
    GateResult,
    GateStatus,
    Metric,
    Model,
    NamedValue,
    ObjectMeta,
    Role,
    RubricEval,
    RubricEvalSpec,
    RubricEvalStatus,
    ScopeScore,
    Source,
    State,
    Storage,
    TrainerStatus,
)
from blendtune_operator.metrics import RunCollector

RUN = 'kind="BlendedFineTune",name="ads",namespace="shop"'
EVALUATION = 'kind="RubricEval",name="ads",namespace="shop"'


def scrape(objects: Iterable[BlendedFineTune | RubricEval]) -> list[str]:
    """The lines of a scrape, labels in alphabetical order."""
    registry = CollectorRegistry()
    registry.register(RunCollector(lambda: objects))
    lines = []
    for line in generate_latest(registry).decode().splitlines():
        if "{" in line:
            name, rest = line.split("{", 1)
            labels, value = rest.rsplit("} ", 1)
            line = f"{name}{{{','.join(sorted(labels.split(',')))}}} {value}"
        lines.append(line)
    return lines


def fine_tune(status: BlendedFineTuneStatus) -> BlendedFineTune:
    source = Source(name="handbook", role=Role.IN_DOMAIN, uri="pvc://d/a.jsonl", weight=1)
    spec = BlendedFineTuneSpec(
        model=Model(uri="pvc://m/base"),
        blend=Blend(sources=(source,), budget=Budget(epochs=1)),
        storage=Storage(persistent_volume_claim="disk"),
    )
    return BlendedFineTune(metadata=ObjectMeta(name="ads", namespace="shop"), spec=spec, status=status)


def evaluation(status: RubricEvalStatus) -> RubricEval:
    spec = RubricEvalSpec(
        model=EvaluatedModel(uri="pvc://m/tuned"), storage=Storage(persistent_volume_claim="disk")
    )
    return RubricEval(metadata=ObjectMeta(name="ads", namespace="shop"), spec=spec, status=status)


def test_a_training_run_shows_state_progress_and_blend() -> None:
    lines = scrape(
        [
            fine_tune(
                BlendedFineTuneStatus(
                    state=State.TRAINING,
                    trainer_status=TrainerStatus(
                        progress_percentage=42,
                        estimated_remaining_seconds=60,
                        metrics=(NamedValue(name="loss", value="1.25"), NamedValue(name="other", value="x")),
                    ),
                    blend=BlendStatus(
                        digest="d",
                        tokens=10,
                        sources=(
                            BlendedSource(
                                name="handbook",
                                examples=1,
                                tokens=10,
                                target_share=0.5,
                                achieved_share=0.499,
                                epochs=1,
                            ),
                        ),
                    ),
                )
            )
        ]
    )
    assert f'blendtune_run_state{{{RUN},state="Training"}} 1.0' in lines
    assert f'blendtune_run_state{{{RUN},state="Failed"}} 0.0' in lines
    assert f"blendtune_training_progress_ratio{{{RUN}}} 0.42" in lines
    assert f"blendtune_training_loss{{{RUN}}} 1.25" in lines
    assert f'blendtune_blend_achieved_share{{{RUN},source="handbook"}} 0.499' in lines
    assert not any(line.startswith("blendtune_training_mfu_ratio{") for line in lines)


def test_scores_carry_their_judge_and_a_missing_score_is_no_zero() -> None:
    lines = scrape(
        [
            evaluation(
                RubricEvalStatus(
                    state=State.SUCCEEDED,
                    general=ScopeScore(name="general", score=0.75, baseline_score=0.8, delta=-0.05, n=20),
                    in_domain=ScopeScore(name="inDomain", unscored=3),
                    gates=(
                        GateStatus(
                            metric=Metric.GENERAL, rule="maxDrop", threshold=0.1, result=GateResult.PASSED
                        ),
                    ),
                )
            )
        ]
    )
    general = f'judge="Rules",{EVALUATION},scope="general",scope_kind="domain"'
    general = ",".join(sorted(general.split(",")))
    assert f"blendtune_eval_score{{{general}}} 0.75" in lines
    assert f"blendtune_eval_delta{{{general}}} -0.05" in lines
    assert not any(line.startswith("blendtune_eval_score{") and 'scope="inDomain"' in line for line in lines)
    unscored = [line for line in lines if line.startswith("blendtune_eval_unscored_questions{")]
    assert any('scope="inDomain"' in line and line.endswith(" 3.0") for line in unscored)
    assert any(
        line.startswith("blendtune_gate{") and 'result="Passed"' in line and line.endswith(" 1.0")
        for line in lines
    )


def test_a_deleted_run_leaves_no_series() -> None:
    assert not any(line.startswith("blendtune_run_state{") for line in scrape([]))
