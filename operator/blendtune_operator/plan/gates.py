"""Gates: whether the scores pass the thresholds of the spec.

A gate on a score passes or fails when the 95% interval lies wholly on that side of its threshold; else it is
inconclusive, as it is when there is nothing to judge.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from blendtune_api.v1alpha1 import (
    ConditionStatus,
    ConditionType,
    Gate,
    GateResult,
    GateStatus,
    Metric,
    Reason,
    ScopeScore,
)
from blendtune_operator.conditions import Finding

_TOLERANCE = 1e-9  # thresholds such as 1 - 0.9 are not exact in binary


class Scores(Protocol):
    """What a RubricEval's status and a BlendedFineTune's summary of it have in common."""

    @property
    def overall(self) -> ScopeScore | None: ...
    @property
    def general(self) -> ScopeScore | None: ...
    @property
    def in_domain(self) -> ScopeScore | None: ...
    @property
    def dimensions(self) -> tuple[ScopeScore, ...]: ...
    @property
    def gates(self) -> tuple[GateStatus, ...]: ...
    @property
    def critical_errors(self) -> int | None: ...


def judge(gates: Iterable[Gate], scores: Scores) -> tuple[GateStatus, ...]:
    """The outcome of each gate. Gates may be edited after the evaluation, so only the scores are asked."""
    return tuple(_judge(gate, scores) for gate in gates)


def finding(results: Sequence[GateStatus]) -> Finding:
    """What the condition GatesPassed says."""
    if not results:
        return Finding(
            ConditionType.GATES_PASSED, ConditionStatus.TRUE, Reason.NO_GATES, "the spec declares no gates"
        )
    failed = [gate for gate in results if gate.result is GateResult.FAILED]
    open_ = [gate for gate in results if gate.result is GateResult.INCONCLUSIVE]
    if failed:
        message = "failed: " + "; ".join(map(_describe, failed))
        return Finding(ConditionType.GATES_PASSED, ConditionStatus.FALSE, Reason.GATES_FAILED, message)
    if open_:
        message = "a person must decide, for the questions are too few to tell: " + "; ".join(
            map(_describe, open_)
        )
        return Finding(
            ConditionType.GATES_PASSED, ConditionStatus.UNKNOWN, Reason.GATES_INCONCLUSIVE, message
        )
    message = "passed: " + "; ".join(map(_describe, results))
    return Finding(ConditionType.GATES_PASSED, ConditionStatus.TRUE, Reason.GATES_PASSED, message)


def _judge(gate: Gate, scores: Scores) -> GateStatus:
    scope = _scope(gate.metric, scores)
    if gate.min_score is not None:
        interval = (scope.score, scope.low, scope.high) if scope else (None, None, None)
        return _bound(gate.metric, "minScore", gate.min_score, interval)
    delta = (scope.delta, scope.delta_low, scope.delta_high) if scope else (None, None, None)
    if gate.min_gain is not None:
        return _bound(gate.metric, "minGain", gate.min_gain, delta)
    if gate.max_drop is not None:
        value, low, high = delta
        drop = (_minus(value), _minus(high), _minus(low))
        return _bound(gate.metric, "maxDrop", gate.max_drop, drop, at_most=True)
    return _critical_errors(gate, scores)


def _bound(
    metric: Metric,
    rule: str,
    threshold: float,
    interval: tuple[float | None, float | None, float | None],
    *,
    at_most: bool = False,
) -> GateStatus:
    value, low, high = interval
    result = GateResult.INCONCLUSIVE
    if low is not None and high is not None:
        passed = high <= threshold + _TOLERANCE if at_most else low >= threshold - _TOLERANCE
        failed = low > threshold + _TOLERANCE if at_most else high < threshold - _TOLERANCE
        result = GateResult.PASSED if passed else GateResult.FAILED if failed else GateResult.INCONCLUSIVE
    return GateStatus(
        metric=metric, rule=rule, threshold=threshold, result=result, value=value, low=low, high=high
    )


def _critical_errors(gate: Gate, scores: Scores) -> GateStatus:
    """The evaluation counts critical errors scope by scope; a scope that it did not count stays open."""
    rule, threshold = "maxCriticalErrors", float(gate.max_critical_errors or 0)
    counted = next(
        (known.value for known in scores.gates if known.rule == rule and known.metric is gate.metric), None
    )
    if counted is None and gate.metric is Metric.OVERALL:
        counted = scores.critical_errors
    if counted is None:
        result = GateResult.INCONCLUSIVE
    else:
        result = GateResult.PASSED if counted <= threshold else GateResult.FAILED
    return GateStatus(metric=gate.metric, rule=rule, threshold=threshold, result=result, value=counted)


def _scope(metric: Metric, scores: Scores) -> ScopeScore | None:
    domains = {
        Metric.OVERALL: scores.overall,
        Metric.GENERAL: scores.general,
        Metric.IN_DOMAIN: scores.in_domain,
    }
    if metric in domains:
        return domains[metric]
    return next((dimension for dimension in scores.dimensions if dimension.name == metric), None)


def _minus(value: float | None) -> float | None:
    return None if value is None else -value


def _describe(gate: GateStatus) -> str:
    value = "not measured" if gate.value is None else f"{gate.value:.3g}"
    span = f" [{gate.low:.3g}, {gate.high:.3g}]" if gate.low is not None and gate.high is not None else ""
    return f"{gate.metric} {gate.rule} {gate.threshold:g}: {value}{span}"
