"""Who decides which criteria an answer meets."""

from __future__ import annotations

import hashlib
from typing import Protocol

from blendtune_api import v1alpha1
from blendtune_api.contract import ExitCode
from blendtune_api.v1alpha1 import JudgeKind, Reason
from blendtune_eval.abstention import declines
from blendtune_eval.claims import read_answer
from blendtune_eval.criteria import check
from blendtune_eval.failures import EvaluationError
from blendtune_eval.rubric import Question
from blendtune_eval.score import PhrasingScore, score_phrasing

RULES_VERSION = "2"  # grows whenever a rule changes, so that scores of different rules are never compared


class Judge(Protocol):
    """Scores one answer at a time. Scores of different kinds or digests are not comparable."""

    @property
    def kind(self) -> JudgeKind: ...

    @property
    def digest(self) -> str: ...

    def judge(self, question: Question, phrasing: str, answer: str) -> PhrasingScore:
        """The answer's score; one without a score, and the reason, where it cannot be judged."""
        ...


class Rules:
    """Deterministic and offline: checks the listed facts, numbers, claims and abstentions, and nothing else.

    It misses valid wordings that the rubric does not list, judges neither style nor reasoning, and can be
    pleased by stuffing an answer with key words.
    """

    kind = JudgeKind.RULES
    digest = hashlib.sha256(f"{JudgeKind.RULES}:{RULES_VERSION}".encode()).hexdigest()

    def judge(self, question: Question, phrasing: str, answer: str) -> PhrasingScore:
        read = read_answer(answer, phrasing)
        verdicts = [check(criterion, read) for criterion in question.criteria]
        return score_phrasing(question, verdicts, declined=not answer.strip() or declines(answer))


def judge_for(spec: v1alpha1.Judge) -> Judge:
    """The judge that the spec names. Raises EvaluationError for a kind that this version does not have."""
    if spec.kind is JudgeKind.RULES:
        return Rules()
    raise EvaluationError(
        ExitCode.BAD_CONFIGURATION,
        Reason.NOT_SUPPORTED,
        f"judge.kind: {spec.kind} is not supported by this version: use {JudgeKind.RULES}",
    )
