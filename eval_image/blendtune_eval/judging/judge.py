"""What a judge is, and the judge by rules."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from blendtune_api.v1alpha1 import JudgeKind
from blendtune_eval.rubric import Question
from blendtune_eval.rules.abstention import declines
from blendtune_eval.rules.claims import read_answer
from blendtune_eval.rules.criteria import check
from blendtune_eval.rules.reply import read_reply
from blendtune_eval.scoring.score import UNFINISHED, WordingScore, score_wording

RULES_VERSION = "8"  # grows whenever a rule changes, so that scores of different rules are never compared


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """One answer to one wording of a question."""

    question: Question
    wording: str
    answer: str


@dataclass(frozen=True, kw_only=True, slots=True)
class AnchorFinding:
    """Whether a judge's verdicts on an anchor are right. `fault` says what is wrong; empty where none is."""

    name: str
    fault: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Judgements:
    """The scores of cases, in their order, with a statement for the reader on what they are worth."""

    scores: tuple[WordingScore, ...]
    statement: str
    anchors: tuple[AnchorFinding, ...] = ()


class Judge(Protocol):
    """Scores answers. Scores of judges with different digests are not comparable."""

    @property
    def kind(self) -> JudgeKind: ...

    @property
    def digest(self) -> str: ...

    def judge_all(self, cases: Sequence[Case]) -> Judgements:
        """One score for each case. A case that could not be judged is unscored, with the reason."""
        ...


class Rules:
    """Deterministic and offline: checks the listed facts, numbers, claims and abstentions, and nothing else.

    It misses valid wordings that the rubric does not list, judges neither style nor reasoning, and can be
    pleased by stuffing an answer with key words.
    """

    kind = JudgeKind.RULES
    digest = hashlib.sha256(f"{JudgeKind.RULES}:{RULES_VERSION}".encode()).hexdigest()
    statement = (
        "checks the listed facts, numbers, claims and abstentions, and nothing else. It misses valid "
        "wordings that are not listed, and judges neither style nor reasoning."
    )

    def judge_all(self, cases: Sequence[Case]) -> Judgements:
        scores = tuple(self.judge(case.question, case.wording, case.answer) for case in cases)
        return Judgements(scores=scores, statement=self.statement)

    def judge(self, question: Question, wording: str, answer: str) -> WordingScore:
        """The score of a generated text. What is judged is the answer in it, without thoughts."""
        reply = read_reply(answer)
        if reply.unfinished:
            return WordingScore(unscored=UNFINISHED, unfinished=True)
        read = read_answer(reply.answer, wording)
        verdicts = [check(criterion, read, question) for criterion in question.criteria]
        declined = not any(character.isalnum() for character in reply.answer) or declines(
            reply.answer, wording
        )
        return score_wording(question, verdicts, declined=declined)
