"""docs/operator.md names every setting and every series, and none that is not there."""

from __future__ import annotations

import re
from pathlib import Path

from prometheus_client import CollectorRegistry

from blendtune_operator.metrics.runs import RunCollector
from blendtune_operator.metrics.telemetry import Telemetry, WatchCollector

ROOT = Path(__file__).parents[2]
DOCS = (ROOT / "docs/operator.md").read_text()
SOURCES = [
    path.read_text()
    for path in (ROOT / "operator/blendtune_operator").glob("*.py")
    if path.name != "__init__.py"
]


def test_every_setting_is_documented() -> None:
    known = {name for source in SOURCES for name in re.findall(r'"(BLENDTUNE_[A-Z_]+)"', source)}
    assert set(re.findall(r"BLENDTUNE_[A-Z_]+", DOCS)) == known


def test_every_series_is_documented() -> None:
    registry = CollectorRegistry()
    Telemetry(registry, "1")
    registry.register(WatchCollector({}))
    registry.register(RunCollector(list))
    known = {
        metric.name + ("_total" if metric.type == "counter" else "")
        for metric in registry.collect()
        if metric.name.startswith("blendtune_")
    }
    assert set(re.findall(r"`(blendtune_[a-z_]+)`", DOCS)) == known
