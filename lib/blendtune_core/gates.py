"""Gates: whether the scores meet the thresholds of a spec. They are judged again whenever a gate is edited.

A gate on a score or a difference passes or fails if the whole 95% interval lies on that side of its threshold
and the unscored questions could not move the value to the other side. Otherwise it is inconclusive.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from blendtune_api.v1alpha1 import (
    AskedQuestions,
    BenchmarkScore,
    ConditionStatus,
    EpochScore,
    Gate,
    GateResult,
    GateStatus,
    InterpolationStatus,
    Metric,
    Reason,
    RetentionScore,
    ScopeScore,
    Verdict,
)
from blendtune_core.compared_gates import (
    TOLERANCE,
    benchmark_status,
    decided,
    on_one_side,
    retention_status,
)
from blendtune_core.verdict import COVERAGE_FLOOR, verdict


class Scores(Protocol):
    """The scores of an evaluation: an EvalResult, a RubricEvalStatus or an EvaluationSummary."""

    @property
    def overall(self) -> ScopeScore | None: ...
    @property
    def general(self) -> ScopeScore | None: ...
    @property
    def in_domain(self) -> ScopeScore | None: ...
    @property
    def dimensions(self) -> tuple[ScopeScore, ...]: ...
    @property
    def retention(self) -> tuple[RetentionScore, ...]: ...
    @property
    def benchmarks(self) -> tuple[BenchmarkScore, ...]: ...
    @property
    def epochs(self) -> tuple[EpochScore, ...]: ...
    @property
    def coverage(self) -> float | None: ...
    @property
    def interpolation(self) -> InterpolationStatus | None: ...
    @property
    def not_compared(self) -> str: ...
    @property
    def asked(self) -> AskedQuestions | None: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class _Measured:
    """A value (larger is better), its interval, and its worst and best case over the unscored questions."""

    value: float | None
    low: float | None
    high: float | None
    worst: float | None
    best: float | None


def judge_gates(gates: Iterable[Gate], scores: Scores) -> tuple[GateStatus, ...]:
    """The outcome of each gate."""
    return tuple(_judge(gate, scores) for gate in gates)


def sum_up(results: Sequence[GateStatus]) -> tuple[ConditionStatus, Reason, str]:
    """Status, reason and message of the condition GatesPassed, over all gates together."""
    if not results:
        return ConditionStatus.TRUE, Reason.NO_GATES, "the spec declares no gates"
    failed = [gate for gate in results if gate.result is GateResult.FAILED]
    open_ = [gate for gate in results if gate.result is GateResult.INCONCLUSIVE]
    if failed:
        return ConditionStatus.FALSE, Reason.GATES_FAILED, f"failed: {_described(failed)}"
    if open_:
        message = f"a person must decide: {_described(open_)}"
        return ConditionStatus.UNKNOWN, Reason.GATES_INCONCLUSIVE, message
    return ConditionStatus.TRUE, Reason.GATES_PASSED, f"passed: {_described(results)}"


def verdict_of(scores: Scores, results: Sequence[GateStatus]) -> Verdict | None:
    """The verdict within the drop that the gates allow; None if the model was not compared."""
    general, in_domain = scores.general, scores.in_domain
    if general is None or in_domain is None or {general.delta, in_domain.delta} == {None}:
        return None
    return verdict(general, in_domain, scores.coverage or 0.0, results)


def scope_of(metric: Metric, scores: Scores) -> ScopeScore | None:
    """The scope that a metric names; None if it was not measured."""
    scopes = (scores.overall, scores.general, scores.in_domain, *scores.dimensions)
    return next((scope for scope in scopes if scope is not None and scope.name == metric), None)


def _judge(gate: Gate, scores: Scores) -> GateStatus:
    if gate.max_rise is not None:
        return retention_status(gate.max_rise, scores.retention, scores.not_compared)
    if gate.metric is Metric.BENCHMARK:
        return benchmark_status(gate, scores.benchmarks, scores.not_compared)
    scope = scope_of(gate.metric, scores) or ScopeScore(name=gate.metric)
    if gate.max_critical_errors is not None:
        return _critical_errors(gate.metric, gate.max_critical_errors, scope)
    if gate.min_score is not None:
        return _bound(gate.metric, "minScore", gate.min_score, _score(scope), scope, scores)
    if gate.min_gain is not None:
        return _bound(gate.metric, "minGain", gate.min_gain, _delta(scope), scope, scores)
    return _bound(gate.metric, "maxDrop", gate.max_drop or 0.0, _delta(scope), scope, scores)


def _bound(
    metric: Metric, rule: str, threshold: float, measured: _Measured, scope: ScopeScore, scores: Scores
) -> GateStatus:
    """The status of a gate on a score or delta. A drop is judged as a negative gain, and shown with its sign
    reversed.
    """
    status = GateStatus(metric=metric, rule=rule, threshold=threshold, result=GateResult.INCONCLUSIVE)
    if measured.value is None or measured.low is None or measured.high is None:
        return replace(status, message=_nothing_measured(scope, scores))
    value, low, high = measured.value, measured.low, measured.high
    bar = threshold
    shown = value, low, high
    if rule == "maxDrop":
        bar = -threshold
        shown = 0.0 - value, 0.0 - high, 0.0 - low
    result = decided(low, high, bar)
    message = f"{shown[0]:.3f}, {on_one_side(result, shown[1], shown[2], threshold)}"
    if scores.coverage is not None and scores.coverage < COVERAGE_FLOOR:
        result = GateResult.INCONCLUSIVE
        message += f", but only {scores.coverage:.0%} of the questions were judged"
    elif _could_turn(result, bar, measured):
        result = GateResult.INCONCLUSIVE
        message += ", but its unscored questions could turn it"
    return replace(status, result=result, value=shown[0], low=shown[1], high=shown[2], message=message)


def _score(scope: ScopeScore) -> _Measured:
    return _Measured(value=scope.score, low=scope.low, high=scope.high, worst=scope.worst, best=scope.best)


def _delta(scope: ScopeScore) -> _Measured:
    return _Measured(
        value=scope.delta,
        low=scope.delta_low,
        high=scope.delta_high,
        worst=scope.delta_worst,
        best=scope.delta_best,
    )


def _could_turn(result: GateResult, bar: float, measured: _Measured) -> bool:
    """Whether the worst or best case of the unscored questions lies on the other side of the threshold."""
    if result is GateResult.PASSED:
        return measured.worst is not None and measured.worst < bar - TOLERANCE
    if result is GateResult.FAILED:
        return measured.best is not None and measured.best >= bar - TOLERANCE
    return False


def _critical_errors(metric: Metric, most: int, scope: ScopeScore) -> GateStatus:
    """The status of a gate on critical errors. Unscored questions count as possible critical errors."""
    count, unscored = scope.critical_errors, scope.unscored
    message = f"{count} of {scope.n + unscored} questions were answered with a critical error"
    if not scope.n and not unscored:
        result, message = GateResult.INCONCLUSIVE, "the rubric has no such question"
    elif count > most:
        result = GateResult.FAILED
    elif count + unscored > most:
        result, message = GateResult.INCONCLUSIVE, f"{message}, and {unscored} could not be scored"
    else:
        result = GateResult.PASSED
    return GateStatus(
        metric=metric,
        rule="maxCriticalErrors",
        threshold=most,
        result=result,
        value=count,
        low=count,
        high=count + unscored,
        message=f"{message}; at most {most} may be",
    )


def _nothing_measured(scope: ScopeScore, scores: Scores) -> str:
    if scope.score is None:
        return "none of its questions was scored" if scope.unscored else "the rubric has no such question"
    if scores.not_compared:
        return scores.not_compared
    if scores.overall is not None and scores.overall.baseline_score is not None:
        return "none of the base model's answers to its questions was scored"
    return "there is no baseline to compare with"


def _described(gates: Iterable[GateStatus]) -> str:
    return "; ".join(f"{gate.subject} {gate.rule}: {gate.message}" for gate in gates)
