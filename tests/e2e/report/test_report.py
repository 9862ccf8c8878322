"""The report in a real browser: what it asks for, what it shows, and what a reader can do."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect
from tests.e2e.report.conftest import Read
from tests.e2e.report.runs import HOSTILE

pytestmark = pytest.mark.e2e

PHONE = {"width": 390, "height": 844, "has_touch": True, "is_mobile": True, "device_scale_factor": 2}
every_report = pytest.mark.parametrize("name", ["bare", "full", "stopped", "hostile"])
every_scheme = pytest.mark.parametrize("scheme", ["light", "dark"])


def content(reports: dict[str, Path], name: str = "full") -> Any:
    return json.loads((reports[name] / "report.json").read_text())


@every_report
def test_nothing_is_requested_but_the_page_itself(read: Read, reports: dict[str, Path], name: str) -> None:
    reading = read(name)
    reading.open_all()
    assert reading.requests == [(reports[name] / "report.html").as_uri()]
    assert reading.complaints == []


def test_the_content_security_policy_blocks_scripts_and_requests(read: Read) -> None:
    page = read().page
    title = page.title()
    with page.expect_event("requestfailed") as failed:
        page.evaluate(
            """() => {
                const script = document.createElement("script"), image = document.createElement("img");
                script.textContent = "document.title = 'run'";
                image.src = "http://127.0.0.1:9/pixel.png";
                document.body.append(script, image);
            }"""
        )
    assert failed.value.failure == "csp"
    assert page.title() == title


def test_the_first_screen_shows_the_outcome_and_its_reason(read: Read, reports: dict[str, Path]) -> None:
    page, report = read().page, content(reports)
    passed = sum(gate["result"] == "Passed" for gate in report["gates"])
    told = [
        page.locator(".verdict").get_by_text(report["scores"]["verdict"]),
        page.locator(".verdict").get_by_text("In-domain rose"),
        page.locator(".verdict").get_by_text(f"{passed} of 3 gates passed"),
        page.get_by_role("region", name="Diagnosis").get_by_text(report["diagnosis"]["message"]),
    ]
    told += [
        page.get_by_role("region", name="Gates").get_by_text(each["message"]) for each in report["gates"]
    ]
    for index, name in enumerate(("inDomain", "general", "overall")):
        scope = report["scores"][name]
        card = page.locator(".card").nth(index)
        told.append(card.get_by_text(f"{scope['score']:.2f}").first)
        told.append(card.get_by_text(f"95% interval {scope['low']:.2f} to {scope['high']:.2f}"))
        told.append(card.locator("svg[role=img]"))
    for each in told:
        expect(each).to_be_visible()
        expect(each).to_be_in_viewport(ratio=1)
    assert {"Passed", "Failed"} <= {gate["result"] for gate in report["gates"]}


@pytest.mark.parametrize("words", ["Tokyo", "NORWAY  capital", "roaster", "no such word"])
def test_a_search_narrows_the_questions_until_it_is_emptied(read: Read, words: str) -> None:
    page = read().page
    questions, shown = page.locator(".asked"), page.locator(".asked:visible")
    every, listed = questions.all_text_contents(), shown.count()
    holding = [text for text in every if all(word in text.lower() for word in words.lower().split())]
    page.get_by_role("searchbox").fill(words)
    assert shown.all_text_contents() == holding
    expect(page.get_by_role("status")).to_have_text(f"{len(holding)} of {len(every)} questions")
    page.get_by_role("searchbox").fill("")
    assert shown.count() == listed
    expect(page.get_by_role("status")).to_be_hidden()


def test_a_question_opens_on_both_answers_and_their_criteria(read: Read, reports: dict[str, Path]) -> None:
    page = read().page
    question = next(each for each in content(reports)["questions"] if each["scores"] == [1, 1])
    page.get_by_text("Show them").click()
    shown = page.locator(f"[id='{question['id']}']")
    expect(shown.locator(".answer").first).to_be_hidden()
    shown.locator("summary").first.click()
    for number, wording in enumerate(question["wordings"]):
        tuned, base = wording["answers"]
        for place, label, answer in ((0, "base", base), (1, "tuned", tuned)):
            card = shown.locator(".answers").nth(number).locator(".answer").nth(place)
            expect(card.locator("header")).to_contain_text(label)
            expect(card.locator(".said")).to_have_text(answer["answer"] or "(empty)")
            for criterion in answer["criteria"]:
                row = card.get_by_role("listitem").filter(has_text=criterion["name"])
                expect(row).to_contain_text("met" if criterion["met"] else "missed")
                expect(row).to_contain_text(criterion["reason"])
                expect(row).to_be_visible()


@every_report
@pytest.mark.parametrize(
    "view",
    [
        pytest.param(PHONE, id="phone"),
        pytest.param(PHONE | {"width": 320}, id="small phone"),
        pytest.param({"width": 768}, id="tablet"),
        pytest.param({"width": 1200}, id="desktop"),
    ],
)
def test_every_word_can_be_read(read: Read, name: str, view: dict[str, Any]) -> None:
    reading = read(name, **view)
    assert reading.audit("overlapping()") == []
    reading.open_all()
    assert reading.audit("outside()") == []
    assert reading.audit("small(14)") == []


@every_report
@every_scheme
def test_text_and_marks_stand_out(read: Read, name: str, scheme: str) -> None:
    reading = read(name, color_scheme=scheme)
    reading.open_all()
    lightness = reading.audit("luminance(ground(document.body))")
    assert lightness < 0.05 if scheme == "dark" else lightness > 0.8
    assert reading.audit("faint()") == []


@every_report
def test_a_print_holds_every_answer_on_white(read: Read, reports: dict[str, Path], name: str) -> None:
    reading = read(name, color_scheme="dark")
    answers = reading.page.locator(".said:visible")
    reading.page.emulate_media(media="print")
    asked = [wording for question in content(reports, name)["questions"] for wording in question["wordings"]]
    assert answers.count() == sum(len(wording["answers"]) for wording in asked)
    expect(reading.page.locator(".search")).to_be_hidden()
    assert reading.audit("ground(document.body)") == "rgb(255, 255, 255)"
    assert reading.audit("faint()") == []
    assert reading.audit("outside()") == []


def test_nothing_moves_under_reduced_motion(read: Read) -> None:
    assert read(reduced_motion="reduce").audit("moving()") == []


def test_the_keyboard_reaches_search_and_answers(read: Read) -> None:
    page = read().page
    page.get_by_role("searchbox").focus()
    page.keyboard.type("japan")
    page.keyboard.press("Tab")
    question = page.locator(".asked:visible").first
    summary, was_open = question.locator("summary").first, question.get_attribute("open") is not None
    while not summary.evaluate("each => each === document.activeElement"):
        page.keyboard.press("Tab")  # the fold around it comes first
    page.keyboard.press("Enter")
    expect(question.locator(".said").first).to_be_visible(visible=not was_open)


@every_report
def test_every_picture_has_a_name_and_headings_go_step_by_step(read: Read, name: str) -> None:
    reading = read(name)
    reading.open_all()
    assert reading.audit("nameless()") == []
    headings = reading.page.locator("h1, h2, h3, h4")
    levels = headings.evaluate_all("all => all.map((each) => Number(each.tagName[1]))")
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_hostile_text_is_shown_and_does_nothing(read: Read, reports: dict[str, Path]) -> None:
    reading = read("hostile")
    reading.open_all()
    page = reading.page
    for text, asked in zip(HOSTILE, content(reports, "hostile")["questions"], strict=False):
        question = page.locator(f"[id='{asked['id']}']")
        expect(question.locator(".said").first).to_be_visible()
        assert question.locator(".said").nth(0).evaluate("each => each.textContent") == text
        assert question.locator(".said").nth(1).evaluate("each => each.textContent") == f"{text}tuned"
        assert question.locator("h4").first.evaluate("each => each.textContent") == text
    assert page.title().startswith("unbreakable")
    assert page.locator("script").count() == page.locator("style").count() == 1
    assert page.locator("img, iframe, link, a:not([href^='#'])").count() == 0


def test_right_to_left_text_is_set_so(read: Read) -> None:
    reading = read("hostile")
    reading.open_all()
    arabic = (
        reading.page.locator(".answer")
        .filter(has=reading.page.locator(".said").filter(has_text="خلال"))
        .first
    )
    assert arabic.locator(".said").evaluate("each => getComputedStyle(each).direction") == "rtl"
    assert arabic.evaluate("each => getComputedStyle(each).direction") == "ltr"
