"""From criteria met to points, outcomes and question scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from blendtune_core.statistics import Interval
from blendtune_eval.rubric import Criterion, Forbidden, Question
from blendtune_eval.rules.criteria import CriterionVerdict
from blendtune_eval.rules.doubt import Doubt

_ANY_SCORE = Interval(0.0, 1.0)
UNSURE = "the rules cannot tell"
UNFINISHED = "the answer was cut within its thoughts"


class Outcome(StrEnum):
    """How one answer is graded, after SimpleQA (openai.com/index/introducing-simpleqa)."""

    CORRECT = "correct"
    WRONG = "wrong"
    NOT_ATTEMPTED = "notAttempted"


@dataclass(frozen=True, kw_only=True, slots=True)
class WordingScore:
    """The score of one answer. Where it could not be judged, it has no score and no outcome, and `unscored`
    says why.

    `doubt` is why the rules left it undecided, and `bounds` are the scores that it may have then;
    `unfinished`: it was cut within its thoughts.
    """

    verdicts: tuple[CriterionVerdict, ...] = ()
    score: float | None = None
    outcome: Outcome | None = None
    critical_error: bool = False
    unscored: str = ""
    doubt: Doubt | None = None
    bounds: Interval = _ANY_SCORE
    unfinished: bool = False

    @property
    def range(self) -> Interval:
        """The scores that the answer may have: one where it is decided."""
        return self.bounds if self.score is None else Interval(self.score, self.score)

    @property
    def failed(self) -> bool:
        """Whether it was not judged for another reason than a doubt."""
        return self.score is None and self.doubt is None


@dataclass(frozen=True, kw_only=True, slots=True)
class QuestionScore:
    """The scores of a question's wordings, the canonical one first."""

    question: Question
    wordings: tuple[WordingScore, ...]

    @property
    def score(self) -> float | None:
        """The mean over the wordings; None unless all of them could be judged."""
        scores = [wording.score for wording in self.wordings if wording.score is not None]
        return sum(scores) / len(scores) if len(scores) == len(self.wordings) else None

    @property
    def bounds(self) -> Interval:
        """The scores that the question may have, whatever is undecided or was not judged."""
        ranges = [wording.range for wording in self.wordings]
        return Interval(
            sum(each.low for each in ranges) / len(ranges), sum(each.high for each in ranges) / len(ranges)
        )

    @property
    def failed(self) -> bool:
        """Whether one of its answers was not judged for another reason than a doubt."""
        return any(wording.failed for wording in self.wordings)

    @property
    def critical_error(self) -> bool:
        return any(wording.critical_error for wording in self.wordings)


def score_wording(
    question: Question, verdicts: Sequence[CriterionVerdict], *, declined: bool
) -> WordingScore:
    """Points achieved / points attainable, clipped to [0, 1], and the outcome.

    `declined` (the answer refuses or is empty) counts only where the criteria are not met: "I am not sure,
    but it is Paris" is an answer, and so is one that meets a part of them. A verdict in doubt leaves the
    answer without score.
    """
    doubtful = next((verdict for verdict in verdicts if verdict.doubt is not None), None)
    if doubtful is not None and doubtful.doubt is not None:
        unscored = f"{UNSURE}: {doubtful.doubt}"
        return WordingScore(
            verdicts=tuple(verdicts),
            unscored=unscored,
            doubt=doubtful.doubt,
            bounds=_bounds(question, verdicts),
        )
    met: Mapping[str, bool] = {verdict.criterion: verdict.met for verdict in verdicts}
    points = sum(criterion.points for criterion in question.criteria if met[criterion.name])
    forbidden = [c for c in question.criteria if isinstance(c, Forbidden) and met[c.name]]
    contradicted = any(verdict.contradicted for verdict in verdicts)
    correct = not forbidden and not contradicted and all(met[c.name] for c in _required(question))
    if correct:
        outcome = Outcome.CORRECT
    elif (
        declined and not forbidden and not contradicted and not any(met[c.name] for c in _positive(question))
    ):
        outcome = Outcome.NOT_ATTEMPTED
    else:
        outcome = Outcome.WRONG
    return WordingScore(
        verdicts=tuple(verdicts),
        score=_clipped(points, question),
        outcome=outcome,
        critical_error=any(claim.critical for claim in forbidden),
    )


def _bounds(question: Question, verdicts: Sequence[CriterionVerdict]) -> Interval:
    """The least and the highest score, whatever the criteria in doubt turn out to be."""
    points = {criterion.name: criterion.points for criterion in question.criteria}
    sure = sum(points[each.criterion] for each in verdicts if each.doubt is None and each.met)
    doubtful = [points[each.criterion] for each in verdicts if each.doubt is not None]
    lost, gained = (sum(each for each in doubtful if (each < 0) is sign) for sign in (True, False))
    return Interval(_clipped(sure + lost, question), _clipped(sure + gained, question))


def _clipped(points: float, question: Question) -> float:
    return min(1.0, max(0.0, points / question.attainable_points))


def _required(question: Question) -> list[Criterion]:
    """What a correct answer must meet: the criteria marked required or, where none is, all with points."""
    marked: list[Criterion] = [c for c in question.criteria if not isinstance(c, Forbidden) and c.required]
    return marked or _positive(question)


def _positive(question: Question) -> list[Criterion]:
    return [c for c in question.criteria if not isinstance(c, Forbidden) and c.points > 0]
