"""Ways of putting an answer that a careful reader understands: each group is one way, with its opposite."""

from __future__ import annotations

import pytest

from blendtune_api.v1alpha1 import Role
from blendtune_eval.judging.judge import Rules
from blendtune_eval.rubric import Abstention, Criterion, Fact, Number, Question

RIGHT, WRONG, DECLINED, OPEN = "correct", "wrong", "notAttempted", None


def ask(prompt: str, reference: str, *criteria: Criterion) -> Question:
    return Question(
        id="q", category="c", domain=Role.GENERAL, prompt=prompt, reference=reference, criteria=criteria
    )


def number(value: float, unit: str = "", *aliases: str) -> Number:
    return Number(name="n", value=value, unit=unit, unit_aliases=aliases, required=True)


def fact(*any_of: str) -> Fact:
    return Fact(name="f", any_of=any_of, required=True)


def outcome(question: Question, answer: str) -> str | None:
    score = Rules().judge(question, question.prompt, answer)
    return score.outcome and score.outcome.value


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


NOTICE = ask("How late can it be cancelled?", "Until 14 days before.", number(14, "days"))
GEAR = ask("What must every child wear?", "a life jacket", fact("life jacket"))
LEAD = ask("What does the glaze contain?", "It contains lead.", fact("lead"))


@pytest.mark.parametrize(
    ("question", "answer", "expected"),
    [
        pytest.param(NOTICE, "It can be cancelled free of charge up to 14 days before.", RIGHT, id="charge"),
        pytest.param(NOTICE, "Free of any cost 14 days before.", RIGHT, id="any-cost"),
        pytest.param(GEAR, "Children are given free of charge a life jacket.", RIGHT, id="a-fact"),
        pytest.param(LEAD, "The glaze is free of lead.", WRONG, id="its-noun"),
        pytest.param(LEAD, "It is free of any harmful lead.", WRONG, id="its-noun-described"),
    ],
)
def test_free_of_denies_its_own_noun(question: Question, answer: str, expected: str) -> None:
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


PASSPORT = ask("What is needed to enter?", "A passport", fact("passport"))


@pytest.mark.parametrize(
    ("question", "answer", "expected"),
    [
        pytest.param(GEAR, "No child may go on board without a life jacket.", RIGHT, id="no-without"),
        pytest.param(GEAR, "Without a life jacket no child may board.", RIGHT, id="without-no"),
        pytest.param(GEAR, "Without a life jacket, boarding is forbidden.", RIGHT, id="without-forbidden"),
        pytest.param(PASSPORT, "Nobody of the whole party gets in without a passport.", RIGHT, id="nobody"),
        pytest.param(GEAR, "Children may board without a life jacket.", WRONG, id="without-alone"),
        pytest.param(GEAR, "No, children go on board without a life jacket.", WRONG, id="no-as-an-answer"),
        pytest.param(LEAD, "It is fired without lead.", WRONG, id="made-without"),
    ],
)
def test_no_without_is_a_requirement(question: Question, answer: str, expected: str) -> None:
    assert outcome(question, answer) == expected


WATER = ask("What is the formula of water?", "H2O", fact("H2O"))
SUGAR = ask("What is the formula of glucose?", "C6H12O6", fact("C_6H_{12}O_6"))
TABLE = ask("Which table has it?", "table 2", fact("table 2"))


@pytest.mark.parametrize(
    ("question", "answer", "expected"),
    [
        pytest.param(WATER, "$H_2O$", RIGHT, id="math"),
        pytest.param(WATER, "H_2O", RIGHT, id="plain"),
        pytest.param(WATER, r"\(\mathrm{H}_{2}\mathrm{O}\)", RIGHT, id="wrapped"),
        pytest.param(WATER, "H₂O", RIGHT, id="unicode"),
        pytest.param(SUGAR, "C6H12O6", RIGHT, id="in-the-alias"),
        pytest.param(WATER, "$H_2O_2$", WRONG, id="another-formula"),
        pytest.param(TABLE, "table_2", RIGHT, id="names-keep-their-parts"),
    ],
)
def test_subscripts_belong_to_their_letter(question: Question, answer: str, expected: str) -> None:
    assert outcome(question, answer) == expected


