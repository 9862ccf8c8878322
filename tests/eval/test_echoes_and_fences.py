"""What of an answer is its own: not the repeated question, and of fenced text what the prose announces."""

from __future__ import annotations

import pytest

from blendtune_api.v1alpha1 import Role
from blendtune_eval.judging.judge import Rules
from blendtune_eval.rubric import Fact, Question

PASSAGE = "Nina has three cats. Moss is grey, Pepper is black, and Plum is white."
ASKED = "How is the black cat called?"
QUESTION = Question(
    id="cats",
    category="reading",
    domain=Role.GENERAL,
    prompt=f"{PASSAGE}\n\n{ASKED}",
    reference="It is called Pepper.",
    criteria=(Fact(name="pepper", any_of=("Pepper",), required=True),),
)


@pytest.mark.parametrize(
    ("answer", "score"),
    [
        pytest.param(QUESTION.prompt, 0, id="whole question"),
        pytest.param(PASSAGE, 0, id="whole passage"),
        pytest.param(f"{ASKED} {PASSAGE}", 0, id="in another order"),
        pytest.param(f"{PASSAGE} So it is Pepper.", 1, id="passage and answer"),
        pytest.param("Pepper is black.", 1, id="the sentence that tells it"),
        pytest.param("Pepper is black, and Plum is white.", 1, id="a part of it"),
    ],
)
def test_a_passage_that_is_repeated_over_sentences_is_no_answer(answer: str, score: float) -> None:
    assert Rules().judge(QUESTION, QUESTION.prompt, answer).score == score


@pytest.mark.parametrize(
    ("answer", "score"),
    [
        pytest.param("The name is:\n\n```\nPepper\n```", 1, id="announced"),
        pytest.param("The name is:\n```text\nPepper\n```\nThat is all.", 1, id="announced as text"),
        pytest.param("```\nPepper\n```", 1, id="nothing else"),
        pytest.param("The name is:\n```", 0, id="cut"),
        pytest.param("I would write a program.\n\n```\nPepper\n```", 0, id="not announced"),
        pytest.param("A program that tells it:\n```python\nprint('Pepper')\n```", 0, id="a program"),
    ],
)
def test_fenced_text_counts_where_the_prose_announces_it(answer: str, score: float) -> None:
    assert Rules().judge(QUESTION, QUESTION.prompt, answer).score == score
