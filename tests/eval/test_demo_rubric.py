"""The demo's questions: answers that look right and are wrong, and the reverse."""

from __future__ import annotations

from pathlib import Path

import pytest

from blendtune_eval.judging.judge import Rules
from blendtune_eval.rubric import Rubric
from blendtune_eval.rubrics.loader import load_file
from blendtune_eval.scoring.score import Outcome

DEMO = Path(__file__).parents[2] / "examples" / "demo" / "rubric.yaml"


@pytest.fixture(scope="module")
def demo() -> Rubric:
    return load_file(DEMO)


@pytest.mark.parametrize(
    ("question", "answer", "correct"),
    [
        pytest.param("rhyme-cat", "Hat rhymes with cat.", True, id="rhyme"),
        pytest.param("rhyme-cat", "It is a word that sounds like it.", False, id="that-is-no-rhyme"),
        pytest.param("months-year", "There are twelve months.", True, id="months"),
        pytest.param("months-year", "A year is 365 days, so 365 * 12 = 312 months.", False, id="operand"),
        pytest.param("months-year", "12 days.", False, id="other-unit"),
        pytest.param("seconds-minute", "60 percent.", False, id="percent"),
        pytest.param("seconds-minute", "60 seconds, that is 360 seconds.", False, id="two-values"),
        pytest.param("square", "A square has four equal sides.", True, id="adjective"),
        pytest.param("cm-metre", "One meter is 100 cm.", True, id="abbreviated-unit"),
        pytest.param("boil", "At 100 °C (212 °F).", True, id="both-scales"),
        pytest.param("add-2-2", "Two plus two is four.", True, id="sum-in-words"),
        pytest.param("add-2-2", "2 + 2 = 5", False, id="wrong-sum"),
        pytest.param("mul-3-4", "3 × 4 = 12", True, id="product"),
        pytest.param("mul-3-4", "12 days.", False, id="product-in-days"),
        pytest.param("half-20", "Half of twenty is ten.", True, id="half-in-words"),
        pytest.param("dozen", "A dozen is 12.", True, id="dozen"),
        pytest.param("sort-banana", "It is a fruit, not a vegetable.", True, id="fruit"),
        pytest.param("sort-banana", "It is a fruit, but also a vegetable.", False, id="fruit-and-vegetable"),
        pytest.param("continent-kenya", "Kenya is a continent in East Africa.", False, id="no-continent"),
        pytest.param("doctor-teeth", "In dental care I treat teeth.", False, id="no-profession"),
        pytest.param("doctor-teeth", "Dentists do.", True, id="profession"),
    ],
)
def test_answers(demo: Rubric, question: str, answer: str, correct: bool) -> None:
    asked = next(known for known in demo.questions if known.id == f"general-{question}")
    judged = Rules().judge(asked, asked.prompt, answer)
    assert (judged.outcome is Outcome.CORRECT) is correct, judged
