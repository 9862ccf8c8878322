"""Which answers are in another script or language than what is looked for."""

from __future__ import annotations

import pytest

from blendtune_api.v1alpha1 import Role
from blendtune_eval.judging.judge import Rules
from blendtune_eval.rubric import Fact, Question
from blendtune_eval.rules.scripts import in_another_script
from blendtune_eval.scoring.score import Outcome


@pytest.mark.parametrize(
    ("text", "expected", "found"),
    [
        pytest.param("rome", "Paris", False, id="the same script"),
        pytest.param("\u041f\u0430\u0440\u0438\u0436", "Paris", True, id="Cyrillic for Latin"),
        pytest.param("rome", "12", False, id="a word for a number"),
        pytest.param("12", "Paris", False, id="a number for a word"),
        pytest.param("", "Paris", False, id="nothing"),
    ],
)
def test_another_script(text: str, expected: str, found: bool) -> None:
    assert in_another_script(text, expected) is found


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        pytest.param("rome", Outcome.WRONG, id="another word"),
        pytest.param("12", Outcome.CORRECT, id="the number"),
        pytest.param(
            "\u0434\u0432\u0435\u043d\u0430\u0434\u0446\u0430\u0442\u044c", None, id="words of another script"
        ),
    ],
)
def test_a_number_asked_as_a_fact(answer: str, outcome: Outcome | None) -> None:
    question = Question(
        id="price",
        category="shop",
        domain=Role.IN_DOMAIN,
        prompt="which price does mocha have",
        reference="12",
        criteria=(Fact(name="says", any_of=("12",), required=True),),
    )
    assert Rules().judge(question, question.prompt, answer).outcome is outcome
