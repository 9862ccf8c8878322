"""Answers by model, question and wording: nothing depends on where a value stands in a flat list."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from blendtune_eval.answering.checkpoints import Checkpoint
from blendtune_eval.answering.decoding import Decoding
from blendtune_eval.answering.prompts import ChatPrompts
from blendtune_eval.answering.subjects import Subject
from blendtune_eval.answers import AnswerKey, ByWording, question_scores
from blendtune_eval.rubric import Rubric
from blendtune_eval.scoring.score import WordingScore


def model(label: str) -> Subject:
    return Subject(
        label=label,
        checkpoint=Checkpoint(uri="", folder=Path(), digest=""),
        chat=cast(ChatPrompts, None),
        prompts=(),
        decoding=Decoding(
            rendering="", stop_token_ids=(1,), max_new_tokens=1, temperature=0, precision="float32"
        ),
    )


TUNED, BASE = model("tuned"), model("base")


@pytest.fixture
def texts(rubric: Rubric) -> ByWording[str]:
    """What each model says to a wording: its own name, the question and the number of the wording."""
    said = [
        f"{question.id} {number}"
        for question in rubric.questions
        for number, _ in enumerate(question.wordings)
    ]
    return ByWording.of(rubric, {each: [f"{each.label} {text}" for text in said] for each in (TUNED, BASE)})


def test_a_value_is_found_by_model_question_and_wording(texts: ByWording[str]) -> None:
    assert texts[AnswerKey(BASE, "capital", 1)] == "base capital 1"
    assert texts.wordings(TUNED, "refund") == ("tuned refund 0", "tuned refund 1")
    assert texts.wordings(TUNED, "future-price") == ("tuned future-price 0",)
    assert texts.of_model(BASE)[-1] == "base future-price 0"


def test_models_of_one_name_are_two(rubric: Rubric) -> None:
    first, second = model("epoch 1"), model("epoch 1")
    count = len(rubric.wordings)
    answers = ByWording.of(rubric, {first: [1] * count, second: [2] * count})
    assert answers[AnswerKey(first, "capital", 0)] != answers[AnswerKey(second, "capital", 0)]


def test_other_values_have_the_same_keys(texts: ByWording[str]) -> None:
    lengths = texts.with_values([len(text) for text in texts.values()])
    assert all(lengths[key] == len(text) for key, text in texts.items())
    assert texts.map(lambda key, text: (key.wording, text))[AnswerKey(BASE, "refund", 1)] == (
        1,
        "base refund 1",
    )


@pytest.mark.parametrize("change", [-1, 1])
def test_a_value_too_few_or_too_many_is_an_error(texts: ByWording[str], rubric: Rubric, change: int) -> None:
    values: list[Any] = [None] * (len(rubric.wordings) + change)
    with pytest.raises(ValueError, match=r"shorter|longer"):
        ByWording.of(rubric, {TUNED: values})
    with pytest.raises(ValueError, match=r"shorter|longer"):
        texts.with_values([None] * (len(texts.values()) + change))


def test_scores_of_a_model_by_question(rubric: Rubric) -> None:
    values = [WordingScore(score=number / 10) for number, _ in enumerate(rubric.wordings)]
    boiling, *_, price = question_scores(rubric, ByWording.of(rubric, {BASE: values}), BASE)
    assert (boiling.question.id, boiling.score) == ("boiling-point", pytest.approx(0.05))
    assert (price.question.id, price.score) == ("future-price", pytest.approx(0.6))
