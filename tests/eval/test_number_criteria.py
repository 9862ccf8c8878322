"""Which numbers the rules find in an answer: each case says whether it meets the criterion."""

from __future__ import annotations

import pytest
from tests.eval.criterion_checks import check

from blendtune_eval.rubric import Number
from blendtune_eval.rules.claims import read_answer


@pytest.mark.parametrize(
    ("answer", "met"),
    [
        pytest.param("100 degrees Celsius", True, id="words"),
        pytest.param("It boils at 100°C.", True, id="sign"),
        pytest.param("It boils at 100 °C (212 °F).", True, id="other-unit-beside"),
        pytest.param("It boils at 212 degrees Fahrenheit, 100 degrees Celsius.", True, id="other-unit-first"),
        pytest.param("At one hundred degrees Celsius.", True, id="number-words"),
        pytest.param("A hundred degrees.", True, id="a-hundred"),
        pytest.param("100 °F", False, id="wrong-unit"),
        pytest.param("100", False, id="no-unit"),
        pytest.param("90 °C", False, id="wrong-value"),
        pytest.param("It is not 100 °C.", False, id="negated"),
        pytest.param("It is not 90 °C but 100 °C.", True, id="corrected"),
        pytest.param("100 °C or 90 °C", False, id="two-values"),
        pytest.param("Between 90 and 100 °C", False, id="range"),
        pytest.param("100 °C. Yes, 100 degrees.", True, id="repeated"),
        pytest.param("It does not exceed 100 °C.", True, id="bound"),
    ],
)
def test_number_with_a_unit(answer: str, met: bool) -> None:
    boiling = Number(name="boils-at", value=100, unit="celsius", unit_aliases=("°C", "C", "degrees"))
    assert check(boiling, read_answer(answer, "At what temperature does water boil?")).met is met


