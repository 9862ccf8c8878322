"""A criterion that one of several facts or numbers meets."""

from __future__ import annotations

import json

import pytest

from blendtune_eval.judging.judge import Case, Rules
from blendtune_eval.judging.judge_prompt import JudgeRequest
from blendtune_eval.rubric import Question
from blendtune_eval.rubrics.entries import InvalidRubric
from blendtune_eval.rubrics.loader import parse

RUBRIC = """\
name: quay
version: "1"
categories: [{name: way, title: The way}]
questions:
- id: distance
  category: way
  domain: general
  prompt: "How far is the quay from here?"
  reference: "It is 500 metres away."
  criteria:
  - name: near
    kind: Alternatives
    required: true
    anyOf:
    - {kind: Number, value: 500, unit: metres}
    - {kind: Number, value: 6, unit: minutes}
    - {kind: Fact, anyOf: [within sight]}
"""


@pytest.fixture(scope="module")
def question() -> Question:
    return parse(RUBRIC, "rubric.yaml").question("distance")


@pytest.mark.parametrize(
    ("answer", "score"),
    [
        pytest.param("500 metres.", 1.0, id="first"),
        pytest.param("A walk of six minutes.", 1.0, id="second"),
        pytest.param("It is within sight.", 1.0, id="third"),
        pytest.param("0.5 km, or 6 minutes.", 1.0, id="two-of-them"),
        pytest.param("700 metres.", 0.0, id="none"),
        pytest.param("Not within sight.", 0.0, id="denied"),
    ],
)
def test_one_is_enough(question: Question, answer: str, score: float) -> None:
    assert Rules().judge(question, question.prompt, answer).score == score


def test_a_judge_model_is_told_all_of_them(question: Question) -> None:
    request = JudgeRequest(Case(question=question, wording=question.prompt, answer="Near."))
    told = 'states 500 metres, and no other value, or states 6 minutes, and no other value, or states "within'
    assert told in request.messages()[1]["content"]


def test_the_digest_covers_the_kind_of_each() -> None:
    document = json.dumps(parse(RUBRIC, "rubric.yaml").as_json())
    assert document.count('"kind": "Number"') == 2


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        pytest.param("{kind: Abstention}", "an alternative must be a Fact or a Number", id="kind"),
        pytest.param(
            "{kind: Fact, anyOf: [near], points: 2}", "points belongs to the criterion near", id="points"
        ),
        pytest.param("{kind: Fact}", "anyOf is missing", id="field"),
    ],
)
def test_faults_are_named(wrong: str, message: str) -> None:
    with pytest.raises(InvalidRubric, match=message):
        parse(RUBRIC.replace("{kind: Fact, anyOf: [within sight]}", wrong), "rubric.yaml")
