"""Gates on what is measured beside the rubric, retention and benchmarks, each judged by a paired interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from blendtune_api.v1alpha1 import BenchmarkScore, Gate, GateResult, GateStatus, Metric, RetentionScore

TOLERANCE = 1e-9  # thresholds such as 1 - 0.9 are not exact in binary
_WHERE = {
    GateResult.PASSED: "wholly within",
    GateResult.FAILED: "wholly beyond",
    GateResult.INCONCLUSIVE: "on both sides of",
}


def decided(low: float, high: float, least: float) -> GateResult:
    """Passed or failed if the whole interval from `low` to `high` is at least, or below, `least`."""
    if low >= least - TOLERANCE:
        return GateResult.PASSED
    return GateResult.FAILED if high < least - TOLERANCE else GateResult.INCONCLUSIVE


def on_one_side(result: GateResult, low: float, high: float, threshold: float) -> str:
    """The interval beside the threshold, in words."""
    return f"its 95% interval {low:.3f} to {high:.3f} lies {_WHERE[result]} the threshold of {threshold:g}"


def retention_status(most: float, scores: Sequence[RetentionScore], not_compared: str) -> GateStatus:
    """The status of a gate on retention, judged by the text that was kept worst."""
    status = GateStatus(
        metric=Metric.RETENTION, rule="maxRise", threshold=most, result=GateResult.INCONCLUSIVE
    )
    if not scores:
        reason = not_compared or (
            "no text was compared: it needs a baseline, and general questions or held-out general rows"
        )
        return replace(status, message=reason)
    worst = max(scores, key=lambda score: score.rise_high)
    surest = max(scores, key=lambda score: score.rise_low)
    result = decided(-worst.rise_high, -worst.rise_low, -most)
    if decided(-surest.rise_high, -surest.rise_low, -most) is GateResult.FAILED:
        worst, result = surest, GateResult.FAILED
    return replace(
        status,
        result=result,
        value=worst.rise,
        low=worst.rise_low,
        high=worst.rise_high,
        message=(
            f"on {worst.text} the loss rose by {worst.rise:.3f} nats per token, "
            f"{on_one_side(result, worst.rise_low, worst.rise_high, most)}"
        ),
    )


def benchmark_status(gate: Gate, scores: Sequence[BenchmarkScore], not_compared: str) -> GateStatus:
    """The status of a gate on a benchmark's score against the baseline's, on the scale of its metric.

    Of a metric of which less is better, a rise is the drop that is meant.
    """
    name, is_drop = gate.name or "", gate.max_drop is not None
    threshold = (gate.max_drop if is_drop else gate.min_gain) or 0.0
    status = GateStatus(
        metric=Metric.BENCHMARK,
        name=name,
        rule="maxDrop" if is_drop else "minGain",
        threshold=threshold,
        result=GateResult.INCONCLUSIVE,
    )
    score = next((score for score in scores if score.name == name), None)
    if score is None:
        return replace(status, message="its result is not in the status: it was not run, or had no room")
    if score.gain is None:
        return replace(status, message=_why_without_interval(score, not_compared))
    value, low, high = score.gain
    result = decided(low, high, -threshold if is_drop else threshold)
    if is_drop:
        value, low, high = 0.0 - value, 0.0 - high, 0.0 - low
    return replace(
        status,
        result=result,
        value=value,
        low=low,
        high=high,
        message=(
            f"{score.metric} {score.score:.3f}, base {score.baseline_score:.3f}, over {score.n:,} samples: "
            f"{value:.3f}, {on_one_side(result, low, high, threshold)}"
        ),
    )


def _why_without_interval(score: BenchmarkScore, not_compared: str) -> str:
    if score.delta is not None:
        return "the harness gives no standard error and no score for each sample, so there is no interval"
    return not_compared or "there is no baseline to compare with"
