"""The examples in docs/evaluation.md are what they say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from blendtune_api import codec
from blendtune_api.v1alpha1 import Judge
from blendtune_eval.judging.judge import Rules
from blendtune_eval.rubric import CriterionKind, Rubric
from blendtune_eval.rubrics.loader import parse

DOCUMENT = (Path(__file__).parents[2] / "docs" / "evaluation.md").read_text(encoding="utf-8")
JUDGED = re.findall(r"^\| (.+) \| (\d\.\d\d) \| (\w+) \|$", DOCUMENT, re.MULTILINE)


@pytest.fixture(scope="module")
def documented() -> Rubric:
    block, *_ = re.findall(r"```yaml\n(.+?)```", DOCUMENT, re.DOTALL)
    return parse(block, "evaluation.md")


def test_the_example_shows_every_kind(documented: Rubric) -> None:
    kinds = {criterion.kind for question in documented.questions for criterion in question.criteria}
    assert kinds == set(CriterionKind)


def test_answers_are_shown() -> None:
    assert {outcome for _, _, outcome in JUDGED} == {"correct", "wrong", "notAttempted"}


@pytest.mark.parametrize(("answer", "score", "outcome"), JUDGED)
def test_answers_are_judged_as_shown(documented: Rubric, answer: str, score: str, outcome: str) -> None:
    question = next(question for question in documented.questions if question.id == "return-period")
    judged = Rules().judge(question, question.prompt, answer)
    assert (f"{judged.score:.2f}", judged.outcome) == (score, outcome)


def test_the_example_of_a_judge_model_is_a_judge() -> None:
    _, _, section = DOCUMENT.partition("## A model as judge\n")
    block = re.findall(r"```yaml\n(.+?)```", section, re.DOTALL)[0]
    judge = codec.decode(Judge, yaml.safe_load(block)["judge"])
    assert judge.open_ai is not None
    assert judge.open_ai.api_key_secret_ref is not None
