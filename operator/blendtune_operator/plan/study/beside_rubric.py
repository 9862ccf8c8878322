"""What a study bounds beside the scores of the rubric: retention, and a benchmark."""

from __future__ import annotations

from collections.abc import Iterator

from blendtune_api.blend_study import Bound, StudyScore
from blendtune_api.v1alpha1 import EvaluationSummary, Metric


def beside_the_rubric(bound: Bound, summary: EvaluationSummary) -> Iterator[StudyScore]:
    """The change of the bounded metric, more being better; nothing where it was not measured."""
    yield from _retention(summary) if bound.metric is Metric.RETENTION else _benchmark(bound, summary)


def _retention(summary: EvaluationSummary) -> Iterator[StudyScore]:
    """By the text that was kept worst, as a gate on retention."""
    worst = max(summary.retention, key=lambda score: score.rise_high, default=None)
    if worst is not None:
        yield StudyScore(
            name=Metric.RETENTION,
            delta=0.0 - worst.rise,
            delta_low=0.0 - worst.rise_high,
            delta_high=0.0 - worst.rise_low,
        )


def _benchmark(bound: Bound, summary: EvaluationSummary) -> Iterator[StudyScore]:
    found = next((score for score in summary.benchmarks if score.name == bound.name), None)
    if found is None or found.gain is None:
        return
    delta, low, high = found.gain
    yield StudyScore(name=Metric.BENCHMARK, delta=delta, delta_low=low, delta_high=high)
