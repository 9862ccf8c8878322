from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.operator.builders import scope

from blendtune_api.v1alpha1 import (
    ConditionStatus,
    EvaluationSummary,
    Gate,
    GateResult,
    GateStatus,
    Metric,
    Reason,
    ScopeScore,
)
from blendtune_operator.plan.gates import finding, judge

PASSED, FAILED, OPEN = GateResult.PASSED, GateResult.FAILED, GateResult.INCONCLUSIVE


def scores(in_domain: ScopeScore | None = None, **more: object) -> EvaluationSummary:
    return EvaluationSummary(name="ads", in_domain=in_domain, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("gate", "measured", "result"),
    [
        pytest.param({"min_gain": 0.1}, scope("inDomain", 0.8, 0.2), PASSED, id="gain above"),
        pytest.param({"min_gain": 0.1}, scope("inDomain", 0.8, 0.0), FAILED, id="gain below"),
        pytest.param({"min_gain": 0.1}, scope("inDomain", 0.8, 0.12), OPEN, id="gain astride"),
        pytest.param({"min_gain": 0.1}, scope("inDomain", 0.8), OPEN, id="no baseline"),
        pytest.param({"min_gain": 0.1}, None, OPEN, id="no scope"),
        pytest.param({"max_drop": 0.1}, scope("inDomain", 0.8, 0.0), PASSED, id="no drop"),
        pytest.param({"max_drop": 0.1}, scope("inDomain", 0.8, -0.2), FAILED, id="a drop"),
        pytest.param({"max_drop": 0.1}, scope("inDomain", 0.8, -0.08), OPEN, id="drop astride"),
        pytest.param({"max_drop": 0.0}, scope("inDomain", 0.8, 0.0, margin=0.0), PASSED, id="no drop at all"),
        pytest.param({"min_score": 0.7}, scope("inDomain", 0.8), PASSED, id="score above"),
        pytest.param({"min_score": 0.7}, scope("inDomain", 0.75), PASSED, id="score touching"),
        pytest.param({"min_score": 0.7}, scope("inDomain", 0.6), FAILED, id="score below"),
        pytest.param({"min_score": 0.7}, scope("inDomain", 0.72), OPEN, id="score astride"),
        pytest.param({"max_critical_errors": 1}, scope("inDomain", 0.8), OPEN, id="errors not counted"),
    ],
)
def test_a_gate_decides_when_the_interval_lies_on_one_side(
    gate: dict[str, float], measured: ScopeScore | None, result: GateResult
) -> None:
    (status,) = judge([Gate(metric=Metric.IN_DOMAIN, **gate)], scores(measured))  # type: ignore[arg-type]
    assert status.result is result


def test_critical_errors_are_those_that_the_evaluation_counted() -> None:
    counted = GateStatus(metric=Metric.GENERAL, rule="maxCriticalErrors", threshold=0, result=FAILED, value=2)
    known = scores(gates=(counted,), critical_errors=5)
    gates = [
        Gate(metric=Metric.GENERAL, max_critical_errors=2),
        Gate(metric=Metric.OVERALL, max_critical_errors=4),
    ]
    assert [status.result for status in judge(gates, known)] == [PASSED, FAILED]


def test_dimensions_can_be_gated() -> None:
    known = scores(dimensions=(scope("reliability", 0.9),))
    (status,) = judge([Gate(metric=Metric.RELIABILITY, min_score=0.5)], known)
    assert (status.result, status.value) == (PASSED, 0.9)


@settings(deadline=None, derandomize=True)
@given(st.floats(-0.9, 0.9), st.floats(0, 0.1), st.floats(0, 1))
def test_a_drop_is_a_gain_the_other_way_round(delta: float, margin: float, threshold: float) -> None:
    measured = ScopeScore(name="inDomain", delta=delta, delta_low=delta - margin, delta_high=delta + margin)
    (status,) = judge([Gate(metric=Metric.IN_DOMAIN, max_drop=threshold)], scores(measured))
    if status.result is PASSED:
        assert delta - margin >= -threshold - 1e-6
    if status.result is FAILED:
        assert delta + margin < -threshold + 1e-6


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
        GateStatus(metric=Metric.OVERALL, rule="minScore", threshold=0.5, result=item) for item in results
    ]
    found = finding(gates)
    assert (found.status, found.reason) == (status, reason)
