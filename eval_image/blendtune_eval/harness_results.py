"""Reads what lm-evaluation-harness measured from its results."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import isclose, isfinite
from typing import Any

import numpy as np

from blendtune_core.benchmark_scores import Measured

_UNFILTERED = "none"


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
        lower_is_better=outcome.get("higher_is_better", {}).get(name, {}).get(metric) is False,
    )


def _scores(values: Mapping[str, Any]) -> Iterator[tuple[tuple[str, str], float]]:
    """Each (metric, filter) with its value, in the harness's order."""
    for key, value in values.items():
        metric, comma, filtered = key.partition(",")
        if comma and not metric.endswith("_stderr") and _is_number(value):
            yield (metric, filtered), float(value)


def _samples(
    by_task: Mapping[str, Sequence[Mapping[str, Any]]], metric: str, filtered: str
) -> tuple[float, ...]:
    """The metric's value for each sample, task by task; empty where a sample has no number."""
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
