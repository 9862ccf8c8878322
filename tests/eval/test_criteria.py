"""What the rules make of an answer: each case is an answer and whether it meets the criterion."""

from __future__ import annotations

import pytest

from blendtune_eval.rubric import Abstention, Fact, Forbidden, Number
from blendtune_eval.rules.abstention import declines
from blendtune_eval.rules.claims import read_answer
from blendtune_eval.rules.criteria import check

PARIS = Fact(name="paris", any_of=("Paris",))
CAPITAL = "What is the capital of France?"


@pytest.mark.parametrize(
    ("answer", "met"),
    [
        pytest.param("Paris", True, id="bare"),
        pytest.param("The capital of France is **Paris**.", True, id="markdown"),
        pytest.param("PARIS!", True, id="upper-case"),
        pytest.param("It is Paris's old centre.", True, id="possessive"),
        pytest.param("comparison is hard", False, id="inside-a-word"),
        pytest.param("Parisian food is good.", False, id="prefix-of-a-word"),
        pytest.param("", False, id="empty"),
        pytest.param("The capital is not Paris.", False, id="negated"),
        pytest.param("It isn't Paris.", False, id="contraction"),
        pytest.param("It isn’t Paris.", False, id="typographic-apostrophe"),
        pytest.param("It is not Lyon but Paris.", True, id="corrected"),
        pytest.param("It is not Lyon, it is Paris.", True, id="corrected-by-comma"),
        pytest.param("Not Lyon; Paris.", True, id="corrected-by-semicolon"),
        pytest.param("No, it is Paris.", True, id="no-as-interjection"),
        pytest.param("No it is Paris", True, id="no-without-comma"),
        pytest.param("Paris is not the capital of France.", False, id="denied-subject"),
        pytest.param("Paris would be wrong.", False, id="would-be-wrong"),
        pytest.param("Paris cannot be the capital.", False, id="cannot-be"),
        pytest.param(
            "I do not think that the capital city of that country is Paris.", False, id="disbelieved"
        ),
        pytest.param(
            "It is false that the seat of the French government is in Paris.", False, id="false-that"
        ),
        pytest.param("It is not only Paris.", True, id="not-only"),
        pytest.param("There is no doubt that it is Paris.", True, id="no-doubt"),
        pytest.param("It is Paris rather than Lyon.", True, id="rather-than-other"),
        pytest.param("It is Lyon rather than Paris.", False, id="rather-than"),
        pytest.param("Lyon, instead of Paris.", False, id="instead-of"),
        pytest.param("The capital is never Paris.", False, id="never"),
        pytest.param("Neither Lyon nor Paris.", False, id="nor"),
        pytest.param("It might be Paris or Lyon.", False, id="hedged"),
        pytest.param("Either Lyon or Paris, I guess.", False, id="either-or"),
        pytest.param("You can pay in Paris or Lyon.", True, id="plain-or"),
        pytest.param("I think it is Paris.", True, id="opinion"),
        pytest.param("The capital is Lyon. No. It is Paris.", True, id="sentence-ends-the-negation"),
        pytest.param("It is not clear to me, however Paris seems right.", True, id="however"),
        pytest.param("No, Paris or its suburbs.", True, id="no-as-interjection-before-or"),
        pytest.param("I do not know if it is Paris.", False, id="unsure-if"),
        pytest.param("If you mean France, it is Paris.", True, id="after-an-if-clause"),
        pytest.param("You need no visa unless you land in Paris.", True, id="unless-ends-the-negation"),
    ],
)
def test_fact(answer: str, met: bool) -> None:
    assert check(PARIS, read_answer(answer, CAPITAL)).met is met


