"""What changed most: the questions that a model lost and won against its baseline."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import inf

from blendtune_eval.report.model import ReportedAnswer, ReportedQuestion, ReportedWording

LEAST_CHANGE = 0.005  # of a question's score; what is less is shown as 0.00


@dataclass(frozen=True, kw_only=True, slots=True)
class Changes:
    """All questions: those that were lost and won, the largest change first, and the rest in its order."""

    lost: tuple[ReportedQuestion, ...]
    won: tuple[ReportedQuestion, ...]
    rest: tuple[ReportedQuestion, ...]


def changes(questions: Sequence[ReportedQuestion]) -> Changes:
    """Of equal changes the question of the larger weight comes first."""
    lost = [question for question in questions if (change(question) or 0.0) < -LEAST_CHANGE]
    won = [question for question in questions if (change(question) or 0.0) > LEAST_CHANGE]
    moved = {question.id for question in (*lost, *won)}
    return Changes(
        lost=_largest_first(lost),
        won=_largest_first(won),
        rest=tuple(question for question in questions if question.id not in moved),
    )


def change(question: ReportedQuestion) -> float | None:
    """The model's score less its baseline's; None where one of them is not known."""
    return _difference(question.scores)


def changed_most(question: ReportedQuestion) -> tuple[ReportedWording, ...]:
    """The wordings of a question, those first whose scores moved furthest the way that the question's did."""
    moved = change(question) or 0.0
    if abs(moved) <= LEAST_CHANGE:
        return question.wordings
    way = 1.0 if moved > 0 else -1.0

    def place(wording: ReportedWording) -> float:
        difference = _difference([answer.score for answer in wording.answers])
        return inf if difference is None else -way * difference

    return tuple(sorted(question.wordings, key=place))


def answers_of(questions: Iterable[ReportedQuestion], respondent: int) -> list[ReportedAnswer]:
    """All answers of one respondent."""
    return [wording.answers[respondent] for question in questions for wording in question.wordings]


def _largest_first(questions: Iterable[ReportedQuestion]) -> tuple[ReportedQuestion, ...]:
    return tuple(sorted(questions, key=lambda each: (-abs(change(each) or 0.0), -each.weight)))


def _difference(scores: Sequence[float | None]) -> float | None:
    if len(scores) < 2 or scores[0] is None or scores[1] is None:
        return None
    return scores[0] - scores[1]
