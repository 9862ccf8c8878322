"""Alerts fire when they must and are silent when they must not; each has its runbook."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.e2e.waiting import until
from tests.monitoring.prometheus import RULES, Prometheus, promtool

ROOT = Path(__file__).parents[2]
CASES = yaml.safe_load((Path(__file__).parent / "rules.yaml").read_text())
ALERTS = [
    pytest.param(rule, id=rule["alert"])
    for file in RULES
    for group in yaml.safe_load(file.read_text())["groups"]
    for rule in group["rules"]
]


def test_the_rules_are_well_formed() -> None:
    checked = promtool("check", "rules", *map(str, RULES))
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize("case", [pytest.param(case, id=case["name"]) for case in CASES["tests"]])
def test_an_alert_fires_when_it_must_and_only_then(case: Any, tmp_path: Path) -> None:
    file = tmp_path / "case.yaml"
    file.write_text(yaml.safe_dump({**CASES, "rule_files": [str(file) for file in RULES], "tests": [case]}))
    tested = promtool("test", "rules", str(file))
    assert tested.returncode == 0, tested.stdout + tested.stderr


@pytest.mark.parametrize("rule", ALERTS)
def test_each_alert_is_seen_to_fire_and_to_be_silent(rule: Any) -> None:
    tried = [each for case in CASES["tests"] for each in case["alert_rule_test"]]
    outcomes = {bool(each["exp_alerts"]) for each in tried if each["alertname"] == rule["alert"]}
    assert outcomes == {True, False}


@pytest.mark.parametrize("rule", ALERTS)
def test_each_alert_has_a_severity_words_and_a_runbook(rule: Any) -> None:
    assert rule["labels"]["severity"] in ("critical", "warning", "info")
    assert rule["annotations"].keys() == {"summary", "description", "runbook_url"}
    file, _, anchor = rule["annotations"]["runbook_url"].partition("#")
    sections = re.findall(r"^## (.+)$", (ROOT / file).read_text(), re.MULTILINE)
    assert anchor == rule["alert"].lower()
    assert rule["alert"] in sections


def test_each_runbook_has_its_alert() -> None:
    sections = re.findall(r"^## (.+)$", (ROOT / "docs/runbooks.md").read_text(), re.MULTILINE)
    assert sorted(sections) == sorted(case.id or "" for case in ALERTS)


def test_the_alerts_of_real_runs(scraped: Prometheus) -> None:
    """What fires at once over runs that failed, that forget too much, and that do well."""

    def firing() -> set[tuple[str, str]]:
        alerts = (alert for rule in scraped.rules() for alert in rule["alerts"])
        return {
            (alert["labels"]["alertname"], alert["labels"].get("name", ""))
            for alert in alerts
            if alert["state"] == "firing"
        }

    expected = {("BlendtuneRunFailed", "failed"), ("BlendtuneGateFailed", "finished")}
    assert until("alerts fire", lambda: firing() if firing() >= expected else None, 30) == expected