@pytest.mark.parametrize(
    ("aliases", "answer", "met"),
    [
        pytest.param(["second-price"], "A second price auction.", True, id="hyphen-in-alias"),
        pytest.param(["second price"], "It runs second-price auctions.", True, id="hyphen-in-answer"),
        pytest.param(["J. K. Rowling"], "It was J.K. Rowling.", True, id="initials"),
        pytest.param(["JK Rowling"], "J. K. Rowling wrote it", True, id="spaced-initials"),
        pytest.param(["USA"], "In the U.S.A. it is so.", True, id="dotted-acronym"),
        pytest.param(["São Paulo"], "sao paulo", True, id="accents"),
        pytest.param(["advertis*"], "They want advertisers.", True, id="any-ending"),
        pytest.param(["advertis*"], "They want ads.", False, id="any-ending-absent"),
        pytest.param(["St. Louis"], "The arch is in St. Louis.", True, id="abbreviation"),
        pytest.param(["12:30"], "Lunch is at 12:30.", True, id="clock"),
        pytest.param(["2,000"], "There are 2000 of them.", True, id="number-as-alias"),
        pytest.param(["H2O"], "Its formula is H2O.", True, id="formula"),
        pytest.param(["H2O"], "Its formula is H₂O.", True, id="subscript"),
        pytest.param(["refundable"], "The fee is non-refundable.", False, id="non-"),
        pytest.param(["free"], "It is not free of charge.", False, id="not-free"),
        pytest.param(
            ["sunlight"], "The moon has no light of its own, it reflects sunlight.", True, id="new-clause"
        ),
        pytest.param(["Nice"], "Not Lyon, Nice or Lille.", False, id="negated-list"),
        pytest.param(
            ["do not set the pixel"],
            "No, do not set the pixel or use any other tracker.",
            True,
            id="no-before-alternatives",
        ),
        pytest.param(["first week"], "If you ask in the first week, you get it.", True, id="a-condition"),
        pytest.param(["lower ... bid*"], "Lower each of its bids.", True, id="a-gap"),
        pytest.param(["lower ... bid*"], "Lower bids.", True, id="an-empty-gap"),
        pytest.param(["lower ... bid*"], "Lower all that you pay for a bid.", False, id="too-wide-a-gap"),
        pytest.param(["should ... load it"], "They should not load it.", False, id="no-negation-in-a-gap"),
        pytest.param(["lower ... bid*"], "Lower the floor. Bid more.", False, id="no-sentence-in-a-gap"),
        pytest.param(["lower ... bid*"], "Do not lower the bid.", False, id="a-gap-denied"),
        pytest.param(["stays off"], "Without consent the pixel stays off.", True, id="without-a-noun"),
        pytest.param(["pixel"], "Go on without using the pixel.", False, id="without-a-verb"),
        pytest.param(["pixel"], "Go on without the pixel.", False, id="without-it"),
        pytest.param(["load it"], "Do not hesitate to load it.", True, id="do-not-hesitate"),
        pytest.param(["cannot last"], "It is not credible and cannot last.", True, id="second-predicate"),
        pytest.param(["safe"], "It is not cheap and safe.", False, id="same-predicate"),
    ],
)
def test_fact_wording(aliases: list[str], answer: str, met: bool) -> None:
    assert check(Fact(name="it", any_of=tuple(aliases)), read_answer(answer, "Which is it?")).met is met


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


FLAT = Forbidden(name="flat", any_of=("the earth is flat", "flat earth"))


@pytest.mark.parametrize(
    ("answer", "made"),
    [
        pytest.param("The Earth is flat.", True, id="claimed"),
        pytest.param("Yes, the earth is flat.", True, id="agrees-with-the-premise"),
        pytest.param("It is not true that the earth is flat.", False, id="denied"),
        pytest.param("No, it is a myth that the earth is flat.", False, id="myth"),
        pytest.param("Is it true that the earth is flat? No, it is round.", False, id="question-echoed"),
        pytest.param("The Earth is round.", False, id="absent"),
        pytest.param("Perhaps the earth is flat or hollow.", True, id="hedging-does-not-excuse"),
    ],
)
def test_forbidden(answer: str, made: bool) -> None:
    assert check(FLAT, read_answer(answer, "Is it true that the earth is flat?")).met is made


@pytest.mark.parametrize(
    ("answer", "made"),
    [
        pytest.param("Keep the ads running.", True, id="claimed"),
        pytest.param("If you keep the ads running, you waste money.", False, id="if-clause"),
        pytest.param("You waste money if you keep the ads running.", False, id="if-clause-at-the-end"),
        pytest.param("You lose unless you keep the ads running.", False, id="unless-clause"),
        pytest.param(
            "If you pause or keep the ads running, you could waste money.", False, id="hedged-if-clause"
        ),
        pytest.param("If you want more sales, keep the ads running.", True, id="after-the-if-clause"),
        pytest.param("If it sells then keep the ads running.", True, id="after-then"),
        pytest.param("If possible keep the ads running.", True, id="if-possible"),
        pytest.param("Keep the ads running if stock lasts.", True, id="before-the-if-clause"),
        pytest.param("No, keep the ads running or add more.", True, id="no-before-alternatives"),
        pytest.param("No, do not keep the ads running or add more.", False, id="no-and-denied"),
    ],
)
def test_forbidden_clauses(answer: str, made: bool) -> None:
    claim = Forbidden(name="keeps", any_of=("keep the ads running",))
    assert check(claim, read_answer(answer, "The shop is sold out. What now?")).met is made


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param("Tell me which auction has the highest bidder pay the second highest bid.", id="copied"),
        pytest.param(
            "You asked: which auction has the highest bidder pay the second highest bid", id="copied-in-part"
        ),
        pytest.param("Which auction has the highest bidder pay the second highest bid?", id="asked-back"),
    ],
)
def test_repeating_the_question_earns_nothing(answer: str) -> None:
    prompt = "Tell me which auction has the highest bidder pay the second highest bid."
    assert not check(Fact(name="f", any_of=("second highest",)), read_answer(answer, prompt)).met


