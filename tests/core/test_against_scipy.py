"""What scipy computes too, it computes alike."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from blendtune_core import student_t
from blendtune_core.retention import rise_interval
from blendtune_core.statistics import Sample, delta_interval, sign_flip_p_value, wilson

stats: Any = pytest.importorskip("scipy.stats")
RANDOM = np.random.default_rng(3)
CHANGES = RANDOM.choice([-1.0, -1 / 3, 0.0, 0.0, 1 / 3, 1.0], 300)


@pytest.mark.parametrize("freedom", [1, 2.5, 5, 21, 43.7, 99, 400, 999])
def test_students_t(freedom: float) -> None:
    for probability in (0.9, 0.975, 0.9975):
        found = student_t.quantile(probability, freedom)
        assert found == pytest.approx(stats.t.ppf(probability, freedom), rel=2e-3)
    for t in (0.3, 1.0, 2.5):
        assert student_t.two_sided(t, freedom) == pytest.approx(2 * stats.t.sf(t, freedom), abs=1e-3)


@pytest.mark.parametrize(("right", "asked"), [(0, 22), (1, 22), (11, 22), (36, 45), (300, 300), (997, 1000)])
def test_wilson(right: int, asked: int) -> None:
    found, expected = (
        wilson(right / asked, asked),
        stats.binomtest(right, asked).proportion_ci(method="wilson"),
    )
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_sign_flips() -> None:
    for seed in range(5):
        deltas = np.random.default_rng(seed).choice([-0.5, 0.25, 0.5, 1.0], 11)
        found = sign_flip_p_value(Sample.of(deltas.tolist(), [1.0] * len(deltas)))
        expected = stats.permutation_test(
            (deltas,), np.sum, permutation_type="samples", n_resamples=np.inf, vectorized=False
        )
        assert found == pytest.approx(expected.pvalue, abs=1e-9)


def test_the_interval_of_many_differences_is_students() -> None:
    found = delta_interval(Sample.of(CHANGES.tolist(), [1.0] * len(CHANGES)))
    expected = stats.ttest_1samp(CHANGES, 0.0).confidence_interval()
    width = expected.high - expected.low
    assert found.low == pytest.approx(expected.low, abs=0.03 * width)
    assert found.high == pytest.approx(expected.high, abs=0.03 * width)


def test_the_interval_of_retention_is_that_of_a_bootstrap() -> None:
    rises = RANDOM.gamma(4.0, 0.05, 300)
    found = rise_interval(np.ones(300), rises)
    expected = stats.bootstrap(
        (rises,), np.mean, n_resamples=4000, method="percentile", rng=np.random.default_rng(1)
    ).confidence_interval
    width = expected.high - expected.low
    assert found.low == pytest.approx(expected.low, abs=0.05 * width)
    assert found.high == pytest.approx(expected.high, abs=0.05 * width)
