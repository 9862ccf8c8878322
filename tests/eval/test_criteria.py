"""Which facts and claims the rules find in an answer: each case says whether it meets the criterion."""

from __future__ import annotations

import pytest
from tests.eval.criterion_checks import check

from blendtune_eval.rubric import Fact, Forbidden
from blendtune_eval.rules.claims import read_answer

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
        pytest.param("Nobody says that Paris is not the capital.", True, id="denied-twice"),
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
        pytest.param(["São Paulo"], "SÃO PAULO", True, id="accents"),
        pytest.param(["São Paulo"], "sao paulo", False, id="accents-left-out"),
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
