"""docs/troubleshooting.md has every reason that a condition may carry, and no other."""

from __future__ import annotations

import re
from pathlib import Path

from blendtune_api.v1alpha1 import ConditionType, Reason

DOCS = Path(__file__).parents[2] / "docs"


def test_every_reason_is_explained_once() -> None:
    text = (DOCS / "troubleshooting.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)
    well = re.findall(r"`(\w+)`", text.partition("## All is well")[2])
    explained = sorted([*rows, *well])
    assert explained == sorted(reason.value for reason in Reason)


def test_the_runbook_of_a_held_up_run_has_every_reason_for_it() -> None:
    rows = re.findall(
        r"^\| `(\w+)` \| `Accepted` \|", (DOCS / "troubleshooting.md").read_text(), re.MULTILINE
    )
    section = (DOCS / "runbooks.md").read_text().partition("## BlendtuneRunHeldUp")[2].partition("\n## ")[0]
    assert len(rows) > 5
    assert [reason for reason in rows if f"`{reason}`" not in section] == []


def test_the_conditions_are_those_of_the_api() -> None:
    text = (DOCS / "troubleshooting.md").read_text()
    named = set(re.findall(r"condition `(\w+)`|Reason of `(\w+)`", text))
    known = {condition.value for condition in ConditionType}
    assert {name for pair in named for name in pair if name} <= known


def test_every_link_between_pages_leads_somewhere() -> None:
    pages = [*DOCS.rglob("*.md"), *(DOCS.parent / name for name in ("README.md", "CONTRIBUTING.md"))]
    for page in pages:
        text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
        text = re.sub(r"`[^`\n]*`", "", text)
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", text):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
