"""Questions of one kind of criterion, and how the rules judge an answer to them."""

from __future__ import annotations

from blendtune_api.v1alpha1 import Role
from blendtune_eval.judging.judge import Rules
from blendtune_eval.rubric import Criterion, Fact, Number, Question

RIGHT, WRONG, OPEN = "correct", "wrong", None


def ask(prompt: str, reference: str, *criteria: Criterion) -> Question:
    return Question(
        id="q", category="c", domain=Role.GENERAL, prompt=prompt, reference=reference, criteria=criteria
    )


def number(value: float, unit: str = "", *aliases: str) -> Number:
    return Number(name="n", value=value, unit=unit, unit_aliases=aliases, required=True)


def fact(*any_of: str) -> Fact:
    return Fact(name="f", any_of=any_of, required=True)


def outcome(question: Question, answer: str) -> str | None:
    score = Rules().judge(question, question.prompt, answer)
    return score.outcome and score.outcome.value
