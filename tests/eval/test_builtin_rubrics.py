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
    assert Role.GENERAL in {question.domain for question in rubric.questions}


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


def test_a_run_can_ask_more_general_questions_than_its_rubric_names() -> None:
    """Both general parts stand before the own questions; what both name is asked once."""
    own = parse(OWN, "r.yaml")
    assert parse(OWN, "r.yaml", "business45") == own
    more, source = parse(OWN, "r.yaml", "general300"), load_builtin("general300")
    assert more.questions == (*source.questions, *own.questions)
    assert more.categories == (*source.categories, *own.categories)
    assert (more.name, more.digest != own.digest) == ("own", True)
    with pytest.raises(InvalidRubric, match="generalFrom: no built-in rubric of this name"):
        parse(OWN, "r.yaml", "general301")


def test_an_own_wording_that_is_among_the_general_ones_is_named_with_its_line() -> None:
    text = OWN.replace(
        "In how many days may a kettle come back?", "What is 7 times 8? Reply with the number only."
    )
    with pytest.raises(
        InvalidRubric, match=r"r.yaml:7: .* occurs already in question easy-seven-times-eight"
    ):
        parse(text, "r.yaml", "general300")


def test_code_in_fences_tells_wordings_apart() -> None:
    program = "What is printed?\\n\\n```python\\nprint({})\\n```"
    text = OWN.replace("In how many days may a kettle come back?", program.format(1))
    more = text.partition("- id: window")[2].replace("print(1)", "print(2)")
    assert len(parse(f"{text}- id: other{more}", "r.yaml").questions) == 24
    with pytest.raises(InvalidRubric, match="occurs already in question window"):
        parse(f"{text}- id: other{more.replace('print(2)', 'print(1)')}", "r.yaml")


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
