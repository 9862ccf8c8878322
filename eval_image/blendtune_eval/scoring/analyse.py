"""From question scores to the scores of scopes, with intervals, beside a baseline's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from blendtune_api.v1alpha1 import EpochScope, EpochScore, Role, ScopeScore, Verdict
from blendtune_core.statistics import (
    Sample,
    delta_interval,
    holm,
    mean_interval,
    minimum_detectable_effect,
    sign_flip_p_value,
)
from blendtune_core.verdict import verdict
from blendtune_eval.rubric import Category, Question
from blendtune_eval.scoring import dimensions
from blendtune_eval.scoring.dimensions import Diagnostics, diagnose
from blendtune_eval.scoring.score import QuestionScore

OVERALL, GENERAL, IN_DOMAIN = "overall", "general", "inDomain"
_STRATA = {role: stratum for stratum, role in enumerate(Role)}


@dataclass(frozen=True, kw_only=True, slots=True)
class Measure:
    """What is read off a question: a value in [minimum, 1], or None where it could not be scored."""

    of: Callable[[QuestionScore], float | None]
    minimum: float = 0.0
    weighted: bool = True

    def weight(self, question: Question) -> float:
        return question.weight if self.weighted else 1.0


_SCORE = Measure(of=lambda score: score.score)


@dataclass(frozen=True, kw_only=True, slots=True)
class Analysis:
    overall: ScopeScore
    general: ScopeScore
    in_domain: ScopeScore
    dimensions: tuple[ScopeScore, ...]
    categories: tuple[ScopeScore, ...]
    coverage: float
    diagnostics: Diagnostics
    verdict: Verdict | None = None
    not_compared: str = ""
    baseline_diagnostics: Diagnostics | None = None


def epoch_score(epoch: int, since: Analysis) -> EpochScore:
    """The curve's point of an epoch; `since` is the model beside what it was after that epoch."""
    return EpochScore(epoch=epoch, general=_since(since.general), in_domain=_since(since.in_domain))


def _since(scope: ScopeScore) -> EpochScope | None:
    if scope.baseline_score is None:
        return None
    return EpochScope(
        score=scope.baseline_score, gain=scope.delta, low=scope.delta_low, high=scope.delta_high
    )


def analyse(
    categories: Sequence[Category],
    scores: Sequence[QuestionScore],
    baseline: Sequence[QuestionScore] | None = None,
    not_compared: str = "",
) -> Analysis:
    """Both sequences hold the same questions in the same order.

    With `not_compared`, the reason, the baseline has its scores but there are no differences and no verdict.
    """
    paired = _Paired(scores, baseline, compared=not not_compared)
    general = paired.where(lambda question: question.domain is Role.GENERAL)
    in_domain = paired.where(lambda question: question.domain is Role.IN_DOMAIN)
    impact = Measure(
        of=dimensions.business_impact,
        minimum=-1.0 if any(score.question.has_critical_errors for score in scores) else 0.0,
    )
    general_score, in_domain_score = _corrected(
        general.tested(general.scope(GENERAL)), in_domain.tested(in_domain.scope(IN_DOMAIN))
    )
    coverage = min(_coverage(scores), _coverage(baseline or scores))
    compared = baseline is not None and not not_compared
    return Analysis(
        overall=paired.tested(paired.scope(OVERALL)),
        general=general_score,
        in_domain=in_domain_score,
        dimensions=(
            paired.scope(dimensions.RELIABILITY, Measure(of=dimensions.reliability, weighted=False)),
            paired.scope(dimensions.CONSISTENCY, Measure(of=dimensions.consistency, weighted=False)),
            in_domain.scope(dimensions.BUSINESS_IMPACT, impact),
        ),
        categories=tuple(_category(paired, category) for category in categories),
        coverage=coverage,
        diagnostics=diagnose(scores),
        verdict=verdict(general_score, in_domain_score, coverage) if compared else None,
        not_compared=not_compared,
        baseline_diagnostics=diagnose(baseline) if baseline is not None else None,
    )


