"""Which answers decline, by the rules."""

from __future__ import annotations

import pytest
from tests.eval.criterion_checks import check

from blendtune_eval.rubric import Abstention
from blendtune_eval.rules.abstention import declines
from blendtune_eval.rules.claims import read_answer


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
