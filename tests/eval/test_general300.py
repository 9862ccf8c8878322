"""The 300 general questions: references recomputed, wrong answers refused, none asked twice."""

from __future__ import annotations

import io
import re
from collections import Counter
from contextlib import redirect_stdout
from fractions import Fraction
from itertools import combinations
from pathlib import Path

import pytest
import yaml
from tests.eval.general300.computed import COMPUTED

from blendtune_api.v1alpha1 import Role
from blendtune_eval.judging.judge import Rules
from blendtune_eval.rubric import Abstention, Fact, Number, Question
from blendtune_eval.rubrics.lint import warnings
from blendtune_eval.rubrics.loader import load_builtin

LEVELS = ("easy", "medium", "hard")
QUESTIONS = load_builtin("general300").questions
WRONG = yaml.safe_load((Path(__file__).parent / "general300" / "wrong_answers.yaml").read_text("utf-8"))
CODE = re.compile(r"```python\n(.+?)```", re.DOTALL)
SENTENCES = ("general-honesty", "general-instructions", "general-logic")  # their references stand alone
GRAM = 5  # words
STOCK_PHRASE = 4  # questions that a run of words occurs in, from which on it tells nothing of likeness
MOST_SHARED = 0.4  # of two questions' runs of words

asked = pytest.mark.parametrize("question", [pytest.param(each, id=each.id) for each in QUESTIONS])


def answered(question: Question) -> str:
    """The reference in the usual sentence; where it is one by itself, as it stands."""
    first = question.criteria[0]
    if isinstance(first, Number):
        return f"The answer is {first.value:.12g} {first.unit}".rstrip() + "."
    if isinstance(first, Fact) and question.category not in SENTENCES:
        return f"The answer is {first.any_of[0].rstrip('*')}."
    return question.reference


@asked
def test_right_wrong_and_repeated_answers_are_told_apart(question: Question) -> None:
    right, wrong = answered(question), WRONG[question.id]
    wrong_ones = [wrong] if question.category == "general-honesty" else [wrong, f"The answer is {wrong}."]
    for wording in question.wordings:
        judge = Rules()
        assert judge.judge(question, wording, right).score == 1, right
        assert [judge.judge(question, wording, each).score for each in wrong_ones] == [0] * len(wrong_ones)
        assert judge.judge(question, wording, wording).score == 0


@pytest.mark.parametrize("identifier", COMPUTED)
def test_computed_references(identifier: str) -> None:
    criterion = next(question for question in QUESTIONS if question.id == identifier).criteria[0]
    value = COMPUTED[identifier]
    if isinstance(criterion, Number):
        assert not isinstance(value, str)
        assert abs(Fraction(value) - Fraction(str(criterion.value))) <= Fraction(str(criterion.tolerance))
    else:
        assert isinstance(criterion, Fact)
        assert value in criterion.any_of


@pytest.mark.parametrize(
    "question", [pytest.param(each, id=each.id) for each in QUESTIONS if each.category == "general-code"]
)
def test_programs_print_their_references(question: Question) -> None:
    programs = {program for wording in question.wordings for program in CODE.findall(wording)}
    (program,) = programs
    printed = io.StringIO()
    with redirect_stdout(printed):
        exec(program, {})
    (criterion,) = question.criteria
    if isinstance(criterion, Number):
        assert float(printed.getvalue()) == criterion.value
    else:
        assert isinstance(criterion, Fact)
        assert (printed.getvalue().strip(),) == criterion.any_of


def test_what_can_be_computed_is() -> None:
    """Every number of these categories, and every string that an instruction makes of another."""
    made = {"general-arithmetic", "general-instructions"}
    missing = [q.id for q in QUESTIONS if q.category in made and q.id not in COMPUTED]
    assert missing == ["medium-letter-of-the-metal"]  # a matter of knowing what a metal is


def test_three_hundred_questions_of_three_difficulties_in_eight_categories() -> None:
    counts = Counter((question.category, question.id.partition("-")[0]) for question in QUESTIONS)
    assert counts.total() == 300
    assert {level: sum(n for (_, each), n in counts.items() if each == level) for level in LEVELS} == {
        "easy": 100, "medium": 100, "hard": 100,
    }  # fmt: skip
    by_category = Counter(question.category for question in QUESTIONS)
    assert len(by_category) == 8
    assert all(3 * counts[category, level] == n for category, n in by_category.items() for level in LEVELS)
    assert {len(question.wordings) for question in QUESTIONS} == {2}
    assert {question.domain for question in QUESTIONS} == {Role.GENERAL}
    assert sum(isinstance(question.criteria[0], Abstention) for question in QUESTIONS) == 20
    assert set(WRONG) == {question.id for question in QUESTIONS}


def test_no_question_is_near_another_one() -> None:
    others = [
        each for name in ("business45", "healthcare45", "legal45") for each in load_builtin(name).questions
    ]
    runs = {
        question.id: {run for wording in question.wordings for run in _runs(wording)}
        for question in (*QUESTIONS, *others)
    }
    common = Counter(run for each in runs.values() for run in each)
    telling = {name: {run for run in each if common[run] < STOCK_PHRASE} for name, each in runs.items()}
    near = [
        (one, other)
        for one, other in combinations(telling, 2)
        if one in WRONG
        and len(telling[one] & telling[other])
        > MOST_SHARED * max(8, min(len(telling[one]), len(telling[other])))
    ]
    assert near == []
    doubtful = [str(fault) for fault in warnings(load_builtin("general300"), {})]
    assert [each for each in doubtful if "shares" in each] == []


def _runs(wording: str) -> set[tuple[str, ...]]:
    words = re.findall(r"\w+", wording.casefold())
    return {tuple(words[at : at + GRAM]) for at in range(len(words) - GRAM + 1)}
