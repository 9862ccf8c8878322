"""Gates: a threshold passes or fails only when the evidence lies wholly on one side of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from blendtune_api.v1alpha1 import Gate, GateResult, GateStatus, Metric, ScopeScore
from blendtune_eval.analyse import COVERAGE_FLOOR, IN_DOMAIN, OVERALL, Analysis


@dataclass(frozen=True, kw_only=True, slots=True)
class GateFinding:
    status: GateStatus
    reason: str


def evaluate_gates(gates: Sequence[Gate], analysis: Analysis) -> tuple[GateFinding, ...]:
    return tuple(evaluate_gate(gate, analysis) for gate in gates)


def evaluate_gate(gate: Gate, analysis: Analysis) -> GateFinding:
    """Raises ValueError for a gate without a threshold."""
    if gate.max_critical_errors is not None:
        return _critical_errors(gate.metric, gate.max_critical_errors, analysis)
    scope = analysis.scopes[gate.metric]
    measured = _measured(gate, scope)
    if measured.value is None:
        missing = "there is no baseline to compare with" if scope.n else "no question was scored"
        return GateFinding(status=measured, reason=missing)
    if analysis.coverage < COVERAGE_FLOOR:
        return GateFinding(
            status=measured, reason=f"only {analysis.coverage:.0%} of the questions were scored"
        )
    return _decided(measured, upper_bound=gate.max_drop is not None)


def _measured(gate: Gate, scope: ScopeScore) -> GateStatus:
    """What the gate looks at, as yet undecided. A drop is a negative gain, its interval turned round."""

    def status(
        rule: str, threshold: float, value: float | None, low: float | None, high: float | None
    ) -> GateStatus:
        return GateStatus(
            metric=gate.metric,
            rule=rule,
            threshold=threshold,
            result=GateResult.INCONCLUSIVE,
            value=value,
            low=low,
            high=high,
        )

    if gate.min_score is not None:
        return status("minScore", gate.min_score, scope.score, scope.low, scope.high)
    if gate.min_gain is not None:
        return status("minGain", gate.min_gain, scope.delta, scope.delta_low, scope.delta_high)
    if gate.max_drop is not None:
        drop = _negative(scope.delta), _negative(scope.delta_high), _negative(scope.delta_low)
        return status("maxDrop", gate.max_drop, *drop)
    raise ValueError(f"the gate on {gate.metric} has no threshold")


def _decided(measured: GateStatus, *, upper_bound: bool) -> GateFinding:
    value, low, high = measured.value or 0.0, measured.low or 0.0, measured.high or 0.0
    threshold = measured.threshold
    passed = high <= threshold if upper_bound else low >= threshold
    failed = low > threshold if upper_bound else high < threshold
    if passed:
        result, where = GateResult.PASSED, "wholly within the threshold of"
    elif failed:
        result, where = GateResult.FAILED, "wholly beyond the threshold of"
    else:
        result, where = GateResult.INCONCLUSIVE, "on both sides of the threshold of"
    reason = f"{value:.3f}, its 95% interval {low:.3f} to {high:.3f} {where} {threshold:g}"
    return GateFinding(status=replace(measured, result=result), reason=reason)


def _critical_errors(metric: Metric, most: int, analysis: Analysis) -> GateFinding:
    """Counts the metric's questions answered with a critical error. Those unscored may hide more."""
    name = IN_DOMAIN if metric is Metric.BUSINESS_IMPACT else metric.value
    count = analysis.critical_errors.get(name, analysis.critical_errors[OVERALL])
    unscored = analysis.scopes[metric].unscored
    reason = f"{count} questions were answered with a critical error"
    if count > most:
        result = GateResult.FAILED
    elif count + unscored > most:
        result, reason = GateResult.INCONCLUSIVE, f"{reason}, and {unscored} could not be scored"
    else:
        result = GateResult.PASSED
    status = GateStatus(
        metric=metric,
        rule="maxCriticalErrors",
        threshold=most,
        result=result,
        value=count,
        low=count,
        high=count + unscored,
    )
    return GateFinding(status=status, reason=reason)


def _negative(value: float | None) -> float | None:
    return None if value is None else 0.0 - value
