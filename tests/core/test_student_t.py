"""Student's t against the printed tables."""

from __future__ import annotations

import pytest

from blendtune_core.student_t import quantile, two_sided


@pytest.mark.parametrize(
    ("probability", "freedom", "value"),
    [
        (0.975, 1, 12.706),
        (0.975, 2, 4.303),
        (0.975, 22, 2.074),
        (0.99, 3, 4.541),
        (0.995, 5, 4.032),
        (0.95, 10, 1.812),
        (0.975, 1e9, 1.960),
    ],
)
def test_quantiles_are_those_of_the_tables(probability: float, freedom: float, value: float) -> None:
    assert quantile(probability, freedom) == pytest.approx(value, abs=2e-3)


@pytest.mark.parametrize(
    ("t", "freedom", "p_value"), [(12.706, 1, 0.05), (-2.074, 22, 0.05), (1.812, 10, 0.1)]
)
def test_two_sided_probabilities_are_those_of_the_tables(t: float, freedom: float, p_value: float) -> None:
    assert two_sided(t, freedom) == pytest.approx(p_value, abs=1e-4)


@pytest.mark.parametrize("freedom", [1, 7.5, 40, 1e9])
def test_a_quantile_leaves_its_share_on_both_sides(freedom: float) -> None:
    assert two_sided(quantile(0.99, freedom), freedom) == pytest.approx(0.02, abs=1e-5)
    assert two_sided(0.0, freedom) == pytest.approx(1.0)


def test_no_degree_of_freedom_is_refused() -> None:
    with pytest.raises(ValueError, match="degree of freedom"):
        quantile(0.95, 0.5)
