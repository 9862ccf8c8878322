"""Whether reports may be compared: what forbids it, and what a reader must know where it is allowed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from blendtune_api.contract import ReadReport
from blendtune_core.comparison import common_questions

_SHOWN = 12  # characters of a digest


def obstacles(labels: Sequence[str], reports: Sequence[ReadReport], *, common: bool) -> tuple[str, ...]:
    """Why the reports are not comparable with the first, a sentence for each; empty where they are.

    Another judge is always one; another rubric unless `common` asks for the questions that all have.
    """
    first, others = reports[0], list(zip(labels[1:], reports[1:], strict=True))
    return (
        *_judges(labels[0], first, others),
        *(() if common else _rubrics(labels[0], first, others)),
        *_nothing_shared(reports),
    )


def cautions(labels: Sequence[str], reports: Sequence[ReadReport]) -> tuple[str, ...]:
    """What the numbers do not say by themselves: other base models, prompts, limits, unscored questions."""
    return (*_baselines(labels, reports), *_prompts(labels, reports), *_unscored(labels, reports))


Labelled = Sequence[tuple[str, ReadReport]]


def _judges(name: str, first: ReadReport, others: Labelled) -> Iterator[str]:
    for label, report in others:
        if report.judge.digest != first.judge.digest:
            yield (
                f"{label} was judged by {_judge(report)}, {name} by {_judge(first)}: their scores are not "
                "comparable. Evaluate one again with the judge of the other"
            )


def _rubrics(name: str, first: ReadReport, others: Labelled) -> Iterator[str]:
    for label, report in others:
        if report.rubric.digest != first.rubric.digest:
            shared = len(common_questions([first, report]))
            asked = f"{shared} of {len(report.questions)} questions are the same as in {name}"
            todo = "compare those alone with --common" if shared else "evaluate one again with that rubric"
            yield f"{label} was asked {_rubric(report)}, {name} {_rubric(first)}: {asked}; {todo}"


def _nothing_shared(reports: Sequence[ReadReport]) -> Iterator[str]:
    if not common_questions(reports):
        yield "no question is the same in all reports"


def _baselines(labels: Sequence[str], reports: Sequence[ReadReport]) -> Iterator[str]:
    bases = [report.respondents[1].digest if len(report.respondents) > 1 else "" for report in reports]
    for label, base in zip(labels[1:], bases[1:], strict=True):
        if base != bases[0]:
            if base and bases[0]:
                yield f"{label} has another base model than {labels[0]}: changes are from its own"
            else:
                yield f"of {labels[0]} and {label} only one was compared with a base model"


def _prompts(labels: Sequence[str], reports: Sequence[ReadReport]) -> Iterator[str]:
    first = reports[0].scores.digests
    for label, report in zip(labels[1:], reports[1:], strict=True):
        digests = report.scores.digests
        differing = [
            what
            for what, one, other in (
                ("chat template", first.template, digests.template),
                (
                    "decoding (stop tokens, limits, sampling, precision, engine)",
                    first.decoding,
                    digests.decoding,
                ),
            )
            if one != other
        ]
        if differing:
            yield (
                f"{label} was asked with another {' and another '.join(differing)} than {labels[0]}: the "
                "difference is that of model and prompt together"
            )


def _unscored(labels: Sequence[str], reports: Sequence[ReadReport]) -> Iterator[str]:
    for label, report in zip(labels, reports, strict=True):
        missing = sum(question.scores[0] is None for question in report.questions)
        if missing:
            yield f"{missing} of the {len(report.questions)} questions of {label} have no score"


def _judge(report: ReadReport) -> str:
    return f"{report.judge.kind} ({report.judge.digest[:_SHOWN]})"


def _rubric(report: ReadReport) -> str:
    rubric = report.rubric
    return f"rubric {rubric.name} {rubric.version} ({rubric.digest[:_SHOWN]})"
