"""Intervals that hold what they promise."""

from __future__ import annotations

import numpy as np
import pytest

from blendtune_eval import statistics
from blendtune_eval.statistics import (
    delta_interval,
    mean_interval,
    minimum_detectable_effect,
    sign_flip_p_value,
    wilson,
)


@pytest.mark.parametrize(
    ("rate", "n", "low", "high"),
    [
        pytest.param(36 / 45, 45, 0.66, 0.89, id="36-of-45"),
        pytest.param(5 / 6, 6, 0.44, 0.97, id="5-of-6"),
        pytest.param(0.0, 10, 0.0, 0.28, id="none"),
        pytest.param(1.0, 10, 0.72, 1.0, id="all"),
    ],
)
def test_wilson(rate: float, n: int, low: float, high: float) -> None:
    interval = wilson(rate, n)
    assert interval.low == pytest.approx(low, abs=0.005)
    assert interval.high == pytest.approx(high, abs=0.005)


def test_a_rate_of_equal_weights_has_wilsons_interval() -> None:
    values = [1.0] * 36 + [0.0] * 9
    interval, expected = mean_interval(values, [2.0] * 45), wilson(0.8, 45)
    assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high))


def test_graded_scores_are_surer_than_passes_and_failures() -> None:
    graded = mean_interval([0.4, 0.5, 0.6] * 5, [1.0] * 15)
    passes = wilson(0.5, 15)
    assert passes.low < graded.low < graded.high < passes.high


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("n", [1, 2, 5, 45])
def test_equal_values_are_not_certain(value: float, n: int) -> None:
    level = mean_interval([value] * n, [1.0] * n)
    assert level.high - level.low > 0.5 / (n + 2)
    difference = delta_interval([value] * n, [1.0] * n)
    assert difference.high - difference.low > 0.1 / (n + 2)


def test_a_heavy_question_counts_as_few() -> None:
    values = [1.0, 0.0] * 10
    even = mean_interval(values, [1.0] * 20)
    uneven = mean_interval(values, [20.0, *[1.0] * 19])
    assert uneven.high - uneven.low > even.high - even.low


def test_equal_input_gives_equal_output() -> None:
    deltas, weights = [0.1, -0.2, 0.5, 0.0], [1.0, 2.0, 1.0, 1.0]
    assert delta_interval(deltas, weights) == delta_interval(deltas, weights)
    assert delta_interval(deltas[::-1], weights[::-1]) == delta_interval(deltas, weights)


def test_sign_flips() -> None:
    assert sign_flip_p_value([0.5] * 20, [1.0] * 20) < 0.001
    assert sign_flip_p_value([0.5, -0.5] * 10, [1.0] * 20) > 0.5
    assert sign_flip_p_value([0.5] * 5, [1.0] * 5) > 0.05  # five questions can never be significant


def test_minimum_detectable_effect() -> None:
    deltas = [0.3, -0.3] * 22 + [0.0]
    assert minimum_detectable_effect(deltas) == pytest.approx(0.125, abs=0.003)
    assert minimum_detectable_effect([0.1]) is None


@pytest.mark.parametrize("n", [5, 22, 45])
@pytest.mark.parametrize(
    ("steps", "least"), [pytest.param(1, 0.88, id="passes"), pytest.param(3, 0.92, id="three-wordings")]
)
def test_coverage(n: int, steps: int, least: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """How often the intervals hold the mean of the population that the questions were drawn from."""
    monkeypatch.setattr(statistics, "RESAMPLES", 400)
    random = np.random.default_rng(7)
    trials, level_hits, delta_hits = 250, 0, 0
    for _ in range(trials):
        base = np.round(random.beta(0.8, 0.8, 2000) * steps) / steps
        tuned = np.clip(base + random.integers(-1, 3, 2000) / steps * (random.random(2000) < 0.5), 0, 1)
        drawn = random.integers(0, 2000, n)
        level = mean_interval(list(tuned[drawn]), [1.0] * n)
        difference = delta_interval(list((tuned - base)[drawn]), [1.0] * n)
        level_hits += level.low <= float(np.mean(tuned)) <= level.high
        delta_hits += difference.low <= float(np.mean(tuned - base)) <= difference.high
    assert level_hits / trials >= least
    assert delta_hits / trials >= least
