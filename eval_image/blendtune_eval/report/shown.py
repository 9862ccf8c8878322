"""The questions as the page shows them: what changed most first, answers side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from blendtune_api import codec
from blendtune_eval.report.changes import change, changed_most, changes
from blendtune_eval.report.differences import Piece, Pieces, compared
from blendtune_eval.report.model import Report, ReportedQuestion, ReportedWording

_OPEN = 2  # questions of a list that are open at first
_LISTED = 8  # of a list of changes; the others are folded


@dataclass(frozen=True, kw_only=True, slots=True)
class ShownAnswer:
    """`said` is the answer as report.json holds it; joined, its pieces are the answer."""

    label: str  # of the respondent
    said: Any
    pieces: Pieces


@dataclass(frozen=True, kw_only=True, slots=True)
class ShownWording:
    prompt: str
    answers: tuple[ShownAnswer, ...]  # the baseline's first


@dataclass(frozen=True, kw_only=True, slots=True)
class ShownQuestion:
    """`first` wordings are shown at once, the others are folded; `open`: it need not be opened."""

    asked: Any  # as report.json holds it
    change: float | None
    first: tuple[ShownWording, ...]
    others: tuple[ShownWording, ...]
    open: bool
    contaminated: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class ShownList:
    """Questions under one heading; `folded` are the last of them."""

    id: str
    heading: str
    note: str
    questions: tuple[ShownQuestion, ...]
    folded: tuple[ShownQuestion, ...]


def shown_questions(report: Report) -> tuple[ShownList, ...]:
    """Questions lost and won, where there are two models to compare, then the rest."""
    if len(report.respondents) < 2:
        return (_rest(report, report.questions, "Every question"),)
    found = changes(report.questions)
    return (
        *_changed(report, found.lost, "lost", "Questions lost", "fell"),
        *_changed(report, found.won, "won", "Questions won", "rose"),
        _rest(report, found.rest, "The other questions"),
    )


def _changed(
    report: Report, questions: Sequence[ReportedQuestion], id: str, heading: str, moved: str
) -> Iterator[ShownList]:
    if questions:
        shown = tuple(
            _question(report, question, open=index < _OPEN, most_changed=True)
            for index, question in enumerate(questions)
        )
        yield ShownList(
            id=id,
            heading=f"{heading}: {len(questions)}",
            note=f"Their scores {moved}, the largest change first, each with the wording that changed most.",
            questions=shown[:_LISTED],
            folded=shown[_LISTED:],
        )


def _rest(report: Report, questions: Sequence[ReportedQuestion], heading: str) -> ShownList:
    return ShownList(
        id="rest",
        heading=f"{heading}: {len(questions)}",
        note="In the order of the rubric. Open one to see the answers in each wording.",
        questions=tuple(_question(report, each, open=False, most_changed=False) for each in questions),
        folded=(),
    )


def _question(report: Report, question: ReportedQuestion, *, open: bool, most_changed: bool) -> ShownQuestion:
    wordings = tuple(
        _wording(report, each) for each in (changed_most(question) if most_changed else question.wordings)
    )
    first = 1 if most_changed else len(wordings)
    training = report.training
    return ShownQuestion(
        asked=codec.encode(question),
        change=change(question),
        first=wordings[:first],
        others=wordings[first:],
        open=open,
        contaminated=bool(training and training.contaminated and question.id in training.contaminated),
    )


def _wording(report: Report, wording: ReportedWording) -> ShownWording:
    answers = [
        ShownAnswer(
            label=respondent.label,
            said=codec.encode(answer),
            pieces=(Piece(answer.answer, differs=False),) if answer.answer else (),
        )
        for respondent, answer in zip(report.respondents, wording.answers, strict=True)
    ]
    if len(answers) == 2:
        marked = compared(answers[0].said["answer"], answers[1].said["answer"])
        answers = [
            ShownAnswer(label=each.label, said=each.said, pieces=pieces)
            for each, pieces in zip(answers, marked, strict=True)
        ]
    return ShownWording(prompt=wording.prompt, answers=tuple(reversed(answers)))
