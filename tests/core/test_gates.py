"""Gates are judged from the scores alone, once and for all programs."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.operator.builders import scope

from blendtune_api.v1alpha1 import (
    BenchmarkScore,
    ConditionStatus,
    EvaluationSummary,
    Gate,
    GateResult,
    GateStatus,
    Metric,
    Reason,
    RetentionScore,
    RetentionText,
    ScopeScore,
)
from blendtune_core.gates import judge_gates, sum_up

KEPT = RetentionScore(
    text=RetentionText.BASE_ANSWERS, rows=45, tokens=900, baseline=0.5, loss=0.52, rise=0.02, rise_low=0.01,
    rise_high=0.03, divergence=0.02,
)  # fmt: skip
HELD_OUT = replace(
    KEPT, text=RetentionText.HELD_OUT_ROWS, loss=0.4, rise=-0.1, rise_low=-0.15, rise_high=-0.05
)
PASSED, FAILED, OPEN = GateResult.PASSED, GateResult.FAILED, GateResult.INCONCLUSIVE


def scores(in_domain: ScopeScore | None = None, **more: object) -> EvaluationSummary:
    return EvaluationSummary(name="ads", in_domain=in_domain, **more)  # type: ignore[arg-type]


def judged(gate: dict[str, float], measured: ScopeScore | None, **more: object) -> GateStatus:
    (status,) = judge_gates([Gate(metric=Metric.IN_DOMAIN, **gate)], scores(measured, **more))  # type: ignore[arg-type]
    return status


@pytest.mark.parametrize(
    ("gate", "measured", "result", "words"),
    [
        pytest.param(
            {"min_gain": 0.1},
            scope("inDomain", 0.8, 0.2),
            PASSED,
            "0.200, its 95% interval 0.150 to 0.250 lies wholly within the threshold of 0.1",
            id="gain above",
        ),
        pytest.param(
            {"min_gain": 0.1}, scope("inDomain", 0.8, 0.0), FAILED, "wholly beyond", id="gain below"
        ),
        pytest.param(
            {"min_gain": 0.1}, scope("inDomain", 0.8, 0.12), OPEN, "on both sides", id="gain astride"
        ),
        pytest.param({"min_gain": 0.1}, scope("inDomain", 0.8), OPEN, "no baseline", id="no baseline"),
        pytest.param({"min_gain": 0.1}, None, OPEN, "no such question", id="no scope"),
        pytest.param(
            {"min_score": 0.1},
            ScopeScore(name="inDomain", unscored=3),
            OPEN,
            "none of its questions was scored",
            id="all unscored",
        ),
        pytest.param({"max_drop": 0.1}, scope("inDomain", 0.8, 0.0), PASSED, "-0.050 to 0.050", id="no drop"),
        pytest.param({"max_drop": 0.1}, scope("inDomain", 0.8, -0.2), FAILED, "0.150 to 0.250", id="a drop"),
        pytest.param({"max_drop": 0.1}, scope("inDomain", 0.8, -0.08), OPEN, "0.080,", id="drop astride"),
        pytest.param({"max_drop": 0.0}, scope("inDomain", 0.8, 0.0, margin=0.0), PASSED, "0", id="no loss"),
        pytest.param({"min_score": 0.7}, scope("inDomain", 0.8), PASSED, "0.800", id="score above"),
        pytest.param({"min_score": 0.7}, scope("inDomain", 0.75), PASSED, "0.750", id="score touching"),
        pytest.param({"min_score": 0.7}, scope("inDomain", 0.6), FAILED, "0.600", id="score below"),
        pytest.param({"min_score": 0.7}, scope("inDomain", 0.72), OPEN, "0.720", id="score astride"),
    ],
)
def test_a_gate_decides_when_the_interval_lies_on_one_side(
    gate: dict[str, float], measured: ScopeScore | None, result: GateResult, words: str
) -> None:
    status = judged(gate, measured)
    assert status.result is result
    assert words in status.message


@pytest.mark.parametrize(
    ("coverage", "worst", "result", "words"),
    [
        pytest.param(1.0, None, PASSED, "wholly within the threshold of 0.1", id="all scored"),
        pytest.param(
            0.96, 0.15, PASSED, "wholly within the threshold of 0.1", id="enough, whatever they show"
        ),
        pytest.param(0.96, 0.05, OPEN, "its unscored questions could turn it", id="they could turn it"),
        pytest.param(0.94, 0.15, OPEN, "only 94% of the questions were judged", id="below the floor"),
    ],
)
def test_unscored_questions_keep_a_gate_open(
    coverage: float, worst: float | None, result: GateResult, words: str
) -> None:
    measured = replace(scope("inDomain", 0.8, 0.2), delta_worst=worst, delta_best=worst and 0.3, unscored=1)
    status = judged({"min_gain": 0.1}, measured, coverage=coverage)
    assert status.result is result
    assert words in status.message


def test_unscored_questions_can_save_a_failing_gate() -> None:
    measured = replace(scope("inDomain", 0.6), worst=0.55, best=0.72, unscored=1)
    assert judged({"min_score": 0.7}, measured, coverage=0.96).result is OPEN
    assert judged({"min_score": 0.8}, measured, coverage=0.96).result is FAILED


@pytest.mark.parametrize(
    ("most", "result"),
    [
        pytest.param(1, FAILED, id="over"),
        pytest.param(2, OPEN, id="unscored may hide one"),
        pytest.param(3, PASSED, id="within"),
    ],
)
def test_critical_errors(most: int, result: GateResult) -> None:
    measured = replace(scope("inDomain", 0.8), critical_errors=2, unscored=1)
    status = judged({"max_critical_errors": most}, measured)
    assert status.result is result
    assert "2 of 21 questions were answered with a critical error" in status.message
    assert (status.value, status.low, status.high) == (2, 2, 3)


def test_critical_errors_of_no_questions_are_not_known() -> None:
    assert judged({"max_critical_errors": 0}, None).result is OPEN


def test_models_that_were_asked_differently_are_not_compared() -> None:
    status = judged({"min_gain": 0.1}, scope("inDomain", 0.8), not_compared="they differ in decoding")
    assert (status.result, status.message) == (OPEN, "they differ in decoding")


def test_dimensions_can_be_gated() -> None:
    known = scores(dimensions=(scope("reliability", 0.9),))
    (status,) = judge_gates([Gate(metric=Metric.RELIABILITY, min_score=0.5)], known)
    assert (status.result, status.value) == (PASSED, 0.9)


@settings(deadline=None, derandomize=True)
@given(st.floats(-0.9, 0.9), st.floats(0, 0.1), st.floats(0, 1))
def test_a_drop_is_a_gain_the_other_way_round(delta: float, margin: float, threshold: float) -> None:
    measured = ScopeScore(
        name="inDomain", score=0.5, delta=delta, delta_low=delta - margin, delta_high=delta + margin
    )
    status = judged({"max_drop": threshold}, measured)
    assert status.value == -delta
    if status.result is PASSED:
        assert delta - margin >= -threshold - 1e-6
    if status.result is FAILED:
        assert delta + margin < -threshold + 1e-6


@settings(deadline=None, derandomize=True)
@given(
    st.floats(0, 1),
    st.lists(st.floats(0, 1), min_size=2, max_size=5),
    st.sampled_from([("min_score", 1), ("min_gain", 1), ("max_drop", -1)]),
)
def test_a_harder_threshold_never_turns_out_better(
    delta: float, thresholds: list[float], rule: tuple[str, int]
) -> None:
    field, harder = rule
    order = [PASSED, OPEN, FAILED]
    results = [
        order.index(judged({field: threshold}, scope("inDomain", 0.5, delta, 0.1)).result)
        for threshold in sorted(thresholds)[::harder]
    ]
    assert results == sorted(results)


@pytest.mark.parametrize(
    ("results", "status", "reason"),
    [
        pytest.param([], ConditionStatus.TRUE, Reason.NO_GATES, id="no gates"),
        pytest.param([PASSED, PASSED], ConditionStatus.TRUE, Reason.GATES_PASSED, id="all passed"),
        pytest.param([PASSED, OPEN], ConditionStatus.UNKNOWN, Reason.GATES_INCONCLUSIVE, id="one open"),
        pytest.param([OPEN, FAILED], ConditionStatus.FALSE, Reason.GATES_FAILED, id="one failed"),
    ],
)
def test_the_condition_sums_the_gates_up(
    results: list[GateResult], status: ConditionStatus, reason: Reason
) -> None:
    gates = [
        GateStatus(metric=Metric.OVERALL, rule="minScore", threshold=0.5, result=item, message="0.4 of 1")
        for item in results
    ]
    found = sum_up(gates)
    assert found[:2] == (status, reason)
    assert not results or "overall minScore: 0.4 of 1" in found[2]


@pytest.mark.parametrize(
    ("most", "measured", "result", "words"),
    [
        pytest.param(0.05, (KEPT, HELD_OUT), PASSED, "on baseAnswers the loss rose by 0.020", id="kept"),
        pytest.param(0.02, (KEPT, HELD_OUT), OPEN, "on both sides of the threshold of 0.02", id="astride"),
        pytest.param(0.005, (KEPT, HELD_OUT), FAILED, "wholly beyond", id="lost on one text"),
        pytest.param(0.0, (HELD_OUT,), PASSED, "on heldOutRows the loss rose by -0.100", id="better"),
        pytest.param(0.05, (), OPEN, "no text was compared", id="nothing to compare"),
    ],
)
def test_retention_is_judged_by_the_text_that_was_kept_worst(
    most: float, measured: tuple[RetentionScore, ...], result: GateResult, words: str
) -> None:
    (status,) = judge_gates([Gate(metric=Metric.RETENTION, max_rise=most)], scores(retention=measured))
    assert (status.metric, status.rule, status.result) == (Metric.RETENTION, "maxRise", result)
    assert words in status.message


FELL = BenchmarkScore(
    name="gsm8k", metric="exact_match", score=0.4, n=1319, baseline_score=0.45, delta=-0.05,
    delta_low=-0.07, delta_high=-0.03,
)  # fmt: skip


def on_benchmark(gate: Gate, *measured: BenchmarkScore, **more: object) -> GateStatus:
    (status,) = judge_gates([gate], scores(benchmarks=measured, **more))
    return status


@pytest.mark.parametrize(
    ("threshold", "measured", "result", "words"),
    [
        pytest.param(
            {"max_drop": 0.02}, (FELL,), FAILED, "over 1,319 samples: 0.050, its 95% interval 0.030 to 0.070"
            " lies wholly beyond the threshold of 0.02", id="a drop",
        ),
        pytest.param({"max_drop": 0.05}, (FELL,), OPEN, "on both sides", id="astride"),
        pytest.param({"max_drop": 0.1}, (FELL,), PASSED, "wholly within", id="allowed"),
        pytest.param({"min_gain": 0.0}, (FELL,), FAILED, "-0.050, its 95% interval -0.070", id="no gain"),
        pytest.param(
            {"max_drop": 0.02}, (replace(FELL, lower_is_better=True),), PASSED, "-0.050", id="less is better"
        ),
        pytest.param(
            {"max_drop": 0.02}, (replace(FELL, delta_low=None, delta_high=None),), OPEN, "no standard error",
            id="no interval",
        ),
        pytest.param(
            {"max_drop": 0.02}, (replace(FELL, delta=None),), OPEN, "no baseline", id="alone"
        ),
        pytest.param({"max_drop": 0.02}, (replace(FELL, name="mmlu"),), OPEN, "had no room", id="not there"),
    ],
)  # fmt: skip
def test_a_benchmark_is_judged_by_its_paired_interval(
    threshold: dict[str, float], measured: tuple[BenchmarkScore, ...], result: GateResult, words: str
) -> None:
    gate = Gate(metric=Metric.BENCHMARK, name="gsm8k", **threshold)  # type: ignore[arg-type]
    status = on_benchmark(gate, *measured)
    assert (status.metric, status.name, status.result) == (Metric.BENCHMARK, "gsm8k", result)
    assert words in status.message
    assert status.subject == "benchmark gsm8k"


def test_a_failed_benchmark_is_told_by_name_whatever_the_rubric_left_unscored() -> None:
    gate = Gate(metric=Metric.BENCHMARK, name="gsm8k", max_drop=0.02)
    _, reason, message = sum_up([on_benchmark(gate, FELL, coverage=0.5)])
    assert reason is Reason.GATES_FAILED
    assert "benchmark gsm8k maxDrop: exact_match 0.400" in message
