"""Checks one criterion of a question that has no other."""

from __future__ import annotations

from blendtune_api.v1alpha1 import Role
from blendtune_eval.rubric import Criterion, Question
from blendtune_eval.rules.claims import Answer
from blendtune_eval.rules.criteria import CriterionVerdict
from blendtune_eval.rules.criteria import check as check_of


def check(criterion: Criterion, answer: Answer) -> CriterionVerdict:
    question = Question(
        id="q",
        category="c",
        domain=Role.GENERAL,
        prompt=answer.wording,
        reference="",
        criteria=(criterion,),
    )
    return check_of(criterion, answer, question)
