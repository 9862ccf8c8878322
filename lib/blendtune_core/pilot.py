"""The spread that an earlier evaluation has measured, from which the power of the next is known."""

from __future__ import annotations

from collections.abc import Iterator

from blendtune_api.v1alpha1 import Metric, subject_of
from blendtune_core.asked import critical_of_others, critical_of_scores
from blendtune_core.gates import Scores
from blendtune_core.resolution import Spread, spread_of


def spreads(scores: Scores) -> dict[str, Spread]:
    """By subject, as `GateStatus.subject` has it. Of retention, the text with the widest spread."""
    found: dict[str, Spread] = {}
    for subject, spread in _spreads(scores):
        if spread is not None and (subject not in found or spread.deviation > found[subject].deviation):
            found[subject] = spread
    return found


def _spreads(scores: Scores) -> Iterator[tuple[str, Spread | None]]:
    critical, others = critical_of_scores(scores), critical_of_others(scores)
    scopes = (scores.overall, scores.general, scores.in_domain, *scores.dimensions)
    for scope in scopes:
        if scope is not None and scope.delta_low is not None and scope.delta_high is not None:
            yield scope.name, spread_of(scope.delta_low, scope.delta_high, scope.n, critical)
    for kept in scores.retention:
        yield Metric.RETENTION, spread_of(kept.rise_low, kept.rise_high, kept.rows, others)
    for benchmark in scores.benchmarks:
        if benchmark.delta_low is not None and benchmark.delta_high is not None:
            yield (
                subject_of(Metric.BENCHMARK, benchmark.name),
                spread_of(benchmark.delta_low, benchmark.delta_high, benchmark.n, others),
            )
