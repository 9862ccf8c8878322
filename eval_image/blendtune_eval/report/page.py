"""report.html: one self-contained page; scripts, fonts and images from elsewhere are never asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from math import ceil, floor, log10
from typing import Any

from jinja2 import Environment, StrictUndefined

_TITLES = {
    "overall": "Overall",
    "general": "General",
    "inDomain": "In-domain",
    "reliability": "Reliability",
    "consistency": "Consistency",
    "businessImpact": "Business impact",
    "minScore": "at least",
    "minGain": "gain at least",
    "maxDrop": "drop at most",
    "maxCriticalErrors": "critical errors at most",
    "correct": "correct",
    "wrong": "wrong",
    "notAttempted": "not attempted",
    "ImbalancedBlend": "Imbalanced blend",
}
_CURVE_POINTS = 400
_TICKS = 4

Points = Sequence[Sequence[float]]  # pairs


@dataclass(frozen=True, kw_only=True, slots=True)
class Tick:
    label: str
    position: float  # percent of the axis


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    name: str
    points: str  # of a polyline


@dataclass(frozen=True, kw_only=True, slots=True)
class Chart:
    """Polylines in a box of 100 by 100, y downwards, and their axes."""

    lines: tuple[Line, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]


def render_page(report: Mapping[str, Any]) -> str:
    """The page of a report as `report.build_report` made it."""
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"score": _score, "signed": _signed, "title": _title, "short": _short}
    source = resources.files("blendtune_eval.report") / "report.html"
    template = environment.from_string(source.read_text("utf-8"))
    training = report["training"] or {}
    titles = {category["name"]: category["title"] for category in report["rubric"]["categories"]}
    return template.render(
        report=report,
        scores=report["scores"],
        category_titles=titles,
        paired=len(report["respondents"]) > 1,
        training_loss=line_chart({"training": training.get("loss", [])}),
        epoch_loss=line_chart(_by_epoch(training.get("validationLoss", []))),
        epoch_scores=line_chart(_scores_by_epoch(report["scores"])),
    )


def line_chart(series: Mapping[str, Points]) -> Chart | None:
    """(x, y) pairs by name, each thinned to what a screen shows; None where none has two points.

    x are integers in rising order; the y axis begins at 0.
    """
    drawn = {name: points for name, points in series.items() if len(points) > 1}
    if not drawn:
        return None
    everything = [point for points in drawn.values() for point in points]
    first, last = min(x for x, _ in everything), max(x for x, _ in everything)
    values = _round_values(max(y for _, y in everything) or 1.0)
    top = values[-1]

    def across(x: float) -> float:
        return 100 * (x - first) / (last - first)

    def line(points: Points) -> str:
        kept = (points[index] for index in _spread(len(points), _CURVE_POINTS))
        return " ".join(f"{across(x):.2f},{100 - 100 * y / top:.2f}" for x, y in kept)

    ticks = int(last - first) if last - first <= _TICKS else _TICKS
    steps = [first + (last - first) * index / ticks for index in range(ticks + 1)]
    return Chart(
        lines=tuple(Line(name=name, points=line(points)) for name, points in drawn.items()),
        x_ticks=tuple(Tick(label=f"{x:,.0f}", position=across(x)) for x in steps),
        y_ticks=tuple(Tick(label=f"{value:g}", position=100 - 100 * value / top) for value in values),
    )


def _by_epoch(validation_loss: Sequence[Mapping[str, Any]]) -> dict[str, Points]:
    return {
        source["name"]: [(point["epoch"], point["loss"]) for point in source.get("epochs", [])]
        for source in validation_loss
    }


def _scores_by_epoch(scores: Mapping[str, Any]) -> dict[str, Points]:
    """Those of the earlier epochs, and of the model itself as the epoch after them."""
    earlier = scores.get("epochs", [])
    curves: dict[str, Points] = {}
    for name in ("inDomain", "general"):
        points = [(epoch["epoch"], epoch[name]["score"]) for epoch in earlier if epoch.get(name)]
        if points and (last := scores[name].get("score")) is not None:
            curves[_title(name)] = [*points, (points[-1][0] + 1, last)]
    return curves


def _spread(count: int, most: int) -> list[int]:
    """At most `most` indices, evenly spread, first and last among them."""
    if count <= most:
        return list(range(count))
    return [round(index * (count - 1) / (most - 1)) for index in range(most)]


def _round_values(high: float) -> list[float]:
    """Round numbers from 0 to at least `high`, about five."""
    rough = high / _TICKS
    magnitude = 10.0 ** floor(log10(rough))
    step = next(factor * magnitude for factor in (1, 2, 2.5, 5, 10) if factor * magnitude >= rough)
    return [index * step for index in range(ceil(high / step - 1e-9) + 1)]


def _score(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _signed(value: float | None) -> str:
    if value is None:
        return "–"
    return "0.00" if abs(value) < 0.005 else f"{value:+.2f}".replace("-", "−")


def _title(name: str) -> str:
    return _TITLES.get(name, name)


def _short(digest: str) -> str:
    return digest[:12]
