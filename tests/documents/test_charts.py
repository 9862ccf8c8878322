"""Where the marks of the report's plots lie."""

from __future__ import annotations

from typing import Any

import pytest

from blendtune_documents.charts import GatePlot, gate_plot, line_chart


@pytest.mark.parametrize("points", [[], [[1, 2.0]]])
def test_no_chart_without_two_points(points: list[list[float]]) -> None:
    assert line_chart({"training": points}) is None


def test_a_chart_spans_its_box() -> None:
    chart = line_chart({"training": [[1, 4.0], [11, 2.0], [21, 0.0]]})
    assert chart is not None
    assert chart.lines[0].points == "0.00,0.00 50.00,50.00 100.00,100.00"
    assert [tick.label for tick in chart.x_ticks] == ["1", "5", "10", "15", "20"]
    assert [tick.label for tick in chart.y_ticks] == ["0", "1", "2", "3", "4"]


@pytest.mark.parametrize(
    ("first", "last"), [(1, 2), (1, 8), (0, 10), (1, 12), (1, 100), (999, 1001), (7, 52_340), (10, 30)]
)
def test_the_numbers_below_a_chart_stand_where_they_say(first: int, last: int) -> None:
    chart = line_chart({"training": [[first, 2.0], [last, 1.0]]})
    assert chart is not None
    numbers = [int(tick.label.replace(",", "")) for tick in chart.x_ticks]
    assert numbers[0] == first
    assert 2 <= len(set(numbers)) == len(numbers) <= 11
    for number, tick in zip(numbers, chart.x_ticks, strict=True):
        assert tick.position == pytest.approx(100 * (number - first) / (last - first))
        assert 0 <= tick.position <= 100


def test_the_top_of_a_chart_may_be_given() -> None:
    chart = line_chart({"general": [[1, 0.2], [2, 0.25]]}, top=1.0)
    assert chart is not None
    assert chart.lines[0].points == "0.00,80.00 100.00,75.00"
    assert chart.lines[0].dots == ((0, 80), (100, 75))


def test_a_long_line_has_no_dots() -> None:
    chart = line_chart({"training": [[step, 1.0] for step in range(21)]})
    assert chart is not None
    assert chart.lines[0].dots == ()


GATE = {"rule": "minGain", "threshold": 0.2, "value": 0.5, "low": 0.4, "high": 0.75}


@pytest.mark.parametrize(
    ("change", "plot"),
    [
        pytest.param(
            {}, GatePlot(threshold=60, value=75, low=70, high=87.5, ticks=("−1", "0", "+1")), id="gain"
        ),
        pytest.param(
            {"rule": "minScore"},
            GatePlot(threshold=20, value=50, low=40, high=75, ticks=("0", "0.5", "1")),
            id="score",
        ),
        pytest.param(
            {"rule": "maxDrop"},
            GatePlot(threshold=40, value=25, low=12.5, high=30, ticks=("−1", "0", "+1")),
            id="drop: to the left",
        ),
        pytest.param({"rule": "maxCriticalErrors"}, None, id="count"),
        pytest.param({"value": None}, None, id="not measured"),
    ],
)
def test_what_passes_lies_to_the_right_of_the_threshold(change: Any, plot: GatePlot | None) -> None:
    assert gate_plot(GATE | change) == plot


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