def test_own_words_about_the_question_count() -> None:
    fact = Fact(name="f", any_of=("Pacific",))
    prompt = "Which ocean is larger, the Atlantic or the Pacific?"
    assert check(fact, read_answer("The larger ocean is the Pacific.", prompt)).met


@pytest.mark.parametrize(
    ("answer", "declined"),
    [
        pytest.param("I don't know.", True, id="do-not-know"),
        pytest.param("I’m not sure about that.", True, id="not-sure"),
        pytest.param("I'm sorry, but I can't help with that.", True, id="sorry"),
        pytest.param("I cannot predict next year's price.", True, id="cannot-predict"),
        pytest.param("That can't be known in advance.", True, id="cannot-be-known"),
        pytest.param("There is no way to know.", True, id="no-way"),
        pytest.param("The handbook does not specify this.", True, id="not-specified"),
        pytest.param("As an AI language model, I do not have opinions.", True, id="as-an-ai"),
        pytest.param("Nobody knows.", True, id="nobody-knows"),
        pytest.param("I am unable to answer.", True, id="unable"),
        pytest.param("I'm not able to access your account.", True, id="not-able-to-access"),
        pytest.param("I won't write fake reviews.", True, id="will-not-write"),
        pytest.param("I can't write that e-mail.", True, id="cannot-write"),
        pytest.param("I can’t create such a message.", True, id="cannot-create"),
        pytest.param("I cannot access your diary.", True, id="i-cannot-access"),
        pytest.param("Das weiß ich leider nicht.", True, id="german"),
        pytest.param("Je ne sais pas.", True, id="french"),
        pytest.param("No lo sé.", True, id="spanish"),
        pytest.param("No se puede pagar en efectivo.", False, id="a-rule-in-spanish"),
        pytest.param("Non lo so.", True, id="italian"),
        pytest.param("Não sei.", True, id="portuguese"),
        pytest.param("我不知道。", True, id="chinese"),
        pytest.param("Sorry, cannot access that.", True, id="cannot-access"),
        pytest.param("Guests cannot access the dashboard.", False, id="a-rule-about-access"),
        pytest.param("Members can log in but cannot access invoices.", False, id="a-rule-about-members"),
        pytest.param("Refunds are not available.", False, id="a-claim-about-refunds"),
        pytest.param("We cannot provide refunds.", False, id="a-policy"),
        pytest.param("I do not have any information about that.", True, id="no-information"),
        pytest.param("I don't have real-time data, so it's anyone's guess.", True, id="no-data"),
        pytest.param("I don't have that.", True, id="not-that"),
        pytest.param("I do not have any doubt: it will cost exactly 45 dollars.", False, id="no-doubt"),
        pytest.param("I don't have any doubt about the data: 45 dollars.", False, id="no-doubt-about-data"),
        pytest.param("I do not have to look it up: 45 dollars.", False, id="need-not"),
        pytest.param("Paris.", False, id="an-answer"),
        pytest.param("No.", False, id="no"),
        pytest.param("", False, id="empty"),
    ],
)
def test_declines(answer: str, declined: bool) -> None:
    assert declines(answer) is declined


@pytest.mark.parametrize(
    ("answer", "met"),
    [
        pytest.param(
            "I do not know the exact figure, but in ten years this kettle will cost 45 dollars.",
            False,
            id="but",
        ),
        pytest.param("I cannot predict that. However, it will cost $45.", False, id="however"),
        pytest.param("Nobody knows. Still, forty-five dollars is what it will be.", False, id="still"),
        pytest.param(
            "Its price has not been set, but it will be 45 dollars.", False, id="in the rubric's words"
        ),
        pytest.param("I'm not sure, but in ten years it will cost more.", True, id="the question's number"),
        pytest.param("I don't know, but it might be 45 or 50 dollars.", True, id="no more than a guess"),
        pytest.param("I don't know, but I can't say that it will cost 45 dollars.", True, id="denied"),
        pytest.param(
            "It is still unknown what it will cost, and so it was in 2020.", True, id="still unknown"
        ),
        pytest.param("Its price has not been set, but it will rise.", True, id="without a number"),
    ],
)
def test_who_gives_a_number_after_all_does_not_abstain(answer: str, met: bool) -> None:
    price = Abstention(name="does-not-know", any_of=("not been set",))
    prompt = "What exactly will this kettle cost in ten years?"
    assert check(price, read_answer(answer, prompt)).met is met


def test_abstention_takes_phrases_of_its_own() -> None:
    mars = Abstention(name="nobody-yet", any_of=("no one has", "nobody has"))
    prompt = "Who was the first person on Mars?"
    assert check(mars, read_answer("No one has been to Mars.", prompt)).met
    assert check(mars, read_answer("I don't know.", prompt)).met
    assert not check(mars, read_answer("It is not true that no one has.", prompt)).met
    assert not check(mars, read_answer("Neil Armstrong.", prompt)).met