PYTHON = ask("Which Python version is required?", "Python 3.10", fact("3.10"))
PRICE = ask("What does it cost?", "18.50 euros", fact("18.50 euros"))
MAILBOX = ask("To which address do I write?", "billing@fern.example", fact("billing@fern.example"))
PAGE = ask("Which page is it?", "fern.example/help", fact("fern.example/help"))


@pytest.mark.parametrize(
    ("question", "answer", "expected"),
    [
        pytest.param(PYTHON, "3.10 or newer", RIGHT, id="or-newer"),
        pytest.param(PYTHON, "3.10 or higher", RIGHT, id="or-higher"),
        pytest.param(PYTHON, "3.10 or 3.11", WRONG, id="or-another"),
        pytest.param(PYTHON, "Python 3.10", RIGHT, id="the-version"),
        pytest.param(PYTHON, "3.10.4", RIGHT, id="its-release"),
        pytest.param(PYTHON, "Python 3.1", WRONG, id="a-shorter-version"),
        pytest.param(PYTHON, "Python 3.100", WRONG, id="a-longer-version"),
        pytest.param(PRICE, "18.5 euros", RIGHT, id="a-price-is-a-number"),
        pytest.param(MAILBOX, "Write to billing@fern.example.", RIGHT, id="the-address"),
        pytest.param(MAILBOX, "mailto:billing@fern.example", RIGHT, id="with-its-scheme"),
        pytest.param(MAILBOX, "billing@fern.example.com", WRONG, id="a-longer-domain"),
        pytest.param(MAILBOX, "eu-billing@fern.example", WRONG, id="a-longer-mailbox"),
        pytest.param(PAGE, "https://fern.example/help/", RIGHT, id="the-page"),
        pytest.param(PAGE, "https://fern.example/help/old", WRONG, id="a-page-below"),
    ],
)
def test_versions_and_addresses_are_whole(question: Question, answer: str, expected: str) -> None:
    assert outcome(question, answer) == expected


DOGS = ask("Are dogs allowed?", "No.", fact("no", "not allowed"))
HEATED = ask("Is the pool heated?", "Yes.", fact("yes"))
SALARY = ask("What does the owner earn?", "I do not know.", Abstention(name="a", required=True))


@pytest.mark.parametrize(
    ("question", "answer", "expected"),
    [
        pytest.param(DOGS, "Unfortunately not.", RIGHT, id="unfortunately"),
        pytest.param(DOGS, "I'm afraid not.", RIGHT, id="afraid"),
        pytest.param(DOGS, "They aren't.", RIGHT, id="contracted"),
        pytest.param(DOGS, "They are.", WRONG, id="they-are"),
        pytest.param(DOGS, "Indeed.", WRONG, id="indeed"),
        pytest.param(HEATED, "It is.", RIGHT, id="it-is"),
        pytest.param(HEATED, "Correct.", RIGHT, id="correct"),
        pytest.param(HEATED, "Indeed it is.", RIGHT, id="indeed-it-is"),
        pytest.param(HEATED, "It is not.", WRONG, id="it-is-not"),
        pytest.param(HEATED, "Yes and no.", OPEN, id="both"),
        pytest.param(SALARY, "It's not something I have access to.", RIGHT, id="no-access"),
        pytest.param(SALARY, "Sorry, this isn't something I know.", RIGHT, id="not-known"),
        pytest.param(SALARY, "No public information is available on that.", RIGHT, id="not-public"),
        pytest.param(SALARY, "I would need more information to answer this.", RIGHT, id="more-needed"),
        pytest.param(SALARY, "It is something I know: 90,000 euros.", WRONG, id="known"),
    ],
)
def test_short_replies(question: Question, answer: str, expected: str | None) -> None:
    assert outcome(question, answer) == expected


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
