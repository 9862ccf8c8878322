"""From what lm-evaluation-harness measured to the scores of benchmarks, beside a baseline's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import hypot, isclose, isfinite, sqrt
from typing import Any

import numpy as np

from blendtune_api.v1alpha1 import BenchmarkScore
from blendtune_core import student_t
from blendtune_core.power import UPPER_END, Z

_UNFILTERED = "none"


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """One model's result: its first metric, which counts, and all of them for the report.

    `samples` has the metric's value by sample, where the score is their mean; else nothing.
    """

    metric: str
    score: float
    standard_error: float | None
    n: int
    samples: Sequence[float] = ()
    metrics: Mapping[str, float] = field(default_factory=dict)


def measured(name: str, outcome: Mapping[str, Any]) -> Measured | None:
    """The result of a task or group in the harness's results; None where it has no score of its own."""
    values: Mapping[str, Any] = outcome["results"].get(name) or outcome.get("groups", {}).get(name) or {}
    scores = dict(_scores(values))
    if not scores:
        return None
    (metric, filtered), score = next(iter(scores.items()))
    samples = _samples(outcome["samples"], metric, filtered)
    error: Any = values.get(f"{metric}_stderr,{filtered}")
    is_mean = bool(samples) and isclose(sum(samples) / len(samples), score, rel_tol=1e-9, abs_tol=1e-12)
    return Measured(
        metric=_title(metric, filtered),
        score=score,
        standard_error=float(error) if _is_number(error) else None,
        n=sum(len({each["doc_id"] for each in task}) for task in outcome["samples"].values()),
        samples=samples if is_mean else (),
        metrics={_title(*key): value for key, value in scores.items()},
    )


def benchmark_score(
    name: str, model: Measured, baseline: Measured | None, *, compared: bool
) -> BenchmarkScore:
    """Without `compared` the baseline has its score, but there is no difference."""
    score = BenchmarkScore(
        name=name, metric=model.metric, score=model.score, standard_error=model.standard_error, n=model.n
    )
    if baseline is None:
        return score
    score = replace(score, baseline_score=baseline.score, baseline_standard_error=baseline.standard_error)
    if not compared:
        return score
    delta = model.score - baseline.score
    margin = _margin(model, baseline)
    if margin is None:
        return replace(score, delta=delta)
    return replace(score, delta=delta, delta_low=delta - margin, delta_high=delta + margin)


def _margin(model: Measured, baseline: Measured) -> float | None:
    """Half of the 95% interval of the difference.

    From the differences by sample where both have them: t times their standard error, with two samples added
    that moved half a point, one either way, as in `statistics.delta_interval`. Else from the standard errors
    of the two scores, as if they were independent, which is too wide rather than too narrow.
    """
    if model.samples and len(model.samples) == len(baseline.samples):
        deltas = np.append(np.subtract(model.samples, baseline.samples), [0.5, -0.5])
        standard_error = np.std(deltas, ddof=1) / sqrt(len(deltas))
        return float(student_t.quantile(UPPER_END, len(deltas) - 1) * standard_error)
    if model.standard_error is None or baseline.standard_error is None:
        return None
    return Z * hypot(model.standard_error, baseline.standard_error)


def _scores(values: Mapping[str, Any]) -> Iterator[tuple[tuple[str, str], float]]:
    """The metrics with their filters, in the harness's order."""
    for key, value in values.items():
        metric, comma, filtered = key.partition(",")
        if comma and not metric.endswith("_stderr") and _is_number(value):
            yield (metric, filtered), float(value)


def _samples(
    by_task: Mapping[str, Sequence[Mapping[str, Any]]], metric: str, filtered: str
) -> tuple[float, ...]:
    """Task by task; nothing where one has no number."""
    values: list[Any] = [
        sample.get(metric)
        for task in by_task.values()
        for sample in sorted(task, key=lambda sample: int(sample["doc_id"]))
        if sample["filter"] == filtered
    ]
    return tuple(float(value) for value in values) if all(map(_is_number, values)) else ()


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | np.number) and isfinite(value)


def _title(metric: str, filtered: str) -> str:
    return metric if filtered == _UNFILTERED else f"{metric} ({filtered})"
