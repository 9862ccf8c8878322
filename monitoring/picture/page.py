"""A whole dashboard: its panels in their places, drawn of what a Prometheus answers."""

from __future__ import annotations

import time

from monitoring.grafana import COLUMNS, Json, View
from monitoring.picture import charts, panels
from monitoring.picture.box import Box
from monitoring.picture.series import Range, Series, series_of
from monitoring.picture.svg import BORDER, FAINT, SURFACE, Drawing
from monitoring.picture.tables import table_of

_WIDTH, _PITCH, _GAP, _TOP, _FOOT = 1200, 32, 8, 70, 34
_COLUMN = (_WIDTH - 2 * _GAP) / COLUMNS
EMPTY = "No data"


def draw(dashboard: Json, address: str, range: Range) -> str:
    """The dashboard as SVG, over that time, of the Prometheus at `address` (host and port)."""
    drawing = Drawing()
    drawing.text(_GAP * 2, 32, dashboard["title"], size=20, bold=True)
    drawing.text(_GAP * 2, 54, dashboard["description"], size=13, fill=FAINT)
    drawing.text(_WIDTH - _GAP * 2, 32, "Namespace  All     Name  All", size=13, anchor="end")
    drawing.text(_WIDTH - _GAP * 2, 54, _shown_times(range), size=13, fill=FAINT, anchor="end")
    for panel in dashboard["panels"]:
        if panel["type"] == "row":
            y = _TOP + panel["gridPos"]["y"] * _PITCH
            drawing.text(_GAP * 2, y + 21, f"▾  {panel['title']}", size=15, bold=True)
        else:
            _panel(drawing, panel, series_of(panel, address, range), range)
    height = _TOP + max(each["gridPos"]["y"] + each["gridPos"]["h"] for each in dashboard["panels"]) * _PITCH
    note = "Drawn by Blendtune, not by Grafana: of the dashboard's own queries, answered by a Prometheus."
    drawing.text(_GAP * 2, height + 20, note, fill=FAINT)
    return drawing.finished(_WIDTH, height + _FOOT, dashboard["title"])


def _panel(drawing: Drawing, panel: Json, series: list[Series], range: Range) -> None:
    place = panel["gridPos"]
    frame = Box(
        _GAP + place["x"] * _COLUMN + _GAP / 2, _TOP + place["y"] * _PITCH,
        place["w"] * _COLUMN - _GAP, place["h"] * _PITCH - _GAP,
    )  # fmt: skip
    drawing.rect(frame.x, frame.y, frame.width, frame.height, SURFACE, line=BORDER)
    drawing.text(frame.x + 12, frame.y + 21, panel["title"], size=13, bold=True)
    box = frame.inner(left=12, right=12, top=34, bottom=10)
    if not series:
        drawing.text(
            box.x + box.width / 2, box.y + box.height / 2, EMPTY, size=14, fill=FAINT, anchor="middle"
        )
        return
    match View(panel["type"]):
        case View.TIME_SERIES:
            charts.lines(drawing, box, panel, series, range)
        case View.STATE_TIMELINE:
            charts.timeline(drawing, box, panel, series, range)
        case View.STAT:
            panels.values(drawing, box, panel, series)
        case View.BAR_GAUGE:
            panels.bars(drawing, box, panel, series)
        case View.BAR_CHART:
            charts.bars(drawing, box, panel, table_of(panel, series))
        case View.TABLE:
            panels.table(drawing, box, panel, table_of(panel, series))


def _shown_times(range: Range) -> str:
    begin, end = (time.strftime("%H:%M:%S", time.gmtime(at)) for at in (range.begin, range.end))
    return f"{begin} to {end} UTC"
