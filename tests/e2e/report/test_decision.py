"""What the report tells the person who decides, as a browser shows it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, expect
from tests.e2e.report.conftest import Read

pytestmark = pytest.mark.e2e

PHONE = {"width": 375, "height": 800}


def scores(reports: dict[str, Path]) -> list[tuple[str, float]]:
    """The questions of the full report with the change of their scores."""
    questions = json.loads((reports["full"] / "report.json").read_text())["questions"]
    return [
        (each["id"], each["scores"][0] - each["scores"][1])
        for each in questions
        if None not in each["scores"]
    ]


def ids(questions: Locator) -> list[str]:
    return questions.evaluate_all("all => all.map((each) => each.id)")


@pytest.mark.parametrize(("list", "way"), [("lost", -1), ("won", 1)])
def test_what_changed_most_comes_first(read: Read, reports: dict[str, Path], list: str, way: int) -> None:
    changed = {id: way * change for id, change in scores(reports) if way * change > 0.005}
    shown = ids(read().page.locator(f"#{list}-questions .asked"))
    assert set(shown) == set(changed)
    found = [changed[id] for id in shown]
    assert found == sorted(found, reverse=True)


def test_the_questions_that_changed_most_are_open_with_both_answers(read: Read) -> None:
    question = read().page.locator("#won-questions .asked").first
    expect(question.locator(".said").nth(0)).to_be_visible()
    expect(question.locator(".said").nth(1)).to_be_visible()
    expect(question.locator(".said").nth(2)).to_be_hidden()
    question.locator(".fold > summary").click()
    expect(question.locator(".said").nth(2)).to_be_visible()


@pytest.mark.parametrize(("view", "beside"), [({"width": 1200}, True), (PHONE, False)], ids=["wide", "phone"])
def test_answers_stand_side_by_side_or_on_a_phone_one_over_the_other(
    read: Read, view: dict[str, Any], beside: bool
) -> None:
    cards = read(**view).page.locator("#won-questions .asked").first.locator(".answer")
    base, tuned = cards.nth(0).bounding_box(), cards.nth(1).bounding_box()
    assert base and tuned
    assert (base["y"] == tuned["y"]) is beside
    assert (base["x"] == tuned["x"]) is not beside


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("media", ["screen", "print"])
def test_differences_are_marked_by_more_than_colour(read: Read, scheme: str, media: Any) -> None:
    reading = read(color_scheme=scheme)
    reading.page.emulate_media(media=media)
    for mark, words, line in (
        ("ins", "only in the tuned answer", "solid"),
        ("del", "only in the base answer", "dashed"),
    ):
        first = reading.page.locator(f".said {mark}").first
        told = first.evaluate("each => getComputedStyle(each, '::before').content")
        assert words in told
        assert first.evaluate("each => getComputedStyle(each).textDecorationLine") == "underline"
        assert first.evaluate("each => getComputedStyle(each).textDecorationStyle") == line


@pytest.mark.parametrize("name", ["bare", "full", "stopped", "hostile"])
def test_nothing_scrolls_sideways_on_a_phone(read: Read, name: str) -> None:
    reading = read(name, **PHONE)
    reading.open_all()
    assert reading.page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_what_was_not_judged_stands_before_the_scores(read: Read) -> None:
    page = read("hostile").page
    panel = page.get_by_role("region", name="What was not judged")
    expect(panel).to_contain_text("Not judged")
    expect(panel).to_contain_text("1 of")
    assert panel.evaluate("each => !!(each.compareDocumentPosition(document.querySelector('.cards')) & 4)")
    assert read("full").page.locator(".unread h3").count() % 2 == 0  # what, and which questions for it


def test_what_was_asked_is_told_and_what_was_not_opens_by_keyboard(
    read: Read, reports: dict[str, Path]
) -> None:
    not_asked = json.loads((reports["stopped"] / "report.json").read_text())["notAsked"]
    page = read("stopped").page
    panel = page.get_by_role("region", name="What was asked")
    expect(panel).to_contain_text("questions were asked; they decide every gate on a score (look 2 of 5)")
    fold = panel.locator("summary")
    expect(fold).to_have_text(f"{len(not_asked)} questions were not asked")
    first = panel.get_by_role("listitem").first
    expect(first).to_be_hidden()
    fold.focus()
    page.keyboard.press("Enter")
    expect(first).to_be_visible()
    expect(panel.get_by_role("listitem")).to_have_text([each["prompt"] for each in not_asked])
    assert read("full").page.locator("#asked").count() == 0


def test_one_table_has_every_measure_and_its_gate(read: Read) -> None:
    page = read().page
    table = page.locator("#measures table")
    for words in ("In-domain", "General", "roasters", "The base model's own answers"):
        expect(table.get_by_role("row").filter(has_text=words).first).to_be_visible()
    row = table.get_by_role("row").filter(has=page.get_by_role("cell", name="General 40 questions"))
    expect(row).to_contain_text("drop at most 0.1")
    expect(page.locator("#resolution").get_by_role("row")).to_have_count(4)  # its head and three gates


def test_skip_links_come_first_and_lead_to_their_parts(read: Read) -> None:
    page = read().page
    page.keyboard.press("Tab")
    link = page.get_by_role("link", name="What changed")
    expect(link).to_be_focused()
    assert link.evaluate("each => getComputedStyle(each.closest('.skip')).opacity") == "1"
    page.keyboard.press("Enter")
    expect(page.locator("#questions")).to_be_in_viewport()
    page.keyboard.press("Tab")
    expect(page.get_by_role("searchbox")).to_be_focused()
    assert page.locator(".skip").evaluate("each => getComputedStyle(each).opacity") == "0"


def test_every_fold_opens_by_keyboard(read: Read) -> None:
    page = read().page
    for fold in page.locator(".list > .fold").all():
        summary = fold.locator("summary").first
        summary.focus()
        page.keyboard.press("Enter")
        expect(fold.locator(".asked").first).to_be_visible()


@pytest.fixture(scope="module")
def comparison(reports: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of `blendtune compare` over the two runs."""
    from blendtune_operator.cli.main import main

    page = tmp_path_factory.mktemp("compare") / "page.html"
    assert main(["compare", str(reports["full"]), str(reports["bare"]), "-o", str(page)]) == 0
    return page


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("view", [{"width": 1200}, PHONE], ids=["wide", "phone"])
def test_a_comparison_can_be_read_anywhere(
    read: Read, comparison: Path, view: dict[str, Any], scheme: str
) -> None:
    reading = read(color_scheme=scheme, **view)
    reading.page.goto(comparison.as_uri())
    for fault in ("overlapping()", "outside()", "small(14)", "faint()", "nameless()"):
        assert reading.audit(fault) == [], fault
    expect(reading.page.get_by_text("Questions that the runs answer differently")).to_be_visible()
