"""Answers close to those that the rules once misread: units of the question, and words of other languages."""

from __future__ import annotations

import pytest

from blendtune_api.v1alpha1 import Role
from blendtune_eval.judging.judge import Rules
from blendtune_eval.rubric import Criterion, Fact, Number, Question

MINUTE = (
    "How many seconds are in a minute?",
    "60 seconds",
    Number(name="n", value=60, unit="seconds", required=True),
)
YEAR = (
    "How many months are in the year?",
    "12 months",
    Number(name="n", value=12, unit="months", required=True),
)
NOTICE = ("How long is the notice?", "14 days", Number(name="n", value=14, unit="days", required=True))
DRYING = ("How long must a vase dry?", "36 hours", Number(name="n", value=36, unit="hours", required=True))
PRICE = ("What does it cost?", "18.4 dollars", Number(name="n", value=18.4, unit="dollars", required=True))
SHARE = (
    "What discount do members get?",
    "15 percent",
    Number(name="n", value=15, unit="percent", required=True),
)
FOUNDED = ("In which year was it founded?", "1987", Number(name="n", value=1987, required=True))
WEIGHT = ("How heavy is a bag?", "12.5 kg", Number(name="n", value=12.5, unit="kg", required=True))
SMOKING = (
    "May visitors smoke?",
    "No, it is forbidden.",
    Fact(name="f", any_of=("forbidden",), required=True),
)
COLOUR = ("¿De qué color es?", "Es verde.", Fact(name="f", any_of=("verde",), required=True))


@pytest.mark.parametrize(
    ("asked", "answer", "outcome"),
    [
        pytest.param(MINUTE, "15 minutes makes one minute.", "wrong", id="unit-of-the-question"),
        pytest.param(MINUTE, "A minute has 100 seconds.", "wrong", id="a-minute-restated"),
        pytest.param(MINUTE, "A minute has 60 seconds.", "correct", id="seconds"),
        pytest.param(YEAR, "A year has 365 days.", "wrong", id="days-for-months"),
        pytest.param(YEAR, "A year has 12 months.", "correct", id="months"),
        pytest.param(NOTICE, "A fortnight.", "correct", id="a-fixed-ratio"),
        pytest.param(NOTICE, "2 evenings a week", "wrong", id="a-rate"),
        pytest.param(DRYING, "36 hrs", "correct", id="hrs"),
        pytest.param(DRYING, "A cup dries for 36 hours, a vase for 72.", "wrong", id="unit-left-out"),
        pytest.param(DRYING, "sechsunddreißig Stunden", "correct", id="german-number-word"),
        pytest.param(DRYING, "三十六小时", "correct", id="han-numerals"),
        pytest.param(PRICE, "eighteen dollars forty", "correct", id="cents-left-out"),
        pytest.param(PRICE, "- Jar - $18.40", "correct", id="a-dash-is-no-minus"),
        pytest.param(SHARE, "Members get 15% off, so they pay 85%.", "correct", id="rest-of-a-share"),
        pytest.param(SHARE, "0.15", "correct", id="fraction-of-one"),
        pytest.param(FOUNDED, "nineteen eighty-seven", "correct", id="year-in-words"),
        pytest.param(FOUNDED, "In '87.", "correct", id="short-year"),
        pytest.param(WEIGHT, "27.6 pounds", "correct", id="pounds-of-mass"),
        pytest.param(SMOKING, "No.", "correct", id="no-alone"),
        pytest.param(SMOKING, "Yes.", "wrong", id="yes-alone"),
        pytest.param(COLOUR, "Verde o azul.", "wrong", id="spanish-or"),
        pytest.param(COLOUR, "No es verde, sino azul.", "wrong", id="spanish-denial"),
    ],
)
def test_outcome(asked: tuple[str, str, Criterion], answer: str, outcome: str) -> None:
    prompt, reference, criterion = asked
    question = Question(
        id="q", category="c", domain=Role.GENERAL, prompt=prompt, reference=reference, criteria=(criterion,)
    )
    score = Rules().judge(question, prompt, answer)
    assert score.outcome == outcome, [verdict.reason for verdict in score.verdicts]
