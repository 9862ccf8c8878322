"""Panels without axes: single values, bars beside their values, and tables."""

from __future__ import annotations

import math
from collections.abc import Sequence

from monitoring.grafana import Json
from monitoring.picture.box import Box
from monitoring.picture.colours import from_red_to_green, of_value
from monitoring.picture.series import Series
from monitoring.picture.svg import BACKGROUND, FAINT, GRID, TEXT, Drawing, fitted, wide
from monitoring.picture.tables import Cell, Table
from monitoring.picture.units import shown

_TILE = 118  # least width of a value, in pixels
_TRACK = 90  # least length of a bar
_BAND = 20  # least height of a bar
_ROW = 24  # height of a table's row


def values(drawing: Drawing, box: Box, panel: Json, series: Sequence[Series]) -> None:
    """A tile for each series: its name above its value, or its name alone."""
    defaults = panel["fieldConfig"]["defaults"]
    is_named = panel["options"].get("textMode") == "name"
    needed = max(_TILE, *(wide(each.name, 18) for each in series)) if is_named else _TILE
    columns = min(len(series), max(1, int(box.width / needed)))
    rows = math.ceil(len(series) / columns)
    width, height = box.width / columns, box.height / rows
    size = min(38.0, height * 0.42)
    for number, each in enumerate(series):
        middle = box.x + (number % columns + 0.5) * width
        centre = box.y + (number // columns + 0.5) * height
        text = shown(each.last, defaults["unit"], defaults.get("decimals"))
        fill = of_value(panel, each.name, each.last)
        if is_named:
            name = fitted(each.name, width - 8, 16)
            drawing.text(middle, centre + 6, name, size=16, fill=fill, anchor="middle", bold=True)
            continue
        drawing.text(middle, centre - size * 0.35, fitted(each.name, width - 8), anchor="middle")
        drawing.text(
            middle, centre + size * 0.65, text, size=round(size), fill=fill, anchor="middle", bold=True
        )


def bars(drawing: Drawing, box: Box, panel: Json, series: Sequence[Series]) -> None:
    """A bar for each series between its name and its value."""
    defaults = panel["fieldConfig"]["defaults"]
    room = int(box.height / _BAND)
    listed = series if len(series) <= room else series[: room - 1]
    texts = [shown(each.last, defaults["unit"], defaults.get("decimals")) for each in listed]
    low, high = defaults.get("min", 0), defaults.get("max", max(*(each.last for each in series), 1e-12))
    numbers = max(map(wide, texts)) + 8
    names = min(max(wide(each.name) for each in listed) + 8, box.width - numbers - _TRACK)
    track = box.inner(left=names, right=numbers, top=0, bottom=0)
    pitch = box.height / (len(listed) + (len(listed) < len(series)))
    thick = min(pitch - 5, 24)
    for number, (each, text) in enumerate(zip(listed, texts, strict=True)):
        y = box.y + (number + 0.5) * pitch
        share = min(max((each.last - low) / (high - low), 0), 1)
        fill = of_value(panel, each.name, each.last)
        drawing.text(track.x - 8, y + 4, fitted(each.name, names - 8), anchor="end")
        drawing.rect(track.x, y - thick / 2, track.width, thick, GRID)
        drawing.rect(track.x, y - thick / 2, track.width * share, thick, fill)
        drawing.text(box.right, y + 4, text, fill=fill, anchor="end")
    if len(listed) < len(series):
        drawing.text(box.x, box.bottom - 4, f"and {len(series) - len(listed)} more", fill=FAINT)


def table(drawing: Drawing, box: Box, panel: Json, table: Table) -> None:
    """As many rows as there is room for; cells are coloured where the panel says so."""
    defaults = panel["fieldConfig"]["defaults"]
    plain = {override["matcher"]["options"] for override in panel["fieldConfig"]["overrides"]}
    is_coloured = "custom" in defaults

    def text(cell: Cell) -> str:
        if cell is None:
            return ""
        return cell if isinstance(cell, str) else shown(cell, defaults["unit"], defaults.get("decimals"))

    room = int(box.height / _ROW) - 1
    listed = table.rows if len(table.rows) <= room else table.rows[: room - 1]
    needs = [
        max(wide(each) for each in (name, *(text(row[number]) for row in listed))) + 20
        for number, name in enumerate(table.columns)
    ]
    spare = (box.width - sum(needs)) / len(needs)
    left = box.x
    for number, (name, need) in enumerate(zip(table.columns, needs, strict=True)):
        width = need + spare
        is_number = not any(isinstance(row[number], str) for row in listed)
        x, anchor = (left + width - 10, "end") if is_number else (left + 10, "start")
        drawing.text(x, box.y + 16, fitted(name, width - 12), fill=FAINT, anchor=anchor, bold=True)
        for line, row in enumerate(listed, 1):
            cell, y = row[number], box.y + line * _ROW
            ink = TEXT
            if is_coloured and name not in plain and isinstance(cell, float):
                low, high = defaults["min"], defaults["max"]
                drawing.rect(
                    left + 1, y + 1, width - 2, _ROW - 2, from_red_to_green((cell - low) / (high - low))
                )
                ink = BACKGROUND
            drawing.text(x, y + 16, fitted(text(cell), width - 12), fill=ink, anchor=anchor)
        left += width
    for line in range(1, len(listed) + 1):
        y = box.y + line * _ROW
        drawing.path([(box.x, y), (box.right, y)], GRID, 1)
    if len(listed) < len(table.rows):
        y = box.y + (len(listed) + 1) * _ROW + 16
        drawing.text(box.x + 10, y, f"and {len(table.rows) - len(listed)} more", fill=FAINT)
