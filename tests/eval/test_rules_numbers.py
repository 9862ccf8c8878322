"""Ways of putting a number that a careful reader understands: each group is one way, with its opposite."""

from __future__ import annotations

import pytest
from tests.eval.rule_questions import OPEN, RIGHT, WRONG, ask, fact, number, outcome

from blendtune_eval.rubric import Number, Question

APPLES = ask("Tom has 12 apples and eats 5. How many are left?", "7 apples", number(7, "apples"))
LOAVES = ask(
    "A shop sells 20 loaves on Monday and twice as many on Tuesday. How many in total?",
    "60 loaves",
    number(60, "loaves"),
)


@pytest.mark.parametrize(
    ("question", "answer", "expected"),
    [
        pytest.param(APPLES, "Tom has 12 apples. He eats 5. 12-5=7. So 7 are left.", RIGHT, id="so"),
        pytest.param(
            APPLES, "Tom has 12 apples. After eating 5, he has 7 left.", RIGHT, id="the-only-new-one"
        ),
        pytest.param(APPLES, "Tom has 12 apples.\n12 - 5 = 7\n#### 7", RIGHT, id="hashes"),
        pytest.param(APPLES, r"Tom has 12 apples. \boxed{7}", RIGHT, id="boxed"),
        pytest.param(APPLES, "12 apples minus 5 is 7.", RIGHT, id="spoken"),
        pytest.param(LOAVES, "On Monday 20 loaves. On Tuesday 40. The total is 60.", RIGHT, id="total"),
        pytest.param(
            LOAVES, "Monday: 20 loaves\nTuesday: 2*20 = 40 loaves\nTotal: 20+40 = 60", RIGHT, id="steps"
        ),
        pytest.param(APPLES, "Tom has 12 apples.", WRONG, id="only-the-question's"),
        pytest.param(APPLES, "Tom has 12 apples. 12 - 5 = 7. So 8 apples are left.", WRONG, id="another-end"),
        pytest.param(APPLES, r"12 apples. 12 - 5 = 7, no, \boxed{8}", WRONG, id="another-boxed"),
        pytest.param(APPLES, "Tom has 12 apples, so 7 hours are left.", WRONG, id="another-unit"),
        pytest.param(LOAVES, "It sells 50 loaves, at 60 in the morning.", WRONG, id="another-in-the-unit"),
        pytest.param(
            APPLES,
            "Tom has 12 apples, and the 7 in the basket may be those of his sister or of a friend.",
            OPEN,
            id="elsewhere",
        ),
    ],
)
def test_worked_solutions_may_leave_the_unit_out(
    question: Question, answer: str, expected: str | None
) -> None:
    assert outcome(question, answer) == expected


CHANGE = ask("What is the change?", "-7", number(-7))
FROST = ask("How cold does it get?", "-18 degrees Celsius", number(-18, "celsius", "degrees"))


@pytest.mark.parametrize(
    ("question", "answer", "expected"),
    [
        pytest.param(CHANGE, "5 - 12 = -7", RIGHT, id="a-result"),
        pytest.param(CHANGE, "5 − 12 = −7", RIGHT, id="minus-signs"),
        pytest.param(CHANGE, "7 - 14 is -7", RIGHT, id="is"),
        pytest.param(CHANGE, "x = 2 - 9 = -7", RIGHT, id="two-steps"),
        pytest.param(CHANGE, "5 + (-12) = -7", RIGHT, id="a-negative-operand"),
        pytest.param(CHANGE, "x = - 7", RIGHT, id="a-space"),
        pytest.param(CHANGE, "negative 7", RIGHT, id="negative"),
        pytest.param(CHANGE, "negative seven", RIGHT, id="negative-in-words"),
        pytest.param(CHANGE, "minus seven", RIGHT, id="minus"),
        pytest.param(CHANGE, "12 - 5 = 7", WRONG, id="a-positive-result"),
        pytest.param(CHANGE, "7", WRONG, id="positive"),
        pytest.param(APPLES, "12 apples - 5 apples = 7 apples", RIGHT, id="behind-a-unit"),
        pytest.param(FROST, "18 degrees below zero", RIGHT, id="below-zero"),
        pytest.param(FROST, "18 degrees above zero", WRONG, id="above-zero"),
    ],
)
def test_signs_are_no_operators(question: Question, answer: str, expected: str) -> None:
    assert outcome(question, answer) == expected


DEPOSIT = ask("How much is the deposit?", "30 dollars", number(30, "dollars"))


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param("The deposit is thirty (30) dollars.", RIGHT, id="digits-in-brackets"),
        pytest.param("30 (thirty) dollars", RIGHT, id="words-in-brackets"),
        pytest.param("thirty dollars (30)", RIGHT, id="behind-the-unit"),
        pytest.param("twenty (20) dollars", WRONG, id="another"),
        pytest.param("thirty dollars forty", WRONG, id="cents"),
    ],
)
def test_a_number_said_twice(answer: str, expected: str) -> None:
    assert outcome(DEPOSIT, answer) == expected


FILM = ask("How long is the film?", "90 minutes", number(90, "minutes"))
TIDE = ask("How high is the tide?", "2.5 metres", number(2.5, "metres"))
BUDGET = ask("How large is the budget?", "2.4 million dollars", number(2.4e6, "dollars"))


