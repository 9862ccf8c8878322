"""Intervals that hold what they promise."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blendtune_core.statistics import (
    RESAMPLES,
    Sample,
    delta_interval,
    holm,
    mean_interval,
    minimum_detectable_effect,
    p_value,
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
    interval, expected = mean_interval(Sample.of(values, [2.0] * 45)), wilson(0.8, 45)
    assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high))


def test_graded_scores_are_surer_than_passes_and_failures() -> None:
    graded = mean_interval(Sample.of([0.4, 0.5, 0.6] * 5, [1.0] * 15))
    passes = wilson(0.5, 15)
    assert passes.low < graded.low < graded.high < passes.high


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("n", [1, 2, 5, 45])
def test_equal_values_are_not_certain(value: float, n: int) -> None:
    level = mean_interval(Sample.of([value] * n, [1.0] * n))
    assert level.high - level.low > 0.5 / (n + 2)
    difference = delta_interval(Sample.of([value] * n, [1.0] * n))
    assert difference.high - difference.low > 0.1 / (n + 2)


def test_a_heavy_question_counts_as_few() -> None:
    values = [1.0, 0.0] * 10
    even = mean_interval(Sample.of(values, [1.0] * 20))
    uneven = mean_interval(Sample.of(values, [20.0, *[1.0] * 19]))
    assert uneven.high - uneven.low > even.high - even.low


def test_equal_input_gives_equal_output() -> None:
    deltas, weights = [0.1, -0.2, 0.5, 0.0], [1.0, 2.0, 1.0, 1.0]
    first = delta_interval(Sample.of(deltas, weights))
    assert delta_interval(Sample.of(deltas, weights)) == first
    assert delta_interval(Sample.of(deltas[::-1], weights[::-1])) == first


def test_strata_that_differ_are_no_uncertainty() -> None:
    """That one domain gained and the other lost is known; it is not the luck of the draw."""
    values, weights = [0.9, 0.8] * 10 + [0.1, 0.2] * 10, [1.0] * 40
    for interval in (mean_interval, delta_interval):
        apart = interval(Sample.of(values, weights, [0] * 20 + [1] * 20))
        mixed = interval(Sample.of(values, weights))
        assert apart.high - apart.low < 0.75 * (mixed.high - mixed.low)


@pytest.mark.parametrize(
    ("deltas", "p_value"),
    [
        pytest.param([0.5] * 5, 2 / 32, id="five questions can never be significant"),
        pytest.param([0.5] * 6, 2 / 64, id="six can"),
        pytest.param([0.3, 0.0, 0.0], 1.0, id="one that moved"),
        pytest.param([0.0] * 4, 1.0, id="none moved"),
        pytest.param([1.0, 2.0, -3.0], 1.0, id="balanced"),
    ],
)
def test_few_signs_are_all_tried(deltas: list[float], p_value: float) -> None:
    assert sign_flip_p_value(Sample.of(deltas, [1.0] * len(deltas))) == p_value


def test_many_signs_are_drawn() -> None:
    assert sign_flip_p_value(Sample.of([0.5] * 20, [1.0] * 20)) < 0.001
    assert sign_flip_p_value(Sample.of([0.5, -0.5] * 10, [1.0] * 20)) > 0.5


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    general=st.lists(st.sampled_from([-1.0, -0.5, 0.0, 1 / 3, 0.5]), min_size=8, max_size=30),
    in_domain=st.lists(st.sampled_from([-0.5, 0.0, 0.25, 0.5, 1.0]), min_size=8, max_size=30),
)
def test_over_strata_the_p_value_is_that_of_the_interval(
    general: list[float], in_domain: list[float]
) -> None:
    deltas, strata = general + in_domain, [0] * len(general) + [1] * len(in_domain)
    sample = Sample.of(deltas, [1.0] * len(deltas), strata)
    interval = delta_interval(sample)
    excludes_zero = interval.low > 0 or interval.high < 0
    found = p_value(sample)
    assert excludes_zero == (found < 0.05) or found == pytest.approx(0.05, abs=1e-3)


def test_within_one_stratum_the_p_value_is_that_of_the_signs() -> None:
    sample = Sample.of([0.5, 0.5, 0.0, -0.25], [1.0] * 4)
    assert p_value(sample) == sign_flip_p_value(sample)


def test_no_drawn_p_value_is_zero() -> None:
    """The signs as observed are one of the patterns, drawn or not."""
    assert sign_flip_p_value(Sample.of([0.5] * 60, [1.0] * 60)) == 1 / (1 + RESAMPLES)


@pytest.mark.parametrize(
    ("p_values", "corrected"),
    [
        pytest.param({"a": 0.01, "b": 0.04}, {"a": 0.02, "b": 0.04}, id="two"),
        pytest.param({"a": 0.03, "b": 0.02}, {"a": 0.04, "b": 0.04}, id="never out of order"),
        pytest.param({"a": 0.9, "b": 0.8}, {"a": 1.0, "b": 1.0}, id="at most one"),
        pytest.param({"a": 0.04}, {"a": 0.04}, id="alone"),
    ],
)
def test_holm(p_values: dict[str, float], corrected: dict[str, float]) -> None:
    assert holm(p_values) == pytest.approx(corrected)


def test_minimum_detectable_effect() -> None:
    sample = Sample.of([0.3, -0.3] * 22 + [0.0], [1.0] * 45)
    assert minimum_detectable_effect(sample) == pytest.approx(0.13, abs=0.003)
    assert minimum_detectable_effect(Sample.of([0.1], [1.0])) > 0.5
