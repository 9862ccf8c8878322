"""Where the marks of the report's plots lie, in percent of their box."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10
from typing import Any

_CURVE_POINTS = 400
_DOTTED_POINTS = 20  # more are drawn as a line alone
_TICKS = 4
_NUMBERED = 10  # steps of an axis of whole numbers; more are thinned

Points = Sequence[Sequence[float]]  # pairs


@dataclass(frozen=True, kw_only=True, slots=True)
class Tick:
    label: str
    position: float  # percent of the axis


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    name: str
    points: str  # of a polyline
    dots: tuple[tuple[float, float], ...]
    latest: float  # value at its end


@dataclass(frozen=True, kw_only=True, slots=True)
class Chart:
    """Polylines in a box of 100 by 100, y downwards, and their axes."""

    lines: tuple[Line, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class GatePlot:
    """A measured value with its interval, and the threshold from which on to the right the gate passes."""

    threshold: float  # all in percent of an axis with ticks at its ends and its middle
    value: float
    low: float
    high: float
    ticks: tuple[str, str, str]


def line_chart(series: Mapping[str, Points], top: float | None = None) -> Chart | None:
    """(x, y) pairs by name, each thinned to what a screen shows; None where none has two points.

    x are integers in rising order; the y axis begins at 0 and ends at `top`, or where the values need it.
    """
    drawn = {name: points for name, points in series.items() if len(points) > 1}
    if not drawn:
        return None
    everything = [point for points in drawn.values() for point in points]
    first, last = min(x for x, _ in everything), max(x for x, _ in everything)
    values = _round_values(top or max(y for _, y in everything) or 1.0)
    highest = values[-1]

    def across(x: float) -> float:
        return 100 * (x - first) / (last - first)

    def line(name: str, points: Points) -> Line:
        kept = [points[index] for index in _spread(len(points), _CURVE_POINTS)]
        placed = [(across(x), 100 - 100 * y / highest) for x, y in kept]
        return Line(
            name=name,
            points=" ".join(f"{x:.2f},{y:.2f}" for x, y in placed),
            dots=tuple(placed) if len(placed) <= _DOTTED_POINTS else (),
            latest=points[-1][1],
        )

    return Chart(
        lines=tuple(line(name, points) for name, points in drawn.items()),
        x_ticks=tuple(Tick(label=f"{x:,.0f}", position=across(x)) for x in _whole_numbers(first, last)),
        y_ticks=tuple(Tick(label=f"{value:g}", position=100 - 100 * value / highest) for value in values),
    )


def gate_plot(gate: Mapping[str, Any]) -> GatePlot | None:
    """None where nothing was measured, for counts, for losses, and for benchmarks, which have other scales.

    A drop is drawn as the negative gain that it is: in every plot, better lies to the right.
    """
    measured = gate.get("low"), gate.get("value"), gate.get("high")
    if (
        gate["rule"] in ("maxCriticalErrors", "maxRise")
        or gate.get("metric") == "benchmark"
        or None in measured
    ):
        return None
    low, value, high, threshold = gate["low"], gate["value"], gate["high"], gate["threshold"]
    if gate["rule"] == "maxDrop":
        low, value, high, threshold = -high, -value, -low, -threshold
    is_score = gate["rule"] == "minScore"

    def place(number: float) -> float:
        return 100 * number if is_score else 50 * (number + 1)

    return GatePlot(
        threshold=place(threshold),
        value=place(value),
        low=place(low),
        high=place(high),
        ticks=("0", "0.5", "1") if is_score else ("−1", "0", "+1"),
    )


def _spread(count: int, most: int) -> list[int]:
    """At most `most` indices, evenly spread, first and last among them."""
    if count <= most:
        return list(range(count))
    return [round(index * (count - 1) / (most - 1)) for index in range(most)]


def _whole_numbers(first: float, last: float) -> list[float]:
    """`first`, and round numbers from there to `last`."""
    step = 1 if last - first <= _NUMBERED else _round_step((last - first) / _TICKS, (1, 2, 5, 10))
    rounds = (step * number for number in range(ceil(first / step), floor(last / step) + 1))
    return [first, *(x for x in rounds if x - first >= step / 2)]


def _round_values(high: float) -> list[float]:
    """Round numbers from 0 to at least `high`, about five."""
    step = _round_step(high / _TICKS, (1, 2, 2.5, 5, 10))
    return [index * step for index in range(ceil(high / step - 1e-9) + 1)]


def _round_step(least: float, factors: Sequence[float]) -> float:
    magnitude = 10.0 ** floor(log10(least))
    return next(factor * magnitude for factor in factors if factor * magnitude >= least)
