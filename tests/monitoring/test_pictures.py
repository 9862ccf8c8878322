"""The pictures show what a Prometheus answers to the dashboards' own queries."""

from __future__ import annotations

import json
import time
from typing import Any
from xml.etree import ElementTree

import pytest
from monitoring.__main__ import dashboard_files
from monitoring.picture.page import EMPTY, draw
from monitoring.picture.series import Range
from monitoring.picture.units import shown
from tests.e2e.waiting import until
from tests.monitoring.prometheus import Prometheus

DASHBOARDS = [pytest.param(json.loads(text), id=name) for name, text in dashboard_files().items()]


def texts(picture: str) -> list[str]:
    return [
        each.text or "" for each in ElementTree.fromstring(picture).iter("{http://www.w3.org/2000/svg}text")
    ]


@pytest.mark.parametrize("dashboard", DASHBOARDS)
def test_every_panel_is_drawn_with_what_it_shows(dashboard: Any, scraped: Prometheus) -> None:
    begin = time.time() - 10

    def full() -> list[str] | None:
        found = texts(draw(dashboard, scraped.address, Range(begin, time.time())))
        return None if EMPTY in found else found

    found = until("no panel is empty", full, seconds=30)
    assert {panel["title"] for panel in dashboard["panels"] if panel["type"] != "row"} <= set(found)
    assert any("finished" in text for text in found)


@pytest.mark.parametrize("dashboard", DASHBOARDS)
def test_a_panel_without_series_says_so(dashboard: Any, scraped: Prometheus) -> None:
    long_ago = Range(1000, 2000)
    panels = [panel for panel in dashboard["panels"] if panel["type"] != "row"]
    found = texts(draw(dashboard, scraped.address, long_ago))
    assert found.count(EMPTY) == len(panels)


@pytest.mark.parametrize(
    ("value", "unit", "decimals", "text"),
    [
        pytest.param(0.6, "percentunit", None, "60%", id="share"),
        pytest.param(5400.0, "s", None, "1.5 hour", id="hours"),
        pytest.param(0.0042, "s", None, "4.2 ms", id="milliseconds"),
        pytest.param(0.0, "s", None, "0 s", id="no-time"),
        pytest.param(60 * 2.0**30, "bytes", None, "60 GiB", id="memory"),
        pytest.param(3e-5, "sci", None, "3.00e-05", id="learning-rate"),
        pytest.param(0.0123, "suffix: GPU h", None, "0.0123 GPU h", id="gpu-hours"),
        pytest.param(1.23456, "none", 3, "1.235", id="decimals"),
        pytest.param(12345.0, "short", None, "12.3 K", id="thousands"),
    ],
)
def test_a_number_is_shown_in_its_unit(value: float, unit: str, decimals: int | None, text: str) -> None:
    assert shown(value, unit, decimals) == text
