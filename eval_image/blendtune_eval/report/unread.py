"""What was not judged, why, and what to do about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from blendtune_api.v1alpha1 import JudgeKind
from blendtune_core.verdict import COVERAGE_FLOOR
from blendtune_eval.report.changes import answers_of
from blendtune_eval.report.model import Report, ReportedAnswer


@dataclass(frozen=True, kw_only=True, slots=True)
class Unread:
    """One kind of answers or questions without a score.

    `counts` are those of each respondent; `reasons` the reasons with their counts, the most frequent first.
    """

    title: str
    counts: tuple[tuple[str, int, int], ...]  # respondent, how many, of how many
    reasons: tuple[tuple[str, int], ...]
    remedy: str


def unread(report: Report) -> tuple[Unread, ...]:
    """Unfinished answers, unsure ones, others without a score, and the questions that have none for it."""
    answers = {
        respondent.label: answers_of(report.questions, index)
        for index, respondent in enumerate(report.respondents)
    }
    return (*_unfinished(report, answers), *_unsure(report, answers), *_failed(answers), *_questions(report))


Answers = dict[str, list[ReportedAnswer]]  # of each respondent


def _unfinished(report: Report, answers: Answers) -> Iterator[Unread]:
    counts = _counts(answers, {label: sum(each.unfinished for each in of) for label, of in answers.items()})
    if counts:
        told = report.scores.unfinished
        enough = f" of about {told.max_new_tokens:,}" if told else ""
        yield Unread(
            title="Unfinished: cut within their thoughts",
            counts=counts,
            reasons=(),
            remedy=f"Allow more tokens: a sampling.maxNewTokens{enough} lets all but few of them finish. "
            "All questions are then asked again.",
        )


def _unsure(report: Report, answers: Answers) -> Iterator[Unread]:
    found = {label: [each for each in of if _is_unsure(each)] for label, of in answers.items()}
    counts = _counts(answers, {label: len(of) for label, of in found.items()})
    if counts:
        doubts = (_doubt(each) for of in found.values() for each in of)
        remedy = "Every interval counts them either way. Read them below and list what is right as an alias"
        if report.judge.kind is JudgeKind.RULES:
            remedy += "; or let a model judge what the rules cannot: judge: {kind: Cascade}"
        yield Unread(
            title="Unsure: the rules could not decide",
            counts=counts,
            reasons=tuple(Counter(doubts).most_common()),
            remedy=f"{remedy}.",
        )


def _failed(answers: Answers) -> Iterator[Unread]:
    """The answers that have no score for another reason, such as a judge that did not reply."""
    found = {
        label: [each for each in of if each.score is None and not each.unfinished and not _is_unsure(each)]
        for label, of in answers.items()
    }
    counts = _counts(answers, {label: len(of) for label, of in found.items()})
    if counts:
        yield Unread(
            title="Not judged",
            counts=counts,
            reasons=tuple(Counter(each.unscored for of in found.values() for each in of).most_common()),
            remedy="Evaluate again to ask a judge that did not reply: what it has judged is kept. Take "
            "another one where it misses its anchors.",
        )


def _questions(report: Report) -> Iterator[Unread]:
    """A question has a score only where all of its answers have one."""
    total = len(report.questions)
    counts = tuple(
        (respondent.label, missing, total)
        for index, respondent in enumerate(report.respondents)
        if (missing := sum(question.scores[index] is None for question in report.questions))
    )
    if counts:
        yield Unread(
            title="Questions without a score, for that reason",
            counts=counts,
            reasons=(),
            remedy=f"Nothing is concluded unless a judge has looked at {COVERAGE_FLOOR:.0%} of them, "
            f"if only to be unsure; here it is {report.scores.coverage:.1%}. A gate decides only what "
            "these questions could not turn.",
        )


def _is_unsure(answer: ReportedAnswer) -> bool:
    return answer.score is None and any(criterion.doubt is not None for criterion in answer.criteria)


def _doubt(answer: ReportedAnswer) -> str:
    doubt = next(criterion.doubt for criterion in answer.criteria if criterion.doubt is not None)
    return str(doubt)


def _counts(answers: Answers, found: dict[str, int]) -> tuple[tuple[str, int, int], ...]:
    """Those of the respondents with any; empty where none has."""
    return tuple((label, count, len(answers[label])) for label, count in found.items() if count)
