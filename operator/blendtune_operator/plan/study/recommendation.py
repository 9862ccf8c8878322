"""Which setting of a study to use: the highest in one metric among those that lose little enough in another.

Two claims hold together in 19 of 20 studies: the recommended setting keeps the bound, and the best setting is
the recommended one or one of those named as not distinguishable from it. Where no setting surely keeps the
bound, or none is surely worse than another, the data cannot tell.

Each claim takes at most one test for each of k settings, at a level of 0.05/2k (Bonferroni). The second is
Gupta's subset selection (1965, Technometrics 7:225): a setting is dropped only when it is surely worse, or
surely breaks the bound. The levels of all tests add up to at most 5%.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from blendtune_api.blend_study import RecommendationVerdict
from blendtune_core.student_t import quantile
from blendtune_operator.plan.study.observation import Mean, Observation, Summary, difference, summarise

ERROR_RATE = 0.05


@dataclass(frozen=True, kw_only=True, slots=True)
class Recommendation:
    """`best` scores highest of the settings that surely keep the bound or, without any, of those that may.

    `tied` may be better than it, `worse` are surely worse, `excluded` surely break the bound.
    """

    verdict: RecommendationVerdict
    best: Summary | None
    tied: tuple[Summary, ...] = ()
    worse: tuple[Summary, ...] = ()
    excluded: tuple[Summary, ...] = ()


def recommend(observations: Iterable[Observation], max_drop: float) -> Recommendation:
    """The recommendation. `max_drop` is how much the constrained metric may lose against the base model."""
    summaries = summarise(observations)
    if not summaries:
        return Recommendation(verdict=RecommendationVerdict.CANNOT_TELL, best=None)
    test = bonferroni_factor(len(summaries))
    if not any(summary.runs > 1 for summary in summaries):
        best = max(
            (summary for summary in summaries if summary.change.value >= -max_drop), key=_value, default=None
        )
        tied = tuple(summary for summary in summaries if summary is not best)
        return Recommendation(verdict=RecommendationVerdict.CANNOT_TELL, best=best, tied=tied)
    excluded = tuple(summary for summary in summaries if summary.change.high(test) < -max_drop)
    possible = [summary for summary in summaries if summary not in excluded]
    if not possible:
        return Recommendation(verdict=RecommendationVerdict.NONE_ALLOWED, best=None, excluded=excluded)
    safe = [summary for summary in possible if summary.change.low(test) >= -max_drop]
    best = max(safe or possible, key=_value)
    others = [summary for summary in possible if summary is not best]
    worse = tuple(other for other in others if _surely_better(best.objective, other.objective, test))
    tied = tuple(other for other in others if other not in worse)
    decided = bool(safe) and (bool(worse) or not tied)
    verdict = RecommendationVerdict.RECOMMENDED if decided else RecommendationVerdict.CANNOT_TELL
    return Recommendation(verdict=verdict, best=best, tied=tied, worse=worse, excluded=excluded)


def pareto_front(summaries: Sequence[Summary]) -> tuple[Summary, ...]:
    """The settings that no other dominates in the two metrics, by descending objective."""
    front = (one for one in summaries if not any(_dominates(other, one) for other in summaries))
    return tuple(sorted(front, key=lambda summary: (-_value(summary), summary.setting)))


def bonferroni_factor(settings: int) -> Callable[[float], float]:
    """The factor of an error by its degrees of freedom, for a one-sided test at ERROR_RATE / (2 settings)."""
    return partial(quantile, 1 - ERROR_RATE / (2 * settings))


def _surely_better(one: Mean, other: Mean, test: Callable[[float], float]) -> bool:
    return difference(one, other).low(test) > 0


def _dominates(one: Summary, other: Summary) -> bool:
    leads = one.objective.value - other.objective.value, one.constrained.value - other.constrained.value
    return min(leads) >= 0 and max(leads) > 0


def _value(summary: Summary) -> float:
    return summary.objective.value
