"""What a Prometheus answers to the queries of a panel, with Grafana's variables filled in."""

from __future__ import annotations

import json
import math
import re
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from monitoring.grafana import Json

_POINTS = 90  # of a line
_RATE_SECONDS = 15
_LEGEND = re.compile(r"{{(\w+)}}")


@dataclass(frozen=True, slots=True)
class Range:
    """From when to when a dashboard is looked at, in seconds since the epoch."""

    begin: float
    end: float

    @property
    def step(self) -> int:
        return max(1, math.ceil((self.end - self.begin) / _POINTS))


@dataclass(frozen=True, slots=True)
class Series:
    """Points are (seconds since the epoch, value): one of an instant query. `letter` is that of the query."""

    name: str
    letter: str
    labels: Mapping[str, str]
    points: Sequence[tuple[float, float]]

    @property
    def last(self) -> float:
        return self.points[-1][1]


def series_of(panel: Json, address: str, range: Range) -> list[Series]:
    """The series of all queries of a panel, in the order in which Grafana lists them."""
    return [each for target in panel["targets"] for each in _answered(target, address, range)]


def _answered(target: Json, address: str, range: Range) -> list[Series]:
    query: dict[str, Any] = {"query": _filled_in(target["expr"], range)}
    if target["instant"]:
        path, query["time"] = "query", range.end
    else:
        path, query["start"], query["end"], query["step"] = "query_range", range.begin, range.end, range.step
    url = f"http://{address}/api/v1/{path}?{urllib.parse.urlencode(query)}"
    with urllib.request.urlopen(url, timeout=30) as response:
        result = json.load(response)["data"]["result"]
    found = [
        Series(
            name=_named(target["legendFormat"], each["metric"]),
            letter=target["refId"],
            labels=each["metric"],
            points=_known(each.get("values") or [each["value"]]),
        )
        for each in result
    ]
    return sorted((each for each in found if each.points), key=lambda each: each.name)


def _named(legend: str, labels: Mapping[str, str]) -> str:
    return _LEGEND.sub(lambda label: labels.get(label[1], ""), legend)


def _known(points: Sequence[tuple[float, str]]) -> tuple[tuple[float, float], ...]:
    return tuple((at, float(value)) for at, value in points if math.isfinite(float(value)))


def _filled_in(expression: str, range: Range) -> str:
    """The expression as Grafana sends it, every variable at its default, All."""
    values = {
        "namespace": ".+", "name": ".+", "__rate_interval": f"{_RATE_SECONDS}s",
        "__range": f"{math.ceil(range.end - range.begin)}s", "__interval": f"{range.step}s",
        "__interval_ms": str(range.step * 1000),
    }  # fmt: skip
    return re.sub(r"\$(\w+)", lambda variable: values[variable[1]], expression)
