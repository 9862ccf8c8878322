"""The series of a run: what is known is shown, what is not known is absent."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from tests.operator.builders import GATES, rehearse_result, train_result
from tests.operator.scenarios import edit, evaluated, training
from tests.operator.study.studies import study, world_of
from tests.operator.world import World

from blendtune_api.codec import Resource
from blendtune_api.contract import Progress
from blendtune_api.v1alpha1 import (
    BenchmarkScore,
    Blend,
    BlendedFineTune,
    BlendedFineTuneSpec,
    BlendedFineTuneStatus,
    BlendedSource,
    BlendStatus,
    Budget,
    Candidate,
    CandidateScope,
    EvaluatedModel,
    Evaluation,
    Gate,
    GateResult,
    GateStatus,
    InterpolationStatus,
    Metric,
    Model,
    NamedValue,
    ObjectMeta,
    RehearsalStatus,
    Role,
    RoleDivergence,
    RubricEval,
    RubricEvalSpec,
    RubricEvalStatus,
    ScopeScore,
    Source,
    SourceLoss,
    State,
    Storage,
    TrainerStatus,
    TrainingStatus,
)
from blendtune_operator.metrics.runs import RunCollector

RUN = 'kind="BlendedFineTune",name="ads",namespace="shop"'
EVALUATION = 'kind="RubricEval",name="ads",namespace="shop"'


def scrape(objects: Iterable[Resource]) -> list[str]:
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


def test_a_rehearsal_shows_progress_and_what_was_kept() -> None:
    under_way = RehearsalStatus(progress_percentage=42, estimated_remaining_seconds=60)
    lines = scrape([fine_tune(BlendedFineTuneStatus(state=State.REHEARSING, rehearsal=under_way))])
    assert f"blendtune_rehearsal_progress_ratio{{{RUN}}} 0.42" in lines
    assert f"blendtune_rehearsal_remaining_seconds{{{RUN}}} 60.0" in lines
    done = RehearsalStatus(progress_percentage=100, sources=rehearse_result().sources)
    lines = scrape([fine_tune(BlendedFineTuneStatus(state=State.BLENDING, rehearsal=done))])
    assert f'blendtune_rehearsal_tokens{{{RUN},source="known"}} 5000.0' in lines
    rows = "blendtune_rehearsal_rows"
    assert any(
        line.startswith(rows) and 'outcome="Kept"' in line and line.endswith(" 100.0") for line in lines
    )
    assert not any(line.startswith("blendtune_rehearsal_remaining_seconds{") for line in lines)


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
    assert not any(line.startswith("blendtune_training_last_heard_timestamp_seconds{") for line in lines)


def test_scores_carry_their_judge_and_a_missing_score_is_no_zero() -> None:
    lines = scrape(
        [
            evaluation(
                RubricEvalStatus(
                    state=State.SUCCEEDED,
                    general=ScopeScore(name="general", score=0.75, baseline_score=0.8, delta=-0.05, n=20),
                    in_domain=ScopeScore(name="inDomain", unscored=3),
                    benchmarks=(BenchmarkScore(name="mmlu", metric="acc", score=0.5, n=9, delta=-0.02),),
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
    benchmark = f'benchmark="mmlu",{EVALUATION},metric="acc"'
    benchmark = ",".join(sorted(benchmark.split(",")))
    assert f"blendtune_benchmark_score{{{benchmark}}} 0.5" in lines
    assert f"blendtune_benchmark_delta{{{benchmark}}} -0.02" in lines
    assert not any(line.startswith("blendtune_benchmark_baseline_score{") for line in lines)
    assert not any(line.startswith("blendtune_eval_score{") and 'scope="inDomain"' in line for line in lines)
    unscored = [line for line in lines if line.startswith("blendtune_eval_unscored_questions{")]
    assert any('scope="inDomain"' in line and line.endswith(" 3.0") for line in unscored)
    assert any(
        line.startswith("blendtune_gate{") and 'result="Passed"' in line and line.endswith(" 1.0")
        for line in lines
    )


def test_the_models_to_choose_from_show_their_scores() -> None:
    candidates = (
        Candidate(weight=0.7, general=CandidateScope(score=0.6), gates=GateResult.PASSED),
        Candidate(weight=1.0, general=CandidateScope(score=0.2), gates=GateResult.FAILED),
    )
    chosen = InterpolationStatus(
        weight=0.7, uri="pvc://d/between", digest="1", tuned_uri="pvc://d/tuned", tuned_digest="2",
        candidates=candidates,
    )  # fmt: skip
    lines = scrape([evaluation(RubricEvalStatus(interpolation=chosen))])
    assert values(lines, "blendtune_candidate_score", 'domain="general"', 'weight="0.7"') == [0.6]
    assert values(lines, "blendtune_candidate_score", 'domain="inDomain"') == []
    assert values(lines, "blendtune_candidate_taken", 'weight="0.7"') == [1.0]
    assert values(lines, "blendtune_candidate_taken", 'weight="1.0"') == [0.0]


def test_a_deleted_run_leaves_no_series() -> None:
    assert not any(line.startswith("blendtune_run_state{") for line in scrape([]))


def runs(world: World) -> list[BlendedFineTune | RubricEval]:
    children = [world.rubric_eval()] if ("RubricEval", "team", "ads") in world.objects else []
    return [world.fine_tune(), *children]


def values(lines: Iterable[str], name: str, *labels: str) -> list[float]:
    """The values of the series that have these labels."""
    found = [line for line in lines if line.startswith(f"{name}{{") and all(each in line for each in labels)]
    return [float(line.rsplit(" ", 1)[1]) for line in found]


def test_a_study_tells_what_it_costs_and_what_it_recommends() -> None:
    world = world_of(study(parallelism=6))
    lines = scrape([world.study])
    assert values(lines, "blendtune_study_runs", 'state="Running"') == [6]
    assert values(lines, "blendtune_study_expected_gpu_hours") == []
    assert values(lines, "blendtune_study_verdict") == []
    world.finish_all(hours=2.0)
    lines = scrape([world.study])
    assert values(lines, "blendtune_study_state", 'state="Succeeded"') == [1]
    assert values(lines, "blendtune_study_gpu_hours") == [12]
    assert values(lines, "blendtune_study_verdict", 'verdict="Recommended"') == [1]
    assert values(lines, "blendtune_study_recommended_share") == [0.5]


def test_a_condition_tells_its_reason_and_a_stage_its_attempt() -> None:
    world = training()
    running = ('condition="TrainingSucceeded"', 'status="Unknown"', 'reason="Running"')
    assert values(scrape(runs(world)), "blendtune_run_condition", *running) == [1]
    world.fail(world.job("ads-train-1"), 1)
    world.settle()
    world.wait(10)
    lines = scrape(runs(world))
    assert values(lines, "blendtune_run_condition", *running) == []
    assert values(lines, "blendtune_run_attempt", 'stage="train"') == [2]
    assert values(lines, "blendtune_run_attempt", 'stage="eval"') == []
    assert values(lines, "blendtune_training_ranks") == [8]


def test_losses_before_and_after_are_shown_where_they_were_measured() -> None:
    losses = (SourceLoss(name="ads", before=2.5, after=1.5), SourceLoss(name="general", after=2.0))
    training = TrainingStatus(steps=1, tokens=1, gpu_seconds=60, validation_loss=losses)
    lines = scrape([fine_tune(BlendedFineTuneStatus(training=training))])
    name = "blendtune_training_validation_loss"
    assert values(lines, name, 'source="ads"', 'moment="before"') == [2.5]
    assert values(lines, name, 'source="ads"', 'moment="after"') == [1.5]
    assert values(lines, name, 'source="general"') == [2.0]


def test_the_divergence_is_shown_by_role_while_training_and_after() -> None:
    world = training()
    name = "blendtune_training_divergence"
    assert values(scrape(runs(world)), name) == []
    world.progress_answer = Progress(step=12, steps=40, divergence_general=0.03, divergence_in_domain=0.5)
    world.wait(60)
    lines = scrape(runs(world))
    assert values(lines, name, 'role="general"') == [0.03]
    assert values(lines, name, 'role="inDomain"') == [0.5]
    moved = (RoleDivergence(role=Role.GENERAL, positions=9, value=0.04),)
    world.succeed(world.job("ads-train-1"), train_result(divergence=moved, stopped_early="at step 12"))
    world.settle()
    lines = scrape(runs(world))
    assert values(lines, name, 'role="general"') == [0.04]
    status = world.fine_tune().status
    assert status.training is not None
    assert (status.training.divergence, status.training.stopped_early) == (moved, "at step 12")
    message = next(each.message for each in status.conditions if each.type == "TrainingSucceeded")
    assert message.endswith("; stopped early at step 12")


def test_when_rank_0_was_last_heard_is_a_moment() -> None:
    heard = TrainerStatus(last_updated_time="2026-01-01T00:00:00Z")
    lines = scrape([fine_tune(BlendedFineTuneStatus(trainer_status=heard))])
    assert values(lines, "blendtune_training_last_heard_timestamp_seconds") == [1767225600]


def test_a_run_knows_its_gates_best() -> None:
    world = evaluated(general=-0.3, evaluation=Evaluation(gates=GATES))
    gate = ('metric="general"', 'rule="maxDrop"')
    lines = scrape(runs(world))
    assert values(lines, "blendtune_gate", *gate, 'result="Failed"') == [1]
    assert values(lines, "blendtune_run_diagnosis", 'verdict="Forgetting"') == [1]
    edit(world, evaluation=Evaluation(gates=(Gate(metric=Metric.GENERAL, max_drop=0.5),)))
    lines = scrape(runs(world))
    assert values(lines, "blendtune_gate", *gate, 'result="Failed"') == [0]
    assert values(lines, "blendtune_gate", *gate, 'result="Passed"') == [1]
    assert values(lines, "blendtune_gate_threshold", *gate) == [0.5]
    assert values(lines, "blendtune_gate_value", *gate) == pytest.approx([0.3])
    assert values(lines, "blendtune_run_diagnosis", 'verdict="Balanced"') == [1]


def test_the_scores_of_a_run_outlive_its_rubric_eval() -> None:
    world = evaluated(evaluation=Evaluation(gates=GATES), ttl_seconds_after_finished=60)
    in_domain = ('kind="RubricEval"', 'name="ads"', 'scope="inDomain"', 'judge="Rules"')
    before = scrape(runs(world))
    world.wait(61)
    assert len(runs(world)) == 1
    after = scrape(runs(world))
    for name in ("blendtune_eval_score", "blendtune_eval_delta_low", "blendtune_eval_delta_high"):
        assert values(after, name, *in_domain) == values(before, name, *in_domain) != []
    assert (
        values(after, "blendtune_eval_coverage_ratio")
        == values(before, "blendtune_eval_coverage_ratio")
        == [1]
    )
    assert values(after, "blendtune_eval_critical_errors") == [1]
    assert len(values(before, "blendtune_eval_score", 'scope_kind="category"')) == 1
    assert values(after, "blendtune_eval_score", 'scope_kind="category"') == []