@pytest.mark.parametrize(
    ("number", "answer", "met"),
    [
        pytest.param({"value": 8}, "8", True, id="bare"),
        pytest.param({"value": 8}, "There are eight planets.", True, id="word"),
        pytest.param({"value": 8}, "Not 5 but 8.", True, id="not-5-but-8"),
        pytest.param({"value": 5}, "Not 5 but 8.", False, id="not-5-but-8-asked-5"),
        pytest.param({"value": 8}, "8 or 9", False, id="two-values"),
        pytest.param({"value": 8}, "8 planets. Some say 9 planets.", False, id="same-noun"),
        pytest.param({"value": 8}, "8 planets and 200 moons", True, id="other-noun"),
        pytest.param({"value": 8}, "Since 2006 there are 8 planets.", True, id="a-year-beside"),
        pytest.param({"value": 42}, "Forty-two.", True, id="hyphenated-words"),
        pytest.param({"value": 42}, "forty two", True, id="spaced-words"),
        pytest.param({"value": 105}, "one hundred and five", True, id="hundred-and"),
        pytest.param({"value": 1250000}, "1,250,000 people", True, id="thousands"),
        pytest.param({"value": 1250000}, "1.25 million people", True, id="million"),
        pytest.param({"value": 1250}, "1,25", False, id="decimal-comma"),
        pytest.param({"value": 1.25}, "1,25", True, id="decimal-comma-value"),
        pytest.param({"value": 0.5}, "1/2 of it", True, id="fraction"),
        pytest.param({"value": -40}, "At -40 they agree.", True, id="negative"),
        pytest.param({"value": -40}, "At minus 40 they agree.", True, id="minus"),
        pytest.param({"value": -40}, "At −40 they agree.", True, id="minus-sign"),
        pytest.param({"value": -40}, "x = -40", True, id="negative-result"),
        pytest.param({"value": 40}, "At -40 they agree.", False, id="sign-matters"),
        pytest.param({"value": 56}, "7 × 8 = 56", True, id="operands"),
        pytest.param({"value": 180}, "12 × 15 = 120 + 60 = 180", True, id="steps"),
        pytest.param({"value": 35}, "5 × (3 + 4) = 35", True, id="operands-in-brackets"),
        pytest.param({"value": 7}, "3 + 4", False, id="operands-alone"),
        pytest.param({"value": 4.5}, "The ROAS is 4.5x.", True, id="times-sign-of-a-ratio"),
        pytest.param({"value": 4}, "It is 4x the cost.", True, id="x-before-a-word"),
        pytest.param({"value": 4}, "4 x 3 is 12", False, id="x-between-numbers"),
        pytest.param({"value": 200}, "Spend $200/day.", True, id="rate"),
        pytest.param({"value": 200}, "It takes 200+ clicks.", True, id="plus-after"),
        pytest.param({"value": 5}, "Revenue grew by +5%.", True, id="plus-before"),
        pytest.param({"value": 12}, "If you multiply, you get 12.", True, id="after-an-if-clause"),
        pytest.param({"value": 14}, "If you cancel within 14 days, you get it.", True, id="in-an-if-clause"),
        pytest.param({"value": 1889}, "It opened on March 31, 1889.", True, id="date"),
        pytest.param({"value": 1889}, "It opened in 1887 or 1889.", False, id="two-years"),
        pytest.param({"value": 1889, "other_values": (1887,)}, "From 1887 to 1889.", True, id="other-values"),
        pytest.param({"value": 3}, "1. Rome\n2. Oslo\n3. Bonn", False, id="list-numbers"),
        pytest.param({"value": 7}, "One of the sides has 7.", True, id="one-is-vague"),
        pytest.param({"value": 3.14, "tolerance": 0.01}, "About 3.1416.", True, id="tolerance"),
        pytest.param({"value": 3.14, "tolerance": 0.001}, "About 3.15.", False, id="outside-tolerance"),
        pytest.param({"value": 5}, "On the 5th day.", True, id="ordinal"),
        pytest.param({"value": 13}, "Until the thirteenth birthday.", True, id="ordinal-word"),
        pytest.param({"value": 5}, "It is a fifth of it.", False, id="ordinal-as-a-part"),
        pytest.param({"value": 2.25}, "Two and a quarter.", True, id="and-a-quarter"),
        pytest.param({"value": 2.5e6}, "Two and a half million.", True, id="and-a-half-million"),
        pytest.param({"value": 40, "other_values": (60,)}, "40; the markup is 60.", True, id="other-value"),
        pytest.param({"value": 40, "other_values": (60,)}, "40 or 60", False, id="other-value-instead"),
    ],
)
def test_number_without_a_unit(number: dict[str, float], answer: str, met: bool) -> None:
    assert check(Number(name="n", **number), read_answer(answer, "How many?")).met is met  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("value", "unit", "answer", "met"),
    [
        pytest.param(12.5, "percent", "The fee is 12.5%.", True, id="percent-sign"),
        pytest.param(12.5, "%", "The fee is 12.5 per cent.", True, id="per-cent"),
        pytest.param(12.5, "percent", "The fee is $12.5.", False, id="dollars-are-no-percent"),
        pytest.param(5, "$", "It costs $5.00.", True, id="dollar-before"),
        pytest.param(5, "dollars", "It costs 5 US dollars.", True, id="us-dollars"),
        pytest.param(5, "dollars", "It costs USD 5", True, id="code-before"),
        pytest.param(3_000_000, "$", "About $3M.", True, id="dollar-million"),
        pytest.param(3_500, "$", "About $3.5k.", True, id="dollar-k"),
        pytest.param(200, "$", "Spend $200/day.", True, id="dollars-per-day"),
        pytest.param(6_000, "$", "$200/day × 30 days = $6,000", True, id="rate-as-operand"),
        pytest.param(1_000, "$", "$5 per click × 200 clicks = $1,000", True, id="price-as-operand"),
        pytest.param(24, "hours", "3 days × 8 hours = 24 hours", True, id="operands-with-units"),
        pytest.param(60, "$", "12 x $5 = $60", True, id="operand-after-a-currency-sign"),
        pytest.param(4.5, "x", "A ROAS of 4.5x.", True, id="x-as-unit"),
        pytest.param(30, "days", "Within a 30-day window.", True, id="hyphenated-unit"),
        pytest.param(30, "days", "Within 30 (thirty) days.", True, id="number-in-brackets"),
        pytest.param(30, "days", "Within thirty calendar days.", True, id="adjective-between"),
        pytest.param(30, "days", "Within 30 hours.", False, id="other-unit"),
        pytest.param(30, "days", "You have 30 to 60 days.", False, id="range"),
        pytest.param(30, "days", "You cannot claim after 30 days.", True, id="deadline-is-no-negation"),
        pytest.param(30, "days", "No later than 30 days.", True, id="no-later-than"),
        pytest.param(30, "days", "It takes 30 days, not 60 days.", True, id="other-value-denied"),
        pytest.param(10, "minutes", "10 minutes per day", True, id="per"),
        pytest.param(10, "minutes", "ten-minute slots", True, id="word-hyphen-unit"),
        pytest.param(1.2, "$", "120 cents per click", True, id="cents"),
        pytest.param(1.2, "$", "$1.20 or 12 cents", False, id="other-cents"),
        pytest.param(1.2, "£", "120 pence", True, id="pence"),
        pytest.param(0.12, "$", "12 per cent", False, id="per-cent-is-no-cents"),
        pytest.param(1.2, "percent", "120 cents", False, id="cents-are-no-percent"),
    ],
)
def test_number_units(value: float, unit: str, answer: str, met: bool) -> None:
    number = Number(name="n", value=value, unit=unit)
    assert check(number, read_answer(answer, "How much is it?")).met is met


def test_numbers_of_the_question_do_not_contradict() -> None:
    fee = Number(name="fee", value=10, unit="$")
    prompt = "What is the fee on $500 at 2 percent?"
    assert check(fee, read_answer("The fee on $500 is $10.", prompt)).met


def test_two_values_contradict() -> None:
    verdict = check(Number(name="n", value=8), read_answer("It is 8, or 9.", "How many planets?"))
    assert verdict.contradicted
    assert verdict.reason == "says both 8 and 9"
