"""The score of a scope: the level of its questions and their difference from a baseline, with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from blendtune_api.v1alpha1 import ScopeScore
from blendtune_core.statistics import (
    Sample,
    delta_interval,
    holm,
    mean_interval,
    minimum_detectable_effect,
    p_value,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class PairedValue:
    """What a model and its baseline achieved on one question.

    None is a value that could not be scored. Without a baseline, no question has a value of it.
    """

    model: float | None
    baseline: float | None = None
    weight: float = 1.0
    stratum: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class PairedValues:
    """The questions of one scope, with values in [minimum, 1].

    With `compared` false the two were asked or judged differently: the baseline has its score, but there is
    no difference.
    """

    questions: Sequence[PairedValue]
    minimum: float = 0.0
    compared: bool = True

    def score(self, name: str) -> ScopeScore:
        """The weighted mean, clipped to [0, 1], and its difference from the baseline's."""
        values = [question.model for question in self.questions]
        unscored = values.count(None)
        score = ScopeScore(name=name, n=len(values) - unscored, unscored=unscored)
        if unscored:
            score = replace(
                score,
                worst=_clip(self._mean(_filled(values, self.minimum))),
                best=_clip(self._mean(_filled(values, 1.0))),
            )
        if (sample := self._sample(values)) is not None:
            interval = mean_interval(sample, self.minimum)
            score = replace(
                score, score=_clip(sample.mean), low=_clip(interval.low), high=_clip(interval.high)
            )
        return self._beside_baseline(score)

    def tested(self, score: ScopeScore) -> ScopeScore:
        """The score with the test of its difference, and the difference that would have been found."""
        deltas = self._sample(self._deltas())
        if score.delta is None or deltas is None:
            return score
        return replace(
            score,
            p_value=p_value(deltas),
            minimum_detectable_effect=minimum_detectable_effect(deltas),
        )

    def _beside_baseline(self, score: ScopeScore) -> ScopeScore:
        values = [question.model for question in self.questions]
        baseline = [question.baseline for question in self.questions]
        if (sample := self._sample(baseline)) is not None:
            score = replace(score, baseline_score=_clip(sample.mean))
        deltas = self._sample(self._deltas())
        if deltas is None or not self.compared:
            return score
        interval = delta_interval(deltas)
        score = replace(
            score, delta=_clip(deltas.mean, -1.0), delta_low=interval.low, delta_high=interval.high
        )
        if None not in values and None not in baseline:
            return score
        worst = np.subtract(_filled(values, self.minimum), _filled(baseline, 1.0))
        best = np.subtract(_filled(values, 1.0), _filled(baseline, self.minimum))
        return replace(
            score,
            delta_worst=_clip(self._mean(worst.tolist()), -1.0),
            delta_best=_clip(self._mean(best.tolist()), -1.0),
        )

    def _deltas(self) -> list[float | None]:
        """The difference of each question; None where one of the two could not be scored."""
        return [
            None
            if question.model is None or question.baseline is None
            else question.model - question.baseline
            for question in self.questions
        ]

    def _mean(self, values: Sequence[float]) -> float:
        return Sample.of(
            values,
            [question.weight for question in self.questions],
            [question.stratum for question in self.questions],
        ).mean

    def _sample(self, values: Sequence[float | None]) -> Sample | None:
        """The values that are not None, each with its question's weight and stratum; None without any."""
        kept = [
            (value, question.weight, question.stratum)
            for value, question in zip(values, self.questions, strict=True)
            if value is not None
        ]
        return Sample.of(*map(list, zip(*kept, strict=True))) if kept else None


def corrected(scores: Sequence[ScopeScore]) -> list[ScopeScore]:
    """The scores, with the p-values of those that were tested corrected for their number."""
    p_values = holm({score.name: score.p_value for score in scores if score.p_value is not None})
    return [replace(score, p_value=p_values.get(score.name)) for score in scores]


def _filled(values: Sequence[float | None], unscored: float) -> list[float]:
    return [unscored if value is None else value for value in values]


def _clip(value: float, minimum: float = 0.0) -> float:
    return min(1.0, max(minimum, value))
