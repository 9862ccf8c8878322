"""The score of a scope: the level of its questions and their difference from a baseline, with intervals.

What was left unscored is not ignored: an interval holds that with all of it counted against the model, and
that with all of it counted for it. Such an interval holds the truth at least as often as one of complete
answers, whatever was left unscored and why (Manski 2003, Partial Identification; Imbens and Manski 2004,
Econometrica 72:1845). The p-value is that of the worse case, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from blendtune_api.v1alpha1 import ScopeScore
from blendtune_core.power import LEVEL
from blendtune_core.sequential import ONLY_LOOK, Look
from blendtune_core.statistics import (
    Interval,
    Sample,
    delta_interval,
    delta_p_value,
    holm,
    mean_interval,
    minimum_detectable_effect,
    p_value,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class PairedValue:
    """What a model and its baseline achieved on one question.

    None is a value that could not be scored, which then lies within its bounds: by default anywhere. Without
    a baseline, no question has a value of it.
    """

    model: float | None
    baseline: float | None = None
    weight: float = 1.0
    stratum: int = 0
    model_bounds: Interval | None = None
    baseline_bounds: Interval | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class PairedValues:
    """The questions of one scope, with values in [minimum, 1].

    With `compared` false the two were asked or judged differently: the baseline has its score, but there is
    no difference. `level` is that of the intervals, over all looks that there are beside `look`.
    """

    questions: Sequence[PairedValue]
    minimum: float = 0.0
    compared: bool = True
    look: Look = ONLY_LOOK
    level: float = LEVEL

    def score(self, name: str) -> ScopeScore:
        """The weighted mean, clipped to [0, 1], and its difference from the baseline's."""
        values = [question.model for question in self.questions]
        unscored = values.count(None)
        score = ScopeScore(name=name, n=len(values) - unscored, unscored=unscored)
        if not values:
            return score
        worst, best = self._sample(self._worst), self._sample(self._best)
        if unscored:
            score = replace(score, worst=_clip(worst.mean), best=_clip(best.mean))
        if (mean := self._mean_of_known(values)) is not None:
            level = self.look.level(self.level)
            low, high = _ends(
                mean_interval(worst, self.minimum, level), mean_interval(best, self.minimum, level)
            )
            score = replace(score, score=_clip(mean), low=_clip(min(low, mean)), high=_clip(max(high, mean)))
        return self._beside_baseline(score)

    def tested(self, score: ScopeScore) -> ScopeScore:
        """The score with the test of its difference, and the difference that would have been found."""
        deltas = self._known(self._deltas())
        if score.delta is None or deltas is None:
            return score
        return replace(
            score,
            p_value=self._p_value(),
            minimum_detectable_effect=minimum_detectable_effect(deltas, self.look.critical(self.level)),
        )

    def _p_value(self) -> float:
        """Of a difference in the direction that even the worse case has; 1 where the cases disagree."""
        worst, best = self._sample(self._worst_deltas), self._sample(self._best_deltas)
        if worst.mean > 0:
            return self._p_value_of(worst)
        return self._p_value_of(best) if best.mean < 0 else 1.0

    def _p_value_of(self, sample: Sample) -> float:
        """Among several looks it is the interval's: random signs know no p-value as small as an early one."""
        if self.look == ONLY_LOOK:
            return p_value(sample)
        return self.look.p_value(delta_p_value(sample))

    def _beside_baseline(self, score: ScopeScore) -> ScopeScore:
        baseline = [question.baseline for question in self.questions]
        if (mean := self._mean_of_known(baseline)) is not None:
            score = replace(score, baseline_score=_clip(mean))
        deltas = self._known(self._deltas())
        if deltas is None or not self.compared:
            return score
        delta = deltas.mean
        worst, best = self._sample(self._worst_deltas), self._sample(self._best_deltas)
        level = self.look.level(self.level)
        low, high = _ends(delta_interval(worst, level), delta_interval(best, level))
        score = replace(
            score, delta=_clip(delta, -1.0), delta_low=min(low, delta), delta_high=max(high, delta)
        )
        if None not in self._deltas():
            return score
        return replace(score, delta_worst=_clip(worst.mean, -1.0), delta_best=_clip(best.mean, -1.0))

    def _deltas(self) -> list[float | None]:
        """The difference of each question; None where one of the two could not be scored."""
        return [
            None
            if question.model is None or question.baseline is None
            else question.model - question.baseline
            for question in self.questions
        ]

    @property
    def _worst(self) -> list[float]:
        """The model's values, with what is unscored counted against it."""
        return [_low(q.model, q.model_bounds, self.minimum) for q in self.questions]

    @property
    def _best(self) -> list[float]:
        return [_high(q.model, q.model_bounds) for q in self.questions]

    @property
    def _worst_deltas(self) -> list[float]:
        """The differences, with what is unscored of either counted against the model."""
        baseline = [_high(q.baseline, q.baseline_bounds) for q in self.questions]
        return [value - beside for value, beside in zip(self._worst, baseline, strict=True)]

    @property
    def _best_deltas(self) -> list[float]:
        baseline = [_low(q.baseline, q.baseline_bounds, self.minimum) for q in self.questions]
        return [value - beside for value, beside in zip(self._best, baseline, strict=True)]

    def _mean_of_known(self, values: Sequence[float | None]) -> float | None:
        sample = self._known(values)
        return None if sample is None else sample.mean

    def _sample(self, values: Sequence[float]) -> Sample:
        return Sample.of(
            values,
            [question.weight for question in self.questions],
            [question.stratum for question in self.questions],
        )

    def _known(self, values: Sequence[float | None]) -> Sample | None:
        """The values that are not None, each with its question's weight and stratum; None without any."""
        kept = [
            (value, question.weight, question.stratum)
            for value, question in zip(values, self.questions, strict=True)
            if value is not None
        ]
        return Sample.of(*map(list, zip(*kept, strict=True))) if kept else None


def corrected(scores: Sequence[ScopeScore], candidates: int = 1) -> list[ScopeScore]:
    """The scores, with the p-values of those that were tested corrected for their number.

    They are those of one of so many `candidates`, whose number they are multiplied by, as Bonferroni does.
    """
    p_values = holm({score.name: score.p_value for score in scores if score.p_value is not None})
    p_values = {name: min(1.0, candidates * value) for name, value in p_values.items()}
    return [replace(score, p_value=p_values.get(score.name)) for score in scores]


def _ends(worst: Interval, best: Interval) -> tuple[float, float]:
    """The ends of an interval that holds both. Equal values have a wider one than nearly equal ones."""
    return min(worst.low, best.low), max(worst.high, best.high)


def _low(value: float | None, bounds: Interval | None, minimum: float) -> float:
    if value is not None:
        return value
    return minimum if bounds is None else bounds.low


def _high(value: float | None, bounds: Interval | None) -> float:
    if value is not None:
        return value
    return 1.0 if bounds is None else bounds.high


def _clip(value: float, minimum: float = 0.0) -> float:
    return min(1.0, max(minimum, value))
