"""Panels with axes: lines over time, states over time, and bars by group."""

from __future__ import annotations

import builtins
import math
import time
from collections.abc import Iterator, Sequence
from itertools import groupby, pairwise

from monitoring.grafana import Json
from monitoring.picture.box import Box
from monitoring.picture.colours import PALETTE, named
from monitoring.picture.series import Range, Series
from monitoring.picture.svg import FAINT, GRID, TEXT, Drawing, fitted, wide
from monitoring.picture.tables import Table
from monitoring.picture.units import shown

_LINE = 15  # height of a line of the legend
_LEGEND_LINES = 4
_SIZE = 11


def lines(drawing: Drawing, box: Box, panel: Json, series: Sequence[Series], range: Range) -> None:
    """A line for each series, and under them the legend with the last values."""
    defaults = panel["fieldConfig"]["defaults"]
    unit, decimals = defaults["unit"], defaults.get("decimals")
    gap = defaults["custom"]["spanNulls"] / 1000
    columns = 2 if box.width > 300 and len(series) > 1 else 1
    shown_lines = min(_LEGEND_LINES, math.ceil(len(series) / columns))
    values = [value for each in series for _, value in each.points]
    ticks = _ticks(defaults.get("min", min(values)), defaults.get("max", max(values)))
    labels = [shown(tick, unit) for tick in ticks]
    plot = box.inner(
        left=max(wide(label, _SIZE) for label in labels) + 8, right=4, bottom=shown_lines * _LINE + 24, top=4
    )
    for tick, label in zip(ticks, labels, strict=True):
        y = plot.up((tick - ticks[0]) / (ticks[-1] - ticks[0]))
        drawing.path([(plot.x, y), (plot.right, y)], GRID, 1)
        drawing.text(plot.x - 6, y + 4, label, size=_SIZE, fill=FAINT, anchor="end")
    _times(drawing, plot, range)
    for number, each in enumerate(series):
        colour = PALETTE[number % len(PALETTE)]
        for piece in _pieces(each.points, gap):
            points = [
                (
                    plot.along((at - range.begin) / (range.end - range.begin)),
                    plot.up((value - ticks[0]) / (ticks[-1] - ticks[0])),
                )
                for at, value in piece
            ]
            if len(points) == 1:
                drawing.dot(*points[0], colour)
            else:
                drawing.path(points, colour)
    _legend_of_lines(drawing, box, series, columns, shown_lines, unit, decimals)


