"""The parts of a report for who decides: changes, what was not judged, measures, what gates see."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.eval.reports import SCOPE, answer, asked, gate, question, report

from blendtune_api.v1alpha1 import (
    BenchmarkScore,
    GateResult,
    JudgeKind,
    Metric,
    RetentionScore,
    RetentionText,
    UnfinishedAnswers,
)
from blendtune_eval.report.changes import changed_most, changes
from blendtune_eval.report.measures import measures
from blendtune_eval.report.model import ReportedAnswer, ReportedWording
from blendtune_eval.report.page import render_page
from blendtune_eval.report.resolution import sights, smallest_difference
from blendtune_eval.report.shown import shown_questions
from blendtune_eval.report.unread import unread
from blendtune_eval.report.words import signed
from blendtune_eval.rules.doubt import Doubt


def ids(questions: Any) -> list[str]:
    return [each.id for each in questions]


def test_what_changed_most_comes_first() -> None:
    found = changes(
        [
            question("same", (0.5, 0.5)),
            question("won-a-little", (0.5, 0.25)),
            question("lost", (0.0, 1.0)),
            question("lost-less", (0.5, 1.0)),
            question("lost-less-but-heavy", (0.5, 1.0), weight=2),
            question("unscored", (None, 1.0)),
            question("won", (1.0, 0.0)),
            question("rounding", (0.504, 0.5)),
        ]
    )
    assert ids(found.lost) == ["lost", "lost-less-but-heavy", "lost-less"]
    assert ids(found.won) == ["won", "won-a-little"]
    assert ids(found.rest) == ["same", "unscored", "rounding"]


@pytest.mark.parametrize(
    ("scores", "order"),
    [
        pytest.param([(1.0, 1.0), (0.0, 1.0), (0.5, 1.0)], [1, 2, 0], id="lost"),
        pytest.param([(1.0, 1.0), (0.5, 1.0), (1.0, 0.0)], [2, 0, 1], id="won"),
        pytest.param([(0.0, 1.0), (1.0, 0.0)], [0, 1], id="in balance"),
    ],
)
def test_the_wording_that_changed_most_is_shown_first(scores: Any, order: list[int]) -> None:
    found = question("q", *scores)
    assert [wording.prompt for wording in changed_most(found)] == [f"q {number}?" for number in order]


def test_lists_are_folded_and_their_first_questions_open() -> None:
    lost = [question(f"lost-{number}", (0.0, 1.0), (1.0, 1.0)) for number in range(12)]
    shown, rest = shown_questions(report(*lost, question("same", (1.0, 1.0), (1.0, 1.0))))
    assert (len(shown.questions), len(shown.folded)) == (8, 4)
    assert [each.open for each in shown.questions[:3]] == [True, True, False]
    assert [len(shown.questions[0].first), len(shown.questions[0].others)] == [1, 1]
    assert [each.asked["id"] for each in rest.questions] == ["same"]
    assert len(rest.questions[0].first) == 2


def test_a_model_alone_has_one_list_without_marks() -> None:
    alone = report(question("q", (1.0, None)))
    one = ReportedWording(prompt="q?", answers=(answer("it is"),))
    alone = replace(
        alone,
        respondents=alone.respondents[:1],
        questions=(replace(alone.questions[0], scores=(1.0,), wordings=(one,)),),
    )
    (every,) = shown_questions(alone)
    assert every.heading == "Every question: 1"
    assert [piece.differs for piece in every.questions[0].first[0].answers[0].pieces] == [False]


def wording(*answers: ReportedAnswer) -> ReportedWording:
    return ReportedWording(prompt="q?", answers=answers)


CUT = answer(
    "", None, unfinished=True, finished=False, unscored="the answer was cut within its thoughts", criteria=()
)
DOUBTED = answer("both", doubt=Doubt.LANGUAGE)
FAILED = answer("so", None, unscored="the judge did not reply", criteria=())


@pytest.mark.parametrize(
    ("given", "title", "reasons", "remedy"),
    [
        pytest.param(CUT, "Unfinished", (), "sampling.maxNewTokens of about 1,024", id="unfinished"),
        pytest.param(
            DOUBTED, "Unsure", (("another language or script", 1),), "judge: {kind: Cascade}", id="unsure"
        ),
        pytest.param(FAILED, "Not judged", (("the judge did not reply", 1),), "Evaluate again", id="failed"),
    ],
)
def test_what_was_not_judged_is_counted_with_reason_and_remedy(
    given: ReportedAnswer, title: str, reasons: Any, remedy: str
) -> None:
    found = unread(
        report(
            asked("q", wording(given, answer()), wording(answer(), answer())),
            question("fine", (1.0, 1.0)),
            unfinished=UnfinishedAnswers(model=1, max_new_tokens=1024),
            coverage=0.5,
        )
    )
    answers, questions = found
    assert answers.title.startswith(title)
    assert answers.counts == (("tuned", 1, 3),)
    assert answers.reasons == reasons
    assert remedy in answers.remedy
    assert questions.counts == (("tuned", 1, 2),)
    assert "here it is 50.0%" in questions.remedy


def test_reasons_come_by_their_number_and_a_cascade_is_not_advised_twice() -> None:
    other = answer("both", doubt=Doubt.NOTATION)
    made = report(asked("q", wording(DOUBTED, other), wording(other, answer())))
    made = replace(made, judge=replace(made.judge, kind=JudgeKind.CASCADE))
    unsure = unread(made)[0]
    assert unsure.reasons == (
        ("a number or date that can be read in two ways", 2),
        ("another language or script", 1),
    )
    assert unsure.counts == (("tuned", 2, 2), ("base", 1, 2))
    assert "Cascade" not in unsure.remedy


def test_nothing_is_said_where_all_was_judged() -> None:
    assert unread(report(question("q", (1.0, 0.0)))) == ()


KEPT = RetentionScore(
    text=RetentionText.BASE_ANSWERS, rows=40, tokens=900, baseline=0.3, loss=0.5,
    rise=0.2, rise_low=0.15, rise_high=0.25, divergence=0.1,
)  # fmt: skip
BENCHMARK = BenchmarkScore(
    name="mmlu", metric="acc", score=0.5, standard_error=0.01, n=1000,
    baseline_score=0.52, delta=-0.02, delta_low=-0.05, delta_high=0.01,
)  # fmt: skip


def test_one_table_has_every_measure_with_its_gates() -> None:
    gates = [
        gate(Metric.GENERAL, "maxDrop", 0.1, -0.09, 0.19),
        gate(Metric.GENERAL, "maxCriticalErrors", 0, 0, 1),
        gate(Metric.RETENTION, "maxRise", 0.05, 0.15, 0.25),
    ]
    rows = measures(report(gates=gates, retention=(KEPT,), benchmarks=(BENCHMARK,)))
    shown = {row.name: row for row in rows}
    assert list(shown) == [
        "In-domain",
        "General",
        "Overall",
        "The base model's own answers to general questions",
        "mmlu",
    ]
    assert shown["General"].interval == "−0.19 to +0.09"
    assert [each.rule for each in shown["General"].gates] == ["maxDrop", "maxCriticalErrors"]
    assert (shown["In-domain"].moved, shown["General"].moved) == ("better", "")
    kept = rows[3]
    assert (kept.difference, kept.interval, kept.moved) == ("+0.200", "+0.150 to +0.250", "worse")
    assert [each.result for each in kept.gates] == [GateResult.INCONCLUSIVE]
    assert (rows[4].difference, rows[4].gates) == ("−0.020", ())


@pytest.mark.parametrize(
    ("given", "least", "told", "too_fine"),
    [
        pytest.param(
            gate(Metric.GENERAL, "maxDrop", 0.05, -0.09, 0.19), "0.20", "about 641 questions would tell 0.05",
            True,
            id="finer than it sees",
        ),
        pytest.param(
            gate(Metric.GENERAL, "maxDrop", 0.4, -0.09, 0.19), "0.20", "a smaller one seldom.", False,
            id="wide"
        ),
        pytest.param(
            gate(Metric.GENERAL, "minScore", 0.45, 0.4, 0.6), "0.14", "lies nearer", False, id="level"
        ),
        pytest.param(
            gate(Metric.RETENTION, "maxRise", 0.5, 0.15, 0.25), "0.071 nats per token", "this text", False,
            id="nats"
        ),
        pytest.param(
            gate(Metric.GENERAL, "maxCriticalErrors", 0, 0, 0), "7.2% of the questions",
            "40 of them show none 1 time in 20", False, id="count",
        ),
    ],
)  # fmt: skip
def test_each_gate_says_what_it_could_not_see(given: Any, least: str, told: str, too_fine: bool) -> None:
    sight = sights(report(gates=[given], retention=(KEPT,)))[0]
    assert (sight.least, sight.too_fine) == (least, too_fine)
    assert told in sight.told


def test_without_a_gate_on_general_the_verdict_is_held_to_its_margin() -> None:
    (sight,) = sights(report())
    assert sight.result is None
    assert sight.rule == "no gate; the verdict allows a drop of 0.1"
    assert sight.too_fine
    assert sights(report(general=replace(SCOPE, delta_low=None, delta_high=None))) == ()


def test_the_smallest_difference_is_1_43_of_half_an_interval() -> None:
    """(1.96 + 0.84) / 1.96: the quantiles of a two-sided level of 5% and of 80% power."""
    assert smallest_difference(-0.1, 0.1) == pytest.approx(0.1 * (1.95996 + 0.84162) / 1.95996, rel=1e-4)


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (0.004, 2, "0.00"),
        (-0.004, 2, "0.00"),
        (-0.25, 2, "−0.25"),
        (0.0004, 3, "0.000"),
        (0.2, 3, "+0.200"),
        (None, 2, "–"),
    ],
)
def test_signed_numbers_have_their_sign_unless_they_are_0(
    value: float | None, digits: int, text: str
) -> None:
    assert signed(value, digits) == text


def test_the_page_marks_what_differs_without_changing_a_word() -> None:
    tuned, base = answer("It is <b>30</b> days."), answer("It is 14 days.", 0.0)
    page = render_page(report(asked("q", wording(tuned, base))))
    said = '<blockquote class="said" dir="auto">It is {} days.</blockquote>'
    assert said.format("<ins>&lt;b&gt;30&lt;/b&gt;</ins>") in page
    assert said.format("<del>14</del>") in page
