"""Grafana's JSON model, as far as the dashboards need it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

Json = dict[str, Any]

COLUMNS = 24  # of Grafana's grid
RUN = "run"  # the label that `by_run` makes
_SCHEMA_VERSION = 39  # Grafana 11
_LONGEST_GAP_MILLISECONDS = 120_000  # that a line bridges: some scrapes that were not answered in time
_DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}


class View(StrEnum):
    """How a panel draws its series. The latest value alone is asked for by all but the first two."""

    TIME_SERIES = "timeseries"
    STATE_TIMELINE = "state-timeline"
    STAT = "stat"
    BAR_GAUGE = "bargauge"
    BAR_CHART = "barchart"
    TABLE = "table"

    @property
    def is_instant(self) -> bool:
        return self not in (View.TIME_SERIES, View.STATE_TIMELINE)

    @property
    def is_tabular(self) -> bool:
        return self in (View.BAR_CHART, View.TABLE)


@dataclass(frozen=True, slots=True)
class Query:
    """`legend` names a series by its labels."""

    expression: str
    legend: str = "{{namespace}}/{{name}}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Panel:
    """`unit` is one of Grafana's, or `suffix:<text>`."""

    title: str
    description: str
    unit: str
    queries: Sequence[Query]
    view: View = View.TIME_SERIES
    width: int = 8
    height: int = 8
    minimum: float | None = None
    maximum: float | None = None
    decimals: int | None = None
    mappings: Sequence[Json] = ()
    coloured: bool = False  # cells from red to green
    thresholds: Sequence[tuple[float | None, str]] = ((None, "green"),)  # colours, each from its value on
    colours: Mapping[str, str] = field(default_factory=dict)  # of the series with these names
    transformations: Sequence[Json] = ()
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Row:
    title: str
    panels: Sequence[Panel]


def by_run(series: str, selector: str, column: str) -> str:
    """A series by one of its labels and by `run`, namespace and name of a run or a study as one label."""
    value = f"max by (namespace, name, {column}) ({series}{{{selector}}})"
    return f'label_join({value}, "{RUN}", "/", "namespace", "name")'


def matrix(column: str) -> Json:
    """One row for each run of `by_run`, one column for each value of another label."""
    options = {"rowField": RUN, "columnField": column, "valueField": "Value"}
    return {"id": "groupingToMatrix", "options": options}


def merged(names: Mapping[str, str], hidden: Sequence[str] = ()) -> list[Json]:
    """One table of all queries, joined by their labels; `names` names their values, by the query's letter."""
    return [
        {"id": "merge", "options": {}},
        {
            "id": "organize",
            "options": {
                "excludeByName": {"Time": True, **dict.fromkeys(hidden, True)},
                "renameByName": {f"Value #{letter}": name for letter, name in names.items()},
            },
        },
    ]


def dashboard(uid: str, title: str, description: str, first_series: str, rows: Sequence[Row]) -> Json:
    """The dashboard. The values of its variables are the labels of `first_series`."""
    return {
        "uid": uid,
        "title": title,
        "description": description,
        "tags": ["blendtune"],
        "schemaVersion": _SCHEMA_VERSION,
        "editable": False,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-24h", "to": "now"},
        "timezone": "browser",
        "templating": {"list": _variables(first_series)},
        "links": [
            {
                "title": "Blendtune", "type": "dashboards", "tags": ["blendtune"], "asDropdown": False,
                "includeVars": True, "keepTime": True,
            }
        ],
        "panels": _layout(rows),
    }  # fmt: skip


