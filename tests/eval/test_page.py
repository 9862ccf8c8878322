"""The charts of the report."""

from __future__ import annotations

import pytest

from blendtune_eval.report.page import line_chart


@pytest.mark.parametrize("points", [[], [[1, 2.0]]])
def test_no_chart_without_two_points(points: list[list[float]]) -> None:
    assert line_chart({"training": points}) is None


def test_a_chart_spans_its_box() -> None:
    chart = line_chart({"training": [[1, 4.0], [11, 2.0], [21, 0.0]]})
    assert chart is not None
    assert chart.lines[0].points == "0.00,0.00 50.00,50.00 100.00,100.00"
    assert [tick.label for tick in chart.x_ticks] == ["1", "6", "11", "16", "21"]
    assert [tick.label for tick in chart.y_ticks] == ["0", "1", "2", "3", "4"]


@pytest.mark.parametrize("count", [399, 400, 401, 5000])
def test_long_charts_are_thinned_to_their_ends(count: int) -> None:
    chart = line_chart({"training": [[step, 1.0] for step in range(count)]})
    assert chart is not None
    pairs = chart.lines[0].points.split()
    assert len(pairs) == min(count, 400)
    assert pairs[0].startswith("0.00,")
    assert pairs[-1].startswith("100.00,")


@pytest.mark.parametrize("loss", [1e-6, 0.013, 3.7, 8123.0, 0.0])
def test_ticks_reach_the_highest_loss(loss: float) -> None:
    chart = line_chart({"training": [[1, loss], [2, loss / 2]]})
    assert chart is not None
    assert float(chart.y_ticks[-1].label) >= loss
    assert 4 <= len(chart.y_ticks) <= 7 or loss == 0


def test_lines_share_their_axes() -> None:
    chart = line_chart({"shop": [[1, 4.0], [3, 2.0]], "world": [[1, 1.0], [2, 2.0]], "new": [[1, 9.0]]})
    assert chart is not None
    assert {line.name: line.points for line in chart.lines} == {
        "shop": "0.00,0.00 100.00,50.00",
        "world": "0.00,75.00 50.00,50.00",
    }
    assert [tick.label for tick in chart.x_ticks] == ["1", "2", "3"]
