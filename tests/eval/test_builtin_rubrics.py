"""The rubrics that ship with Blendtune, and rubrics that take over their general half."""

from __future__ import annotations

import pytest

from blendtune_api.v1alpha1 import (
    Role,
)
from blendtune_eval.rubrics.entries import InvalidRubric
from blendtune_eval.rubrics.loader import builtin_names, load_builtin, parse


@pytest.mark.parametrize("name", builtin_names())
def test_builtin_rubrics_are_sound(name: str) -> None:
    rubric = load_builtin(name)
    assert rubric.name == name
    assert {question.domain for question in rubric.questions} == set(Role)


OWN = """\
name: own
version: 1.0
generalFrom: business45
categories:
- {name: shop, title: Shop}
questions:
- id: window
  category: shop
  domain: inDomain
  prompt: "In how many days may a kettle come back?"
  reference: "In 30 days."
  criteria:
  - {name: days, kind: Number, value: 30, unit: days, required: true}
"""


def test_the_general_half_of_a_builtin_rubric_can_be_taken_over() -> None:
    own, source = parse(OWN, "r.yaml"), load_builtin("business45")
    general = tuple(question for question in source.questions if question.domain is Role.GENERAL)
    assert own.questions[:-1] == general
    assert own.questions[-1].id == "window"
    assert [category.name for category in own.categories] == [
        "world-knowledge", "language-and-instructions", "arithmetic-and-logic", "safety-and-honesty", "shop",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        pytest.param(
            "business45", "business46", "generalFrom: no built-in rubric of this name", id="unknown"
        ),
        pytest.param("id: window", "id: general-loaves", "taken by rubric business45", id="id-taken"),
        pytest.param(
            "In how many days may a kettle come back?",
            "Which chemical element has the symbol W?",
            "occurs already in question general-symbol-w",
            id="wording-taken",
        ),
        pytest.param("name: shop, ", "name: world-knowledge, ", "is declared 2 times", id="category-taken"),
    ],
)
def test_what_is_taken_over_is_not_repeated(old: str, new: str, message: str) -> None:
    with pytest.raises(InvalidRubric, match=message):
        parse(OWN.replace(old, new), "r.yaml")


def test_business45_is_what_it_says() -> None:
    rubric = load_builtin("business45")
    assert len(rubric.questions) == 45
    assert len(rubric.categories) == 8
    assert all(len(question.paraphrases) == 2 for question in rubric.questions)


def test_unknown_builtin() -> None:
    with pytest.raises(InvalidRubric, match="there are: business45"):
        load_builtin("business46")
