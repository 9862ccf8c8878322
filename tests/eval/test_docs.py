"""The examples in docs/evaluation.md are what they say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from blendtune_eval.judge import Rules
from blendtune_eval.loader import parse
from blendtune_eval.rubric import CriterionKind, Rubric

DOCUMENT = (Path(__file__).parents[2] / "docs" / "evaluation.md").read_text(encoding="utf-8")
JUDGED = re.findall(r"^\| (.+) \| (\d\.\d\d) \| (\w+) \|$", DOCUMENT, re.MULTILINE)


@pytest.fixture(scope="module")
def documented() -> Rubric:
    (block,) = re.findall(r"```yaml\n(.+?)```", DOCUMENT, re.DOTALL)
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