class _Paired:
    """Questions with the model's scores and, where there is a baseline, its scores beside them."""

    def __init__(
        self, scores: Sequence[QuestionScore], baseline: Sequence[QuestionScore] | None, *, compared: bool
    ) -> None:
        self.scores = scores
        self.baseline = baseline
        self.compared = compared and baseline is not None

    def where(self, belongs: Callable[[Question], bool]) -> _Paired:
        baseline = self.baseline and [score for score in self.baseline if belongs(score.question)]
        scores = [score for score in self.scores if belongs(score.question)]
        return _Paired(scores, baseline, compared=self.compared)

    def scope(self, name: str, measure: Measure = _SCORE) -> ScopeScore:
        """The weighted mean of a measure, clipped to [0, 1], and its difference from the baseline's."""
        values = [measure.of(score) for score in self.scores]
        unscored = values.count(None)
        scope = ScopeScore(
            name=name,
            n=len(values) - unscored,
            unscored=unscored,
            critical_errors=sum(score.critical_error for score in self.scores),
        )
        if unscored:
            scope = replace(
                scope,
                worst=_clip(self._mean(_filled(values, measure.minimum), measure)),
                best=_clip(self._mean(_filled(values, 1.0), measure)),
            )
        if scope.n:
            sample = self._sample(values, measure)
            interval = mean_interval(sample, measure.minimum)
            scope = replace(
                scope, score=_clip(sample.mean), low=_clip(interval.low), high=_clip(interval.high)
            )
        return scope if self.baseline is None else self._beside(self.baseline, scope, values, measure)

    def tested(self, scope: ScopeScore) -> ScopeScore:
        """The scope with the test of its difference, and what difference could have been found."""
        if scope.delta is None:
            return scope
        sample = self._sample(self._deltas(_SCORE), _SCORE)
        return replace(
            scope,
            p_value=sign_flip_p_value(sample),
            minimum_detectable_effect=minimum_detectable_effect(sample),
        )

    def _beside(
        self,
        baseline: Sequence[QuestionScore],
        scope: ScopeScore,
        values: Sequence[float | None],
        measure: Measure,
    ) -> ScopeScore:
        base_values = [measure.of(score) for score in baseline]
        base = self._sample(base_values, measure)
        if len(base.values):
            scope = replace(scope, baseline_score=_clip(base.mean))
        deltas = self._sample(self._deltas(measure), measure)
        if not len(deltas.values) or not self.compared:
            return scope
        interval = delta_interval(deltas)
        scope = replace(
            scope, delta=_clip(deltas.mean, -1.0), delta_low=interval.low, delta_high=interval.high
        )
        if None not in values and None not in base_values:
            return scope
        worst = _differences(_filled(values, measure.minimum), _filled(base_values, 1.0))
        best = _differences(_filled(values, 1.0), _filled(base_values, measure.minimum))
        return replace(
            scope,
            delta_worst=_clip(self._mean(worst, measure), -1.0),
            delta_best=_clip(self._mean(best, measure), -1.0),
        )

    def _deltas(self, measure: Measure) -> list[float | None]:
        """Differences of the questions that both models have a score for."""
        return _differences(
            [measure.of(score) for score in self.scores],
            [measure.of(score) for score in self.baseline or self.scores],
        )

    def _sample(self, values: Sequence[float | None], measure: Measure) -> Sample:
        """The values that are there."""
        kept = [
            (value, measure.weight(score.question), _STRATA[score.question.domain])
            for value, score in zip(values, self.scores, strict=True)
            if value is not None
        ]
        return Sample.of(*map(list, zip(*kept, strict=True))) if kept else Sample.of([], [])

    def _mean(self, values: Sequence[float | None], measure: Measure) -> float:
        return self._sample(values, measure).mean


def _corrected(general: ScopeScore, in_domain: ScopeScore) -> tuple[ScopeScore, ScopeScore]:
    """Two domains are tested, so their p-values are corrected for two."""
    tested = {scope.name: scope.p_value for scope in (general, in_domain) if scope.p_value is not None}
    p_values = holm(tested)
    return (
        replace(general, p_value=p_values.get(GENERAL)),
        replace(in_domain, p_value=p_values.get(IN_DOMAIN)),
    )


def _category(paired: _Paired, category: Category) -> ScopeScore:
    """Categories describe: nothing is concluded from them, so that their bounds are left out."""
    scope = paired.where(lambda question: question.category == category.name).scope(category.name)
    return replace(scope, worst=None, best=None, delta_worst=None, delta_best=None)


def _coverage(scores: Sequence[QuestionScore]) -> float:
    return sum(score.score is not None for score in scores) / len(scores)


def _differences(values: Sequence[float | None], base_values: Sequence[float | None]) -> list[float | None]:
    return [
        None if value is None or base is None else value - base
        for value, base in zip(values, base_values, strict=True)
    ]


def _filled(values: Sequence[float | None], unscored: float) -> list[float | None]:
    return [unscored if value is None else value for value in values]


def _clip(value: float, minimum: float = 0.0) -> float:
    return min(1.0, max(minimum, value))
