"""The curves of the report."""

from __future__ import annotations

import pytest

from blendtune_eval.page import loss_curve


@pytest.mark.parametrize("points", [[], [[1, 2.0]]])
def test_no_curve_without_two_points(points: list[list[float]]) -> None:
    assert loss_curve(points) is None


def test_a_curve_spans_its_box() -> None:
    curve = loss_curve([[1, 4.0], [11, 2.0], [21, 0.0]])
    assert curve is not None
    assert curve.points == "0.00,0.00 50.00,50.00 100.00,100.00"
    assert [tick.label for tick in curve.x_ticks] == ["1", "6", "11", "16", "21"]
    assert [tick.label for tick in curve.y_ticks] == ["0", "1", "2", "3", "4"]


@pytest.mark.parametrize("count", [399, 400, 401, 5000])
def test_long_curves_are_thinned_to_their_ends(count: int) -> None:
    curve = loss_curve([[step, 1.0] for step in range(count)])
    assert curve is not None
    pairs = curve.points.split()
    assert len(pairs) == min(count, 400)
    assert pairs[0].startswith("0.00,")
    assert pairs[-1].startswith("100.00,")


@pytest.mark.parametrize("loss", [1e-6, 0.013, 3.7, 8123.0, 0.0])
def test_ticks_reach_the_highest_loss(loss: float) -> None:
    curve = loss_curve([[1, loss], [2, loss / 2]])
    assert curve is not None
    assert float(curve.y_ticks[-1].label) >= loss
    assert 4 <= len(curve.y_ticks) <= 7 or loss == 0
