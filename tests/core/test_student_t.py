"""Student's t against the printed tables."""

from __future__ import annotations

import pytest

from blendtune_core.student_t import quantile


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


def test_no_degree_of_freedom_is_refused() -> None:
    with pytest.raises(ValueError, match="degree of freedom"):
        quantile(0.95, 0.5)
