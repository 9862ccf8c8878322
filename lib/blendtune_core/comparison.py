"""Several evaluations of the same questions, side by side, with paired intervals of their differences.

Each run is compared with the first. Of k runs there are k(k-1)/2 pairs, and each interval has the level
1 - 0.05/pairs (Bonferroni): together, those of one scope miss their true differences in at most 5% of cases,
whichever run stands first and whichever pair is looked at. Where a run has stopped once its gates were
decided, intervals are those of the earliest look among the runs: its questions are those that all were asked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import comb

from blendtune_api.contract import ReadQuestion, ReadReport
from blendtune_api.v1alpha1 import Role, ScopeScore
from blendtune_core.asked import look_of
from blendtune_core.paired_scores import PairedValue, PairedValues
from blendtune_core.sequential import Look
from blendtune_core.statistics import Sample, delta_interval
from blendtune_core.verdict import SIGNIFICANCE

MOST_RUNS = 8  # 28 pairs, whose intervals have a level of 99.8%: wider ones tell little
_STRATA = {role: stratum for stratum, role in enumerate(Role)}


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """A run's score less the first run's, over the `n` questions that are scored for both."""

    value: float
    low: float
    high: float
    n: int

    @property
    def surely(self) -> str:
        """higher, lower, or empty where the interval holds 0."""
        if self.low > 0:
            return "higher"
        return "lower" if self.high < 0 else ""


@dataclass(frozen=True, kw_only=True, slots=True)
class ComparedScope:
    """One scope. A difference is None for the first run, and where no question is scored for both."""

    name: str
    scores: tuple[ScopeScore, ...]  # of each run
    differences: tuple[Difference | None, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class ComparedQuestion:
    """A question with its score in each run; None where it could not be scored."""

    id: str
    prompt: str
    domain: Role
    scores: tuple[float | None, ...]

    @property
    def spread(self) -> float:
        """The largest difference between two runs."""
        known = [score for score in self.scores if score is not None]
        return max(known) - min(known) if known else 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    level: float  # of each interval of a difference
    pairs: int
    headline: tuple[ComparedScope, ...]
    categories: tuple[ComparedScope, ...]
    differing: tuple[ComparedQuestion, ...]  # questions whose scores differ, the largest spread first
    questions: int  # that all runs were asked
    left_out: tuple[int, ...]  # of each run: its other questions


def compare(reports: Sequence[ReadReport]) -> Comparison:
    """Compares runs over the questions that all of them were asked in the same words.

    Raises ValueError for fewer than 2 or more than MOST_RUNS reports, and where they share no question.
    """
    if not 2 <= len(reports) <= MOST_RUNS:
        raise ValueError(f"from 2 to {MOST_RUNS} reports can be compared, not {len(reports)}")
    asked = common_questions(reports)
    if not asked:
        raise ValueError("the reports have no question in common")
    present = {each[0].category for each in asked}
    categories = [each.name for each in reports[0].rubric.categories if each.name in present]
    pairs = comb(len(reports), 2)
    level = 1 - SIGNIFICANCE / pairs
    look = max((look_of(report.scores.asked) for report in reports), key=Look.critical)

    def scope(name: str, belongs: Callable[[ReadQuestion], bool]) -> ComparedScope:
        belonging = [each for each in asked if belongs(each[0])]
        return _scope(name, belonging, len(reports), level, look)

    def of_category(name: str) -> ComparedScope:
        return scope(name, lambda question: question.category == name)

    return Comparison(
        level=level,
        pairs=pairs,
        headline=(
            scope("overall", lambda _: True),
            scope("general", lambda question: question.domain is Role.GENERAL),
            scope("inDomain", lambda question: question.domain is Role.IN_DOMAIN),
        ),
        categories=tuple(map(of_category, categories)),
        differing=_differing(asked),
        questions=len(asked),
        left_out=tuple(len(report.questions) - len(asked) for report in reports),
    )


def common_questions(reports: Sequence[ReadReport]) -> list[tuple[ReadQuestion, ...]]:
    """Each question that all reports have, as each has it, in the order of the first report.

    Questions are the same where their id, domain, wordings, reference and criteria are.
    """
    by_id: list[Mapping[str, ReadQuestion]] = [
        {question.id: question for question in report.questions} for report in reports
    ]
    return [
        tuple(questions[question.id] for questions in by_id)
        for question in reports[0].questions
        if all(
            question.id in questions and _is_same(question, questions[question.id]) for questions in by_id[1:]
        )
    ]


def _is_same(one: ReadQuestion, other: ReadQuestion) -> bool:
    def content(question: ReadQuestion) -> tuple[object, ...]:
        prompts = tuple(wording.prompt for wording in question.wordings)
        return question.domain, question.reference, prompts

    def criteria(question: ReadQuestion) -> set[tuple[str, float]]:
        given = (answer for wording in question.wordings for answer in wording.answers)
        return {(criterion.name, criterion.points) for answer in given for criterion in answer.criteria}

    first, second = criteria(one), criteria(other)
    return content(one) == content(other) and (not first or not second or first == second)


def _scope(
    name: str, asked: Sequence[tuple[ReadQuestion, ...]], runs: int, level: float, look: Look
) -> ComparedScope:
    return ComparedScope(
        name=name,
        scores=tuple(
            PairedValues(questions=[_beside_baseline(each[run], each[0]) for each in asked], look=look).score(
                name
            )
            for run in range(runs)
        ),
        differences=(None, *(_difference(asked, run, look.level(level)) for run in range(1, runs))),
    )


def _beside_baseline(question: ReadQuestion, first: ReadQuestion) -> PairedValue:
    """The weight is the first report's, so that all runs are weighted alike."""
    model, *baseline = question.scores
    return PairedValue(
        model=model,
        baseline=baseline[0] if baseline else None,
        weight=first.weight,
        stratum=_STRATA[first.domain],
    )


def _difference(asked: Sequence[tuple[ReadQuestion, ...]], run: int, level: float) -> Difference | None:
    rows = [
        (each[run].scores[0] - each[0].scores[0], each[0].weight, _STRATA[each[0].domain])
        for each in asked
        if each[run].scores[0] is not None and each[0].scores[0] is not None
    ]
    if not rows:
        return None
    sample = Sample.of(*map(list, zip(*rows, strict=True)))
    interval = delta_interval(sample, level)
    return Difference(value=sample.mean, low=interval.low, high=interval.high, n=len(rows))


def _differing(asked: Sequence[tuple[ReadQuestion, ...]]) -> tuple[ComparedQuestion, ...]:
    questions = [
        ComparedQuestion(
            id=each[0].id,
            prompt=each[0].wordings[0].prompt,
            domain=each[0].domain,
            scores=tuple(question.scores[0] for question in each),
        )
        for each in asked
    ]
    return tuple(
        sorted((each for each in questions if each.spread > 0), key=lambda each: each.spread, reverse=True)
    )
