"""The difference of two models in a benchmark, and its interval."""

from __future__ import annotations

from dataclasses import replace

import pytest

from blendtune_core.benchmark_scores import Measured, benchmark_score
from blendtune_core.statistics import Sample, delta_interval

MODEL = Measured(metric="acc", score=0.75, standard_error=0.03, n=4, samples=(1, 1, 1, 0))
BASELINE = Measured(metric="acc", score=0.25, standard_error=0.04, n=4, samples=(1, 0, 0, 0))


def test_alone_there_is_no_difference() -> None:
    score = benchmark_score("shop", MODEL, None, compared=True)
    assert (score.score, score.standard_error, score.n) == (0.75, 0.03, 4)
    assert (score.baseline_score, score.delta) == (None, None)


def test_what_may_not_be_compared_has_no_difference() -> None:
    score = benchmark_score("shop", MODEL, BASELINE, compared=False)
    assert (score.baseline_score, score.baseline_standard_error, score.delta) == (0.25, 0.04, None)


def test_the_samples_of_both_give_the_interval() -> None:
    score = benchmark_score("shop", MODEL, BASELINE, compared=True)
    paired = delta_interval(Sample.of([0.0, 1.0, 1.0, 0.0], [1.0] * 4))
    assert (score.delta, score.delta_low, score.delta_high) == (0.5, paired.low, paired.high)


def test_a_metric_on_another_scale_has_the_interval_of_the_mean_difference() -> None:
    """Differences 0, 10, 10, 0: t(0.975, 3 degrees of freedom) is 3.1824."""
    model = replace(MODEL, score=75.0, samples=(100.0, 10.0, 10.0, 0.0))
    baseline = replace(BASELINE, score=70.0, samples=(100.0, 0.0, 0.0, 0.0))
    score = benchmark_score("shop", model, baseline, compared=True)
    margin = 3.1824 * (100 / 3) ** 0.5 / 4**0.5
    assert (score.delta, score.delta_low, score.delta_high) == pytest.approx(
        (5.0, 5.0 - margin, 5.0 + margin), abs=1e-3
    )


def test_without_samples_the_standard_errors_do() -> None:
    score = benchmark_score("shop", replace(MODEL, samples=()), BASELINE, compared=True)
    assert score.delta_high == pytest.approx(0.5 + 1.96 * 0.05, abs=1e-4)


def test_without_a_standard_error_there_is_no_interval() -> None:
    unknown = replace(MODEL, samples=(), standard_error=None)
    score = benchmark_score("shop", unknown, BASELINE, compared=True)
    assert (score.delta, score.delta_low, score.delta_high) == (0.5, None, None)


def test_other_filters_of_the_same_metric_are_told() -> None:
    """gsm8k reads answers strictly and flexibly; a chat model may be right by the second alone."""
    names = ("exact_match (strict-match)", "exact_match (flexible-extract)", "bleu")
    model = replace(MODEL, metric=names[0], metrics=dict(zip(names, (0.0, 1.0, 0.3), strict=True)))
    baseline = replace(BASELINE, metric=names[0], metrics=dict(zip(names, (0.0, 0.25, 0.3), strict=True)))
    assert benchmark_score("gsm", model, None, compared=True).also == "exact_match (flexible-extract) 1"
    score = benchmark_score("gsm", model, baseline, compared=False)
    assert (score.metric, score.also) == (names[0], "exact_match (flexible-extract) 1, base 0.25")
    assert benchmark_score("shop", MODEL, BASELINE, compared=True).also == ""
