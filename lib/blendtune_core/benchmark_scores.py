"""The score of a benchmark, beside a baseline's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import hypot, sqrt

import numpy as np

from blendtune_api.v1alpha1 import BenchmarkScore
from blendtune_core import student_t
from blendtune_core.power import LEVEL, critical_value
from blendtune_core.statistics import Interval, Sample, delta_interval

_LONGEST = 255  # characters of BenchmarkScore.also


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """One model's result on a benchmark: the first metric, which counts, and all of them for the report.

    `samples` holds the metric's value for each sample where the score is their mean; else it is empty.
    """

    metric: str
    score: float
    standard_error: float | None
    n: int  # samples
    samples: Sequence[float] = ()
    metrics: Mapping[str, float] = field(default_factory=dict)
    lower_is_better: bool = False


def benchmark_score(
    name: str, model: Measured, baseline: Measured | None, *, compared: bool, level: float = LEVEL
) -> BenchmarkScore:
    """The model's score and its difference from the baseline's; no difference unless `compared`.

    `level` is that of the difference's interval.
    """
    score = BenchmarkScore(
        name=name,
        metric=model.metric,
        score=model.score,
        standard_error=model.standard_error,
        n=model.n,
        lower_is_better=model.lower_is_better or None,
        also=_by_other_filters(model, baseline),
    )
    if baseline is None:
        return score
    score = replace(score, baseline_score=baseline.score, baseline_standard_error=baseline.standard_error)
    if not compared:
        return score
    delta = model.score - baseline.score
    interval = _interval(delta, model, baseline, level)
    if interval is None:
        return replace(score, delta=delta)
    return replace(score, delta=delta, delta_low=interval.low, delta_high=interval.high)


def _by_other_filters(model: Measured, baseline: Measured | None) -> str:
    """What the first metric is by each other filter, which may read answers that the first one does not."""
    metric = model.metric.partition(" (")[0]
    told = [
        f"{name} {score:.4g}{_beside(name, baseline)}"
        for name, score in model.metrics.items()
        if name != model.metric and name.partition(" (")[0] == metric
    ]
    return "; ".join(told)[:_LONGEST]


def _beside(name: str, baseline: Measured | None) -> str:
    score = baseline.metrics.get(name) if baseline is not None else None
    return "" if score is None else f", base {score:.4g}"


def _interval(delta: float, model: Measured, baseline: Measured, level: float) -> Interval | None:
    """The difference's interval; None where a standard error is not known.

    Where both have a value for each sample it is paired: that of the rubric's differences if the values lie
    in [0, 1], else t times the standard error of the differences. Otherwise it comes from the standard errors
    of the two scores as if they were independent: too wide rather than too narrow.
    """
    if len(model.samples) > 1 and len(model.samples) == len(baseline.samples):
        deltas = np.subtract(model.samples, baseline.samples)
        if _is_share(model.samples) and _is_share(baseline.samples):
            return delta_interval(Sample.of(deltas.tolist(), [1.0] * len(deltas)), level)
        standard_error = float(np.std(deltas, ddof=1)) / sqrt(len(deltas))
        margin = student_t.quantile((1 + level) / 2, len(deltas) - 1) * standard_error
    elif model.standard_error is None or baseline.standard_error is None:
        return None
    else:
        margin = critical_value(level) * hypot(model.standard_error, baseline.standard_error)
    return Interval(delta - margin, delta + margin)


def _is_share(values: Sequence[float]) -> bool:
    return min(values) >= 0.0 and max(values) <= 1.0
