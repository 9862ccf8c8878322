"""Each panel of the dashboards says what it shows, and shows something of real runs."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path
from typing import Any

import pytest
from monitoring.__main__ import DASHBOARDS, dashboard_files
from monitoring.grafana import COLUMNS
from tests.e2e.waiting import until
from tests.monitoring.prometheus import Prometheus

FILES = sorted(dashboard_files())
# What Grafana puts in the place of its variables, for a Prometheus that scrapes every second.
VARIABLES = {
    "$namespace": ".+",
    "$name": ".+",
    "$__rate_interval": "4s",
    "$__range": "1m",
    "$__interval_ms": "1000",
    "$__interval": "1s",
}


def dashboard(name: str) -> Any:
    return json.loads((DASHBOARDS / name).read_text())


def panels(name: str) -> list[Any]:
    return [panel for panel in dashboard(name)["panels"] if panel["type"] != "row"]


PANELS = [
    pytest.param(panel, id=f"{name}: {panel['title']}")
    for name, text in dashboard_files().items()
    for panel in json.loads(text)["panels"]
    if panel["type"] != "row"
]


def expression(target: Any) -> str:
    text: str = target["expr"]
    for variable, value in VARIABLES.items():
        text = re.sub(re.escape(variable) + r"\b", value, text)
    return text


@pytest.mark.parametrize("name", FILES)
def test_the_committed_dashboard_is_the_generated_one(name: str) -> None:
    assert (DASHBOARDS / name).read_text() == dashboard_files()[name], "run `make generate`"


def test_no_other_file_lies_beside_them() -> None:
    assert sorted(file.name for file in Path(DASHBOARDS).iterdir()) == FILES


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_says_what_it_shows(panel: Any) -> None:
    assert panel["title"]
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert panel["targets"]
    assert panel["datasource"]["uid"] == "${datasource}"
    assert all(target["datasource"]["uid"] == "${datasource}" for target in panel["targets"])


@pytest.mark.parametrize("name", FILES)
def test_panels_have_their_own_numbers_titles_and_places(name: str) -> None:
    all_panels = dashboard(name)["panels"]
    assert len({panel["id"] for panel in all_panels}) == len(all_panels)
    assert len({panel["title"] for panel in all_panels}) == len(all_panels)
    taken: set[tuple[int, int]] = set()
    for panel in all_panels:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= COLUMNS
        cells = itertools.product(
            range(place["x"], place["x"] + place["w"]), range(place["y"], place["y"] + place["h"])
        )
        for cell in cells:
            assert cell not in taken, panel["title"]
            taken.add(cell)


@pytest.mark.parametrize("name", FILES)
def test_the_variables_narrow_every_series_of_runs(name: str) -> None:
    assert [each["name"] for each in dashboard(name)["templating"]["list"]] == [
        "datasource",
        "namespace",
        "name",
    ]
    for panel in panels(name):
        for target in panel["targets"]:
            if "blendtune_run_" in target["expr"] or "blendtune_eval_" in target["expr"]:
                assert 'namespace=~"$namespace"' in target["expr"], panel["title"]
                assert 'name=~"$name"' in target["expr"], panel["title"]


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_names_a_run_with_its_namespace(panel: Any) -> None:
    for target in panel["targets"]:
        grouped = [labels.split(", ") for labels in re.findall(r"by \(([^)]*)\)", target["expr"])]
        assert [labels for labels in grouped if "name" in labels and "namespace" not in labels] == []
        assert "{{name}}" not in target["legendFormat"].replace("{{namespace}}/{{name}}", "")
    rows = [each["options"].get("rowField") for each in panel["transformations"]]
    assert "name" not in rows


def test_runs_of_one_name_are_told_apart(scraped: Prometheus) -> None:
    (panel,) = (each for each in panels("quality.json") if each["title"] == "General against in-domain")
    (matrix,) = (each["options"] for each in panel["transformations"])
    text = expression(panel["targets"][0])
    found = until("changes", lambda: scraped.query(text), 30)
    gains = {
        each["metric"][matrix["rowField"]]: float(each["value"][1])
        for each in found
        if each["metric"][matrix["columnField"]] == "inDomain"
    }
    assert (gains["team/better"], gains["elsewhere/better"]) == (0.6, 0.4)


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_shows_something_of_real_runs(panel: Any, scraped: Prometheus) -> None:
    for target in panel["targets"]:
        text = expression(target)
        assert "$" not in text
        until(f"{text} has series", lambda text=text: scraped.query(text), seconds=30)


@pytest.mark.parametrize(
    "panel",
    [panel for panel in PANELS if panel.values[0]["transformations"]],  # type: ignore[index, call-overload]
)
def test_a_table_is_made_of_labels_and_values_that_are_there(panel: Any, scraped: Prometheus) -> None:
    for transformation in panel["transformations"]:
        options = transformation["options"]
        wanted = {options[name] for name in ("rowField", "columnField") if name in options}
        for target in panel["targets"]:
            text = expression(target)
            found = until(f"{text} has series", lambda text=text: scraped.query(text), seconds=30)
            assert all(wanted <= set(each["metric"]) for each in found)
        values = {f"Value #{target['refId']}" for target in panel["targets"]}
        renamed = {*options.get("renameByName", ()), *options.get("excludeByName", ())}
        assert {name for name in renamed if name.startswith("Value")} <= values


@pytest.mark.parametrize("name", FILES)
def test_the_variables_have_values(name: str, scraped: Prometheus) -> None:
    for variable in dashboard(name)["templating"]["list"][1:]:
        match = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["definition"])
        assert match is not None
        series = match[1].replace("$namespace", ".+")
        found = until(f"{series} has series", lambda series=series: scraped.query(series), seconds=30)
        assert all(each["metric"].get(match[2]) for each in found)


def test_a_run_that_trains_is_told_from_one_that_has_trained(scraped: Prometheus) -> None:
    found = {
        panel.id: panel.values[0]["targets"][0]  # type: ignore[index, call-overload]
        for panel in PANELS
    }
    throughput = expression(found["runs.json: Throughput"])
    names = until("throughput", lambda: {each["metric"]["name"] for each in scraped.query(throughput)}, 30)
    assert names == {"running"}
    states = expression(found["runs.json: States over time"])
    numbers = {each["metric"]["name"]: float(each["value"][1]) for each in scraped.query(states)}
    assert numbers == {"queued": 2, "running": 5, "failed": 8, "finished": 7, "better": 7, "refused": 8}
