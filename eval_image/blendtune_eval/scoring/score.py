"""From criteria met to points, outcomes and question scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from blendtune_eval.rubric import Abstention, Criterion, Fact, Forbidden, Number, Question
from blendtune_eval.rules.criteria import CriterionVerdict


class Outcome(StrEnum):
    """What became of one answer, after SimpleQA (openai.com/index/introducing-simpleqa)."""

    CORRECT = "correct"
    WRONG = "wrong"
    NOT_ATTEMPTED = "notAttempted"


@dataclass(frozen=True, kw_only=True, slots=True)
class WordingScore:
    """One answer to one wording. Without score and outcome it could not be judged; `unscored` says why."""

    verdicts: tuple[CriterionVerdict, ...] = ()
    score: float | None = None
    outcome: Outcome | None = None
    critical_error: bool = False
    unscored: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class QuestionScore:
    """A question's wordings, canonical first. `score` is their mean; None unless all could be judged."""

    question: Question
    wordings: tuple[WordingScore, ...]

    @property
    def score(self) -> float | None:
        scores = [wording.score for wording in self.wordings if wording.score is not None]
        return sum(scores) / len(scores) if len(scores) == len(self.wordings) else None

    @property
    def critical_error(self) -> bool:
        return any(wording.critical_error for wording in self.wordings)


def score_wording(
    question: Question, verdicts: Sequence[CriterionVerdict], *, declined: bool
) -> WordingScore:
    """Points achieved / points attainable, clipped to [0, 1], and the outcome.

    `declined` (the answer refuses or is empty) counts only once the criteria have failed: "I am not sure, but
    it is Paris" is an answer.
    """
    met: Mapping[str, bool] = {verdict.criterion: verdict.met for verdict in verdicts}
    points = sum(criterion.points for criterion in question.criteria if met[criterion.name])
    forbidden = [c for c in question.criteria if isinstance(c, Forbidden) and met[c.name]]
    contradicted = any(verdict.contradicted for verdict in verdicts)
    correct = not forbidden and not contradicted and all(met[c.name] for c in _required(question))
    if correct:
        outcome = Outcome.CORRECT
    elif declined and not forbidden and not contradicted:
        outcome = Outcome.NOT_ATTEMPTED
    else:
        outcome = Outcome.WRONG
    return WordingScore(
        verdicts=tuple(verdicts),
        score=min(1.0, max(0.0, points / question.attainable_points)),
        outcome=outcome,
        critical_error=any(claim.critical for claim in forbidden),
    )


def _required(question: Question) -> list[Criterion]:
    """What a correct answer must meet: the criteria marked required, or all with points when none is."""
    positive = [c for c in question.criteria if isinstance(c, Fact | Number | Abstention) and c.points > 0]
    marked = [c for c in question.criteria if isinstance(c, Fact | Number | Abstention) and c.required]
    return list(marked or positive)