@pytest.mark.parametrize(
    ("question", "answer", "expected"),
    [
        pytest.param(FILM, "1h30", RIGHT, id="1h30"),
        pytest.param(FILM, "It takes 1h 30m.", RIGHT, id="1h-30m"),
        pytest.param(FILM, "1h30min", RIGHT, id="1h30min"),
        pytest.param(FILM, "1:30 h", RIGHT, id="1:30-h"),
        pytest.param(FILM, "01:30:00", RIGHT, id="with-seconds"),
        pytest.param(FILM, "90:00 min", RIGHT, id="minutes-and-seconds"),
        pytest.param(FILM, "1h45", WRONG, id="another-duration"),
        pytest.param(FILM, "It starts at 1:30.", WRONG, id="a-time-of-day"),
        pytest.param(TIDE, "two point five metres", RIGHT, id="point"),
        pytest.param(TIDE, "2 point 5 metres", RIGHT, id="digits-and-point"),
        pytest.param(TIDE, "two point five one metres", WRONG, id="more-decimals"),
        pytest.param(BUDGET, "two point four million dollars", RIGHT, id="point-and-million"),
        pytest.param(BUDGET, "four million dollars", WRONG, id="without-the-whole"),
    ],
)
def test_durations_and_decimals_in_words(question: Question, answer: str, expected: str) -> None:
    assert outcome(question, answer) == expected


KEPT = ask("What share of the fee is kept?", "25 percent", number(25, "percent"))
HALF = ask("What share of the fee is kept?", "50 percent", number(50, "percent"))


@pytest.mark.parametrize(
    ("question", "answer", "expected"),
    [
        pytest.param(KEPT, "A quarter is kept.", RIGHT, id="a-quarter"),
        pytest.param(KEPT, "A quarter is kept; three quarters are refunded.", RIGHT, id="and-the-rest"),
        pytest.param(HALF, "Half is kept.", RIGHT, id="half"),
        pytest.param(KEPT, "Three quarters are kept; a quarter is refunded.", WRONG, id="the-rest"),
        pytest.param(KEPT, "Half is kept.", WRONG, id="another-share"),
        pytest.param(KEPT, "A third is kept.", WRONG, id="a-third"),
        pytest.param(HALF, "The other half is refunded.", WRONG, id="the-other-half"),
    ],
)
def test_shares_in_words_as_subjects(question: Question, answer: str, expected: str) -> None:
    assert outcome(question, answer) == expected


OPENING = ask("On which date does it open?", "3 March 2025", fact("3 March", "March 3"))


@pytest.mark.parametrize(
    ("question", "answer", "expected"),
    [
        pytest.param(DEPOSIT, "USD30", RIGHT, id="a-code-before-digits"),
        pytest.param(DEPOSIT, "EUR30", WRONG, id="another-currency"),
        pytest.param(OPENING, "2025/03/03", RIGHT, id="year-first"),
        pytest.param(OPENING, "2025.03.03", RIGHT, id="year-first-with-points"),
        pytest.param(OPENING, "3-Mar-2025", RIGHT, id="hyphens"),
        pytest.param(OPENING, "2025/03/04", WRONG, id="another-day"),
        pytest.param(OPENING, "3-May-2025", WRONG, id="another-month"),
    ],
)
def test_compact_notations(question: Question, answer: str, expected: str) -> None:
    assert outcome(question, answer) == expected


REVENUE = ask("What was the revenue?", "1.5 billion euros", number(1.5e9, "euros"))
BEFORE = ask("What was the deposit before the change?", "20 dollars", number(20, "dollars"))


@pytest.mark.parametrize(
    ("question", "answer", "expected"),
    [
        pytest.param(DEPOSIT, "The deposit has been raised from 20 to 30 dollars.", RIGHT, id="to"),
        pytest.param(DEPOSIT, "The deposit has been lowered from 30 to 20 dollars.", WRONG, id="from"),
        pytest.param(REVENUE, "Revenue rose from €1.2bn to €1.5bn.", RIGHT, id="rose-to"),
        pytest.param(REVENUE, "Revenue fell from 1.5bn to 1.2bn euros.", WRONG, id="fell-from"),
        pytest.param(REVENUE, "€1.5bn, up from €1.2bn in the year before.", RIGHT, id="up-from"),
        pytest.param(REVENUE, "€1.2bn, down from €1.5bn.", WRONG, id="down-from"),
        pytest.param(CHANGE, "It went from 5 to -7.", RIGHT, id="to-a-negative"),
        pytest.param(BEFORE, "It was raised from 20 to 30 dollars.", OPEN, id="asked-for-the-former"),
        pytest.param(DEPOSIT, "It ranges from 20 to 30 dollars.", WRONG, id="a-range"),
    ],
)
def test_what_a_change_leaves_behind(question: Question, answer: str, expected: str | None) -> None:
    assert outcome(question, answer) == expected


SPEED = ask("How fast is it?", "75 km/h", number(75, "km/h", "kilometres per hour"))
LIGHT = ask(
    "How fast is light?",
    "299,792,458 m/s",
    Number(name="n", value=299_792_458, unit="m/s", tolerance=3e5, required=True),
)


@pytest.mark.parametrize(
    ("question", "answer", "expected"),
    [
        pytest.param(SPEED, "75 km per hour", RIGHT, id="per"),
        pytest.param(SPEED, "75 kilometers/hour", RIGHT, id="names"),
        pytest.param(SPEED, "75 kilometres an hour", RIGHT, id="an"),
        pytest.param(SPEED, "75 kmph", RIGHT, id="short"),
        pytest.param(SPEED, "$75\\ km\\ h^{-1}$", RIGHT, id="inverse"),
        pytest.param(SPEED, "46.6 mph", RIGHT, id="miles"),
        pytest.param(SPEED, "75 mph", WRONG, id="other-miles"),
        pytest.param(SPEED, "75 km per minute", WRONG, id="another-time"),
        pytest.param(LIGHT, "about 300,000 km/s", RIGHT, id="converted"),
        pytest.param(LIGHT, "300,000 km/h", WRONG, id="converted-wrongly"),
    ],
)
def test_rates(question: Question, answer: str, expected: str) -> None:
    assert outcome(question, answer) == expected