def _legend_of_lines(
    drawing: Drawing, box: Box, series: Sequence[Series], columns: int, lines: int, unit: str,
    decimals: int | None,
) -> None:  # fmt: skip
    room = lines * columns
    listed = series if len(series) <= room else series[: room - 1]
    width = (box.width - (columns - 1) * 16) / columns
    for number, each in enumerate(listed):
        x = box.x + number % columns * (width + 16)
        y = box.bottom - (lines - 1 - number // columns) * _LINE - 3
        value = shown(each.last, unit, decimals)
        drawing.rect(x, y - 5, 12, 3, PALETTE[number % len(PALETTE)])
        room_for_name = width - 20 - wide(value, _SIZE) - 6
        drawing.text(x + 18, y, fitted(each.name, room_for_name, _SIZE), size=_SIZE)
        drawing.text(x + width, y, value, size=_SIZE, fill=FAINT, anchor="end")
    if len(listed) < len(series):
        text = f"and {len(series) - len(listed)} more"
        drawing.text(box.right, box.bottom - 3, text, size=_SIZE, fill=FAINT, anchor="end")


def timeline(drawing: Drawing, box: Box, panel: Json, series: Sequence[Series], range: Range) -> None:
    """A band for each series, coloured by the text that its value is mapped to; that stands below."""
    mapped = {
        float(value): (each["text"], named(each["color"]))
        for mapping in panel["fieldConfig"]["defaults"]["mappings"]
        for value, each in mapping["options"].items()
    }
    gap = panel["fieldConfig"]["defaults"]["custom"]["spanNulls"] / 1000
    plot = box.inner(left=max(wide(each.name) for each in series) + 10, right=4, bottom=44, top=0)
    pitch = plot.height / len(series)
    for number, each in enumerate(series):
        y = plot.y + number * pitch
        drawing.text(plot.x - 8, y + pitch / 2 + 4, each.name, anchor="end")
        for piece in _pieces(each.points, gap):
            piece.append((piece[-1][0] + range.step, math.nan))
            bands = [next(points) for _, points in groupby(piece, key=lambda point: point[1])]
            for (begin, value), (end, _) in pairwise(bands):
                left, right = (
                    plot.along(min(1, (at - range.begin) / (range.end - range.begin))) for at in (begin, end)
                )
                drawing.rect(left, y + 2, right - left, min(pitch - 4, 26), mapped[value][1])
    _times(drawing, plot, range)
    seen = {value for each in series for _, value in each.points}
    _legend(drawing, box, [mapped[value] for value in mapped if value in seen])


def bars(drawing: Drawing, box: Box, panel: Json, table: Table) -> None:
    """A group of bars for each row, a bar for each column of numbers."""
    defaults = panel["fieldConfig"]["defaults"]
    unit, decimals = defaults["unit"], defaults.get("decimals")
    names = [str(row[0]) for row in table.rows]
    values = [value for row in table.rows for value in row[1:] if isinstance(value, float)]
    ticks = _ticks(defaults.get("min", min(0.0, *values)), defaults.get("max", max(0.0, *values)))
    labels = [shown(tick, unit) for tick in ticks]
    longest = max(wide(name, _SIZE) for name in names)
    is_turned = longest > (box.width - 60) / len(names) - 8
    plot = box.inner(
        left=max(wide(label, _SIZE) for label in labels) + 8, right=4, top=14,
        bottom=24 + (min(longest, 130) * 0.45 + 10 if is_turned else 18),
    )  # fmt: skip
    scale = ticks[-1] - ticks[0]
    for tick, label in zip(ticks, labels, strict=True):
        y = plot.up((tick - ticks[0]) / scale)
        drawing.path([(plot.x, y), (plot.right, y)], FAINT if tick == 0 else GRID, 1)
        drawing.text(plot.x - 6, y + 4, label, size=_SIZE, fill=FAINT, anchor="end")
    group = plot.width / len(names)
    bar = min(group * 0.8 / (len(table.columns) - 1), 46)
    for number, row in enumerate(table.rows):
        middle = plot.x + (number + 0.5) * group
        left = middle - bar * (len(row) - 1) / 2
        for column, value in enumerate(row[1:]):
            if not isinstance(value, float):
                continue
            x = left + column * bar
            ends = sorted((plot.up(-ticks[0] / scale), plot.up((value - ticks[0]) / scale)))
            drawing.rect(x + 1, ends[0], bar - 2, max(ends[1] - ends[0], 1), PALETTE[column])
            text = shown(value, unit, decimals)
            if wide(text, 10) <= bar + 6:
                y = ends[0] - 3 if value >= 0 else ends[1] + 10
                drawing.text(x + bar / 2, y, text, size=10, fill=TEXT, anchor="middle")
        if is_turned:
            name = fitted(names[number], 130, _SIZE)
            drawing.text(middle + 6, plot.bottom + 14, name, size=_SIZE, fill=FAINT, anchor="end", turn=-24)
        else:
            drawing.text(middle, plot.bottom + 15, names[number], size=_SIZE, fill=FAINT, anchor="middle")
    _legend(drawing, box, list(zip(table.columns[1:], PALETTE, strict=False)))


def _legend(drawing: Drawing, box: Box, entries: Sequence[tuple[str, str]]) -> None:
    x = box.x
    for text, colour in entries:
        drawing.rect(x, box.bottom - 9, 12, 4, colour)
        drawing.text(x + 17, box.bottom - 3, text, size=_SIZE)
        x += 17 + wide(text, _SIZE) + 16


def _times(drawing: Drawing, plot: Box, range: Range) -> None:
    """Four or so full minutes, or multiples of them, below the plot."""
    length = range.end - range.begin
    pitch = next(
        (
            size
            for size in (15, 30, 60, 120, 300, 600, 1800, 3600, 10800, 21600)
            if length / size <= plot.width / 70
        ),
        86400,
    )
    at = math.ceil(range.begin / pitch) * pitch
    while at < range.end:
        text = time.strftime("%H:%M:%S" if pitch < 60 else "%H:%M", time.gmtime(at))
        x = plot.along((at - range.begin) / length)
        if plot.x + 12 < x < plot.right - 12:
            drawing.text(x, plot.bottom + 16, text, size=_SIZE, fill=FAINT, anchor="middle")
        at += pitch


def _pieces(points: Sequence[tuple[float, float]], gap: float) -> Iterator[list[tuple[float, float]]]:
    """The points in runs that no longer gap than that, in seconds, interrupts."""
    piece: list[tuple[float, float]] = []
    for point in points:
        if piece and point[0] - piece[-1][0] > gap:
            yield piece
            piece = []
        piece.append(point)
    if piece:
        yield piece


def _ticks(low: float, high: float) -> list[float]:
    """Four or so round numbers that enclose the range."""
    if high <= low:
        low, high = (0.0, low) if low > 0 else (low, low + 1)
    rough = (high - low) / 4
    size = 10.0 ** math.floor(math.log10(rough))
    pitch = next(size * factor for factor in (1, 2, 2.5, 5, 10) if size * factor >= rough * 0.999)
    first, last = math.floor(low / pitch + 1e-9), math.ceil(high / pitch - 1e-9)
    return [number * pitch for number in builtins.range(first, last + 1)]
