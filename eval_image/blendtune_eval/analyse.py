"""From question scores to the scores of scopes, with intervals, beside a baseline's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from blendtune_api.v1alpha1 import Role, ScopeScore, Verdict
from blendtune_eval import dimensions
from blendtune_eval.dimensions import Diagnostics, diagnose
from blendtune_eval.rubric import Category, Question
from blendtune_eval.score import QuestionScore
from blendtune_eval.statistics import (
    delta_interval,
    mean_interval,
    minimum_detectable_effect,
    sign_flip_p_value,
    weighted_mean,
)

OVERALL, GENERAL, IN_DOMAIN = "overall", "general", "inDomain"
COVERAGE_FLOOR = 0.95  # share of questions scored below which two models are not compared

Measure = Callable[[QuestionScore], float | None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """What the interval of a difference leaves open."""

    p_value: float
    minimum_detectable_effect: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Analysis:
    overall: ScopeScore
    general: ScopeScore
    in_domain: ScopeScore
    dimensions: tuple[ScopeScore, ...]
    categories: tuple[ScopeScore, ...]
    coverage: float
    critical_errors: Mapping[str, int]  # questions, by scope: overall, general, inDomain
    comparisons: Mapping[str, Comparison]  # by scope, where there is a baseline
    diagnostics: Diagnostics
    verdict: Verdict | None = None
    baseline_diagnostics: Diagnostics | None = None

    @property
    def scopes(self) -> Mapping[str, ScopeScore]:
        """The scopes that a gate may name."""
        return {scope.name: scope for scope in (self.overall, self.general, self.in_domain, *self.dimensions)}


def analyse(
    categories: Sequence[Category],
    scores: Sequence[QuestionScore],
    baseline: Sequence[QuestionScore] | None = None,
) -> Analysis:
    """Both sequences hold the same questions in the same order."""
    general = _Members(scores, baseline, lambda question: question.domain is Role.GENERAL)
    in_domain = _Members(scores, baseline, lambda question: question.domain is Role.IN_DOMAIN)
    whole = _Members(scores, baseline, _anything)
    general_score = general.scope(GENERAL, _score)
    in_domain_score = in_domain.scope(IN_DOMAIN, _score)
    covered = sum(score.score is not None for score in (*scores, *(baseline or ())))
    coverage = covered / (len(scores) + len(baseline or ()))
    return Analysis(
        overall=whole.scope(OVERALL, _score),
        general=general_score,
        in_domain=in_domain_score,
        dimensions=(
            whole.scope(dimensions.RELIABILITY, dimensions.reliability, weighted=False),
            whole.scope(dimensions.CONSISTENCY, dimensions.consistency, weighted=False),
            in_domain.scope(
                dimensions.BUSINESS_IMPACT,
                dimensions.business_impact,
                minimum=-1.0 if any(score.question.has_critical_errors for score in scores) else 0.0,
            ),
        ),
        categories=tuple(
            _Members(scores, baseline, _belongs_to(category)).scope(category.name, _score)
            for category in categories
        ),
        coverage=coverage,
        critical_errors={
            OVERALL: whole.critical_errors,
            GENERAL: general.critical_errors,
            IN_DOMAIN: in_domain.critical_errors,
        },
        comparisons={
            name: comparison
            for name, members in ((OVERALL, whole), (GENERAL, general), (IN_DOMAIN, in_domain))
            if (comparison := members.comparison()) is not None
        },
        diagnostics=diagnose(scores),
        verdict=verdict(general_score, in_domain_score, coverage) if baseline is not None else None,
        baseline_diagnostics=diagnose(baseline) if baseline is not None else None,
    )


def verdict(general: ScopeScore, in_domain: ScopeScore, coverage: float) -> Verdict:
    """A domain moved when the interval of its difference excludes zero.

    Improved and Regressed: at least one domain moved that way and none the other. Mixed: they moved apart.
    Inconclusive: neither moved, or too few questions could be scored.
    """
    up = any(scope.delta_low is not None and scope.delta_low > 0 for scope in (general, in_domain))
    down = any(scope.delta_high is not None and scope.delta_high < 0 for scope in (general, in_domain))
    if coverage < COVERAGE_FLOOR or not (up or down):
        return Verdict.INCONCLUSIVE
    if up and down:
        return Verdict.MIXED
    return Verdict.IMPROVED if up else Verdict.REGRESSED


class _Members:
    """The questions of one scope: the model's scores and, paired with them, the baseline's."""

    def __init__(
        self,
        scores: Sequence[QuestionScore],
        baseline: Sequence[QuestionScore] | None,
        belongs: Callable[[Question], bool],
    ) -> None:
        self.scores = [score for score in scores if belongs(score.question)]
        self.baseline = None if baseline is None else [score for score in baseline if belongs(score.question)]

    @property
    def critical_errors(self) -> int:
        return sum(score.critical_error for score in self.scores)

    def scope(
        self, name: str, measure: Measure, *, weighted: bool = True, minimum: float = 0.0
    ) -> ScopeScore:
        """The weighted mean of a measure, whose values lie in [minimum, 1], clipped to [0, 1]."""
        values, weights = _measured(self.scores, measure, weighted)
        unscored = len(self.scores) - len(values)
        if not values:
            return ScopeScore(name=name, unscored=unscored)
        interval = mean_interval(values, weights, minimum)
        scope = ScopeScore(
            name=name,
            score=_clip(weighted_mean(values, weights)),
            low=_clip(interval.low),
            high=_clip(interval.high),
            n=len(values),
            unscored=unscored,
        )
        return scope if self.baseline is None else self._compared(scope, measure, weighted)

    def comparison(self) -> Comparison | None:
        deltas, weights = self._deltas(_score, weighted=True)
        if not deltas:
            return None
        return Comparison(
            p_value=sign_flip_p_value(deltas, weights),
            minimum_detectable_effect=minimum_detectable_effect(deltas),
        )

    def _compared(self, scope: ScopeScore, measure: Measure, weighted: bool) -> ScopeScore:
        values, weights = _measured(self.baseline or (), measure, weighted)
        deltas, delta_weights = self._deltas(measure, weighted)
        if not deltas:
            return scope
        interval = delta_interval(deltas, delta_weights)
        return replace(
            scope,
            baseline_score=_clip(weighted_mean(values, weights)),
            delta=_clip(weighted_mean(deltas, delta_weights), -1.0),
            delta_low=interval.low,
            delta_high=interval.high,
        )

    def _deltas(self, measure: Measure, weighted: bool) -> tuple[list[float], list[float]]:
        """Differences of the questions that both models have a score for."""
        deltas, weights = [], []
        for score, base in zip(self.scores, self.baseline or (), strict=self.baseline is not None):
            value, base_value = measure(score), measure(base)
            if value is not None and base_value is not None:
                deltas.append(value - base_value)
                weights.append(score.question.weight if weighted else 1.0)
        return deltas, weights


def _measured(
    scores: Sequence[QuestionScore], measure: Measure, weighted: bool
) -> tuple[list[float], list[float]]:
    pairs = [(measure(score), score.question.weight if weighted else 1.0) for score in scores]
    kept = [(value, weight) for value, weight in pairs if value is not None]
    return [value for value, _ in kept], [weight for _, weight in kept]


def _score(score: QuestionScore) -> float | None:
    return score.score


def _anything(_: Question) -> bool:
    return True


def _belongs_to(category: Category) -> Callable[[Question], bool]:
    return lambda question: question.category == category.name


def _clip(value: float, minimum: float = 0.0) -> float:
    return min(1.0, max(minimum, value))
