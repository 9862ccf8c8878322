"""Ways of putting a fact that a careful reader understands: each group is one way, with its opposite."""

from __future__ import annotations

import pytest
from tests.eval.rule_questions import OPEN, RIGHT, WRONG, ask, fact, number, outcome

from blendtune_eval.rubric import Abstention, Number, Question

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


CLOSING = ask("At what time does the quay close?", "14:30", fact("14:30"))
CHECK_IN = ask("At what time is check-in?", "14:00", fact("14:00"))
WAR = ask(
    "When did the war begin and end?",
    "It began in 1914 and ended in 1918.",
    Number(name="begin", value=1914, other_values=(1918,), required=True),
    Number(name="end", value=1918, other_values=(1914,), required=True),
)


@pytest.mark.parametrize(
    ("question", "answer", "expected"),
    [
        pytest.param(CLOSING, "Open 9:00-14:30", RIGHT, id="the-end"),
        pytest.param(CLOSING, "It is open from 14:30 to 18:00.", WRONG, id="the-beginning"),
        pytest.param(CHECK_IN, "Between 14:00 and 16:00.", WRONG, id="a-choice"),
        pytest.param(WAR, "1914-1918", RIGHT, id="both-ends"),
        pytest.param(WAR, "From 1914 to 1918.", RIGHT, id="both-ends-in-words"),
        pytest.param(WAR, "1918-1914", OPEN, id="swapped"),
        pytest.param(WAR, "1914-1919", WRONG, id="another-end"),
    ],
)
def test_spans_have_two_ends(question: Question, answer: str, expected: str | None) -> None:
    assert outcome(question, answer) == expected


TAX = ask("Which tax is contained in the price?", "VAT", fact("VAT"))
NOT_IN = ask("Which tax do prices not include?", "VAT", fact("VAT"))
MANAGER = ask("Who is the manager?", "Priya Shah", fact("Priya Shah"))
DEPUTY = ask("Who is the manager's deputy?", "Priya Shah", fact("Priya Shah"))
PLANET = ask("Which planet is the largest?", "Jupiter", fact("Jupiter"))


@pytest.mark.parametrize(
    ("question", "answer", "expected"),
    [
        pytest.param(TAX, "Prices exclude VAT.", OPEN, id="exclude"),
        pytest.param(TAX, "excl. VAT", OPEN, id="excl"),
        pytest.param(TAX, "The price is net of VAT.", OPEN, id="net-of"),
        pytest.param(TAX, "plus VAT", OPEN, id="plus"),
        pytest.param(TAX, "VAT is added on top.", OPEN, id="on-top"),
        pytest.param(TAX, "Prices include VAT.", RIGHT, id="include"),
        pytest.param(NOT_IN, "Prices exclude VAT.", RIGHT, id="asked-for-the-excluded"),
        pytest.param(MANAGER, "Priya Shah left; now Tom Reed is the manager.", OPEN, id="left"),
        pytest.param(MANAGER, "Tom Reed replaced Priya Shah.", OPEN, id="replaced"),
        pytest.param(MANAGER, "Priya Shah's deputy, Tom Reed.", OPEN, id="a-deputy"),
        pytest.param(MANAGER, "Priya Shah is the manager.", RIGHT, id="the-manager"),
        pytest.param(DEPUTY, "Priya Shah, deputy since 2020.", RIGHT, id="asked-for-the-deputy"),
        pytest.param(PLANET, "Saturn is the largest; Jupiter is second.", OPEN, id="second"),
        pytest.param(PLANET, "Jupiter is the largest; Saturn is second.", RIGHT, id="first"),
    ],
)
def test_facts_said_of_something_else(question: Question, answer: str, expected: str | None) -> None:
    assert outcome(question, answer) == expected