def _variables(series: str) -> list[Json]:
    def labels(name: str, selector: str) -> Json:
        query = f"label_values({series}{selector}, {name})"
        return {
            "name": name, "label": name.capitalize(), "type": "query", "datasource": _DATASOURCE,
            "query": {"query": query, "refId": name}, "definition": query, "refresh": 2, "sort": 1,
            "multi": True, "includeAll": True, "allValue": ".+",
            "current": {"text": "All", "value": "$__all"},
        }  # fmt: skip

    datasource = {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus"}
    return [datasource, labels("namespace", ""), labels("name", '{namespace=~"$namespace"}')]


def _layout(rows: Sequence[Row]) -> list[Json]:
    """Panels from left to right, in lines as high as their highest panel."""
    panels: list[Json] = []
    top = 0
    for row in rows:
        panels.append({
            "id": len(panels) + 1, "type": "row", "title": row.title, "collapsed": False, "panels": [],
            "gridPos": {"x": 0, "y": top, "w": COLUMNS, "h": 1},
        })  # fmt: skip
        top += 1
        left = height = 0
        for panel in row.panels:
            if left + panel.width > COLUMNS:
                left, top, height = 0, top + height, 0
            place = {"x": left, "y": top, "w": panel.width, "h": panel.height}
            panels.append(_panel(panel, len(panels) + 1, place))
            left, height = left + panel.width, max(height, panel.height)
        top += height
    return panels


def _panel(panel: Panel, number: int, place: Json) -> Json:
    return {
        "id": number,
        "type": panel.view.value,
        "title": panel.title,
        "description": panel.description,
        "gridPos": place,
        "datasource": _DATASOURCE,
        "targets": [_target(query, index, panel.view) for index, query in enumerate(panel.queries)],
        "fieldConfig": {"defaults": _defaults(panel), "overrides": _overrides(panel)},
        "options": {**_OPTIONS.get(panel.view, {}), **panel.options},
        "transformations": list(panel.transformations),
    }


_OPTIONS: Mapping[View, Json] = {
    View.TIME_SERIES: {
        "legend": {
            "displayMode": "table",
            "placement": "bottom",
            "calcs": ["lastNotNull"],
            "showLegend": True,
        },
        "tooltip": {"mode": "multi", "sort": "desc"},
    },
    View.STATE_TIMELINE: {"legend": {"displayMode": "list", "placement": "bottom", "showLegend": True}},
    View.STAT: {"reduceOptions": {"calcs": ["lastNotNull"]}, "colorMode": "value", "graphMode": "none"},
    View.BAR_GAUGE: {"reduceOptions": {"calcs": ["lastNotNull"]}, "orientation": "horizontal"},
}


def _target(query: Query, index: int, view: View) -> Json:
    return {
        "refId": chr(ord("A") + index),
        "datasource": _DATASOURCE,
        "expr": query.expression,
        "legendFormat": query.legend,
        "format": "table" if view.is_tabular else "time_series",
        "instant": view.is_instant,
        "range": not view.is_instant,
    }


def _overrides(panel: Panel) -> list[Json]:
    """Fixed colours by name; and the first column of a coloured matrix holds names, and stays plain."""
    fixed = {
        name: {"id": "color", "value": {"mode": "fixed", "fixedColor": colour}}
        for name, colour in panel.colours.items()
    }
    plain = {"id": "custom.cellOptions", "value": {"type": "auto"}}
    columns = [
        "{rowField}\\{columnField}".format(**each["options"])
        for each in panel.transformations
        if panel.coloured and each["id"] == "groupingToMatrix"
    ]
    properties = {**fixed, **dict.fromkeys(columns, plain)}
    return [
        {"matcher": {"id": "byName", "options": name}, "properties": [value]}
        for name, value in properties.items()
    ]


def _defaults(panel: Panel) -> Json:
    bounds = {"min": panel.minimum, "max": panel.maximum, "decimals": panel.decimals}
    defaults: Json = {
        "unit": panel.unit,
        **{key: value for key, value in bounds.items() if value is not None},
        "thresholds": {
            "mode": "absolute",
            "steps": [{"value": value, "color": colour} for value, colour in panel.thresholds],
        },
    }
    if not panel.view.is_instant:
        defaults["custom"] = {"spanNulls": _LONGEST_GAP_MILLISECONDS}
    if panel.mappings:
        defaults["mappings"] = list(panel.mappings)
    if panel.coloured:
        defaults["color"] = {"mode": "continuous-RdYlGr"}
        defaults["custom"] = {"cellOptions": {"type": "color-background", "mode": "basic"}}
    return defaults
