"""Intervals and tests for the scores of a few dozen questions. Pure and seeded: equal input, equal output.

The question is the sampling unit; its wordings are averaged before anything is computed here. General and
in-domain questions are drawn separately: they are the strata of any value computed over both.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from math import sqrt
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from blendtune_core.power import LEVEL, Z, detectable_difference

RESAMPLES = 10_000
SEED = 20231007
PSEUDO_QUESTIONS = 2  # added to the questions of an interval, so that equal values do not look certain
PSEUDO_SHIFT = 0.5  # how far each of them lies from the mean of a delta, one on either side
_FARTHEST = 8.0  # critical value beyond which no p-value is told apart from 0
_HALVINGS = 32  # of the search for a p-value
_ENUMERATED = 13  # questions up to which all 2^n sign patterns are enumerated

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Interval:
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Sample:
    """A value for each question, with its weight (greater than 0) and its stratum. Arrays of one length.

    The questions are sorted, so that the order in which they are given does not change the random draws.
    """

    values: Floats
    weights: Floats
    strata: NDArray[np.int64]

    @classmethod
    def of(
        cls, values: Sequence[float], weights: Sequence[float], strata: Sequence[int] | None = None
    ) -> Sample:
        """A sample of these questions. Raises ValueError if the lengths differ."""
        rows = sorted(zip(strata or [0] * len(values), values, weights, strict=True))
        return cls(
            values=np.asarray([value for _, value, _ in rows], dtype=np.float64),
            weights=np.asarray([weight for _, _, weight in rows], dtype=np.float64),
            strata=np.asarray([stratum for stratum, _, _ in rows], dtype=np.int64),
        )

    @property
    def shares(self) -> Floats:
        """The weights, normalised to a sum of 1."""
        return self.weights / np.sum(self.weights)

    @property
    def mean(self) -> float:
        return float(self.shares @ self.values)

    @property
    def effective_size(self) -> float:
        """The effective number of questions (Kish 1965): (sum of w)^2 / sum of w^2."""
        return 1 / float(np.sum(self.shares**2))

    @property
    def variance(self) -> float:
        """The variance within the strata: weighted mean square of the values about their stratum's mean."""
        squares = (
            float(np.sum(part.weights)) * float(part.shares @ (part.values - part.mean) ** 2)
            for part in self.parts()
        )
        return sum(squares) / float(np.sum(self.weights))

    def parts(self) -> Iterator[Sample]:
        """The sample of each stratum."""
        for stratum in np.unique(self.strata):
            kept = self.strata == stratum
            yield Sample(self.values[kept], self.weights[kept], self.strata[kept])


def wilson(rate: float, n: float, z: float = Z) -> Interval:
    """The score interval of a rate over n trials (Wilson 1927), at the critical value z: that of 95%.

    n may be fractional, as Kish's is.
    """
    centre = rate + z * z / (2 * n)
    half = z * sqrt(rate * (1 - rate) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    return Interval(
        max(0.0, min(rate, (centre - half) / scale)), min(1.0, max(rate, (centre + half) / scale))
    )


def mean_interval(sample: Sample, minimum: float = 0.0, level: float = LEVEL) -> Interval:
    """The interval of a weighted mean of values in [minimum, 1].

    For passes and failures of equal weight in one stratum it is Wilson's interval itself.
    """
    width = 1 - minimum
    interval = _graded_wilson(
        (sample.mean - minimum) / width, sample.variance / width**2, sample.effective_size, _critical(level)
    )
    return Interval(interval.low * width + minimum, interval.high * width + minimum)


def delta_interval(sample: Sample, level: float = LEVEL) -> Interval:
    """The interval of a weighted mean of paired differences, within [-1, 1].

    The mean is that of the gains less that of the losses. Each has the interval of a mean, and the two are
    put together by the variances that these recover (Zou and Donner 2008, Statistics in Medicine 27:1693). A
    bootstrap is too narrow where few questions changed: it then sees too little of the tail.
    """
    low, high = _delta_ends(_changes(sample), _critical(level))
    return Interval(max(-1.0, low), min(1.0, high))


def delta_p_value(sample: Sample) -> float:
    """The two-sided p-value that belongs to `delta_interval`: at most 0.05 just where that excludes 0.

    It is the level at which an end of the interval meets 0.
    """
    changes = _changes(sample)
    near, far = 0.0, _FARTHEST
    for _ in range(_HALVINGS):
        middle = (near + far) / 2
        low, high = _delta_ends(changes, middle)
        near, far = (near, middle) if low <= 0 <= high else (middle, far)
    return 2 * NormalDist().cdf(-far)


def p_value(sample: Sample) -> float:
    """The two-sided p-value of a mean delta of 0.

    Within one stratum by random signs, which is exact for any number of questions. Over several, whose means
    may differ though their sum is 0, signs would test another hypothesis: it is the interval's p-value.
    """
    return sign_flip_p_value(sample) if len(np.unique(sample.strata)) == 1 else delta_p_value(sample)


def sign_flip_p_value(sample: Sample) -> float:
    """The two-sided p-value of a sign-flip test: how often random signs give a mean as far from zero.

    Up to 13 questions all sign patterns are enumerated. Above that RESAMPLES random ones are drawn, and the
    observed pattern is counted as one more.
    """
    products = sample.values * sample.weights
    as_far = np.abs(_signs(len(products)) @ products) >= abs(float(np.sum(products))) - 1e-12
    if len(products) <= _ENUMERATED:
        return float(np.mean(as_far))
    return (1 + int(np.sum(as_far))) / (1 + RESAMPLES)


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """The p-values with Holm's correction (1979), which bounds the probability of any false positive."""
    corrected: dict[str, float] = {}
    least = 0.0
    for rank, name in enumerate(sorted(p_values, key=lambda name: p_values[name])):
        least = max(least, min(1.0, (len(p_values) - rank) * p_values[name]))
        corrected[name] = least
    return corrected


def minimum_detectable_effect(sample: Sample) -> float:
    """The smallest delta found with 80% power at 5%, given the variance of these questions.

    The variance includes the same two pseudo-questions as the interval.
    """
    n = len(sample.values)
    variance = (n * sample.variance + PSEUDO_QUESTIONS * PSEUDO_SHIFT**2) / (n + PSEUDO_QUESTIONS)
    return detectable_difference(sample.effective_size, sqrt(variance))


def _critical(level: float) -> float:
    """The critical value of a two-sided interval."""
    return NormalDist().inv_cdf((1 + level) / 2)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Changes:
    """The differences of one stratum as gains and losses: shares of `reach`, the largest there can be."""

    share: float  # of the stratum, by weight
    n: float  # effective number of questions
    gain: float
    loss: float
    gain_variance: float
    loss_variance: float
    reach: float

    @property
    def mean(self) -> float:
        return self.reach * (self.gain - self.loss)

    def ends(self, critical: float) -> tuple[float, float]:
        """How far the interval of the mean reaches below and above it."""
        of_gain = _graded_wilson(self.gain, self.gain_variance, self.n, critical)
        of_loss = _graded_wilson(self.loss, self.loss_variance, self.n, critical)
        deviations = sqrt(self.gain_variance * self.loss_variance)
        # No question gains and loses, so the two are correlated negatively.
        correlation = max(-1.0, -self.gain * self.loss / deviations) if deviations > 0 else 0.0
        below = _hypotenuse(self.gain - of_gain.low, of_loss.high - self.loss, correlation)
        above = _hypotenuse(of_gain.high - self.gain, self.loss - of_loss.low, correlation)
        return self.reach * below, self.reach * above


def _changes(sample: Sample) -> tuple[_Changes, ...]:
    """By stratum. Differences larger than 1 come from critical errors, of which the largest is 2."""
    total = float(np.sum(sample.weights))
    found = []
    for part in sample.parts():
        reach = 2.0 if np.any(np.abs(part.values) > 1.0) else 1.0
        gains, losses = np.maximum(part.values, 0.0) / reach, np.maximum(-part.values, 0.0) / reach
        gain, loss = float(part.shares @ gains), float(part.shares @ losses)
        found.append(
            _Changes(
                share=float(np.sum(part.weights)) / total,
                n=part.effective_size,
                gain=gain,
                loss=loss,
                gain_variance=float(part.shares @ (gains - gain) ** 2),
                loss_variance=float(part.shares @ (losses - loss) ** 2),
                reach=reach,
            )
        )
    return tuple(found)


def _delta_ends(strata: Sequence[_Changes], critical: float) -> tuple[float, float]:
    """The ends of the interval of a mean delta at a critical value; strata are independent of each other."""
    ends = [(part.share, *part.ends(critical)) for part in strata]
    mean = sum(part.share * part.mean for part in strata)
    below = sqrt(sum((share * low) ** 2 for share, low, _ in ends))
    above = sqrt(sum((share * high) ** 2 for share, _, high in ends))
    return mean - below, mean + above


def _hypotenuse(one: float, other: float, correlation: float) -> float:
    return sqrt(max(0.0, one * one + other * other - 2 * correlation * one * other))


def _graded_wilson(mean: float, variance: float, n: float, z: float) -> Interval:
    """Wilson's interval of a mean of values in [0, 1], with as many trials as its variance is worth.

    Graded scores vary less than passes and failures of the same mean. Two pseudo-questions that vary as much
    as those are added, so that a handful of equal values does not look certain.
    """
    mean = min(1.0, max(0.0, mean))
    bernoulli = mean * (1 - mean)
    spread = variance / bernoulli if bernoulli > 1e-12 else 1.0
    spread = (n * min(spread, 1.0) + PSEUDO_QUESTIONS) / (n + PSEUDO_QUESTIONS)
    return wilson(mean, n / spread, z)


@lru_cache(maxsize=4)
def _signs(n: int) -> Floats:
    """Sign patterns of n questions. [patterns, n]"""
    if n <= _ENUMERATED:
        return np.array(list(product([-1.0, 1.0], repeat=n)))
    signs: Floats = np.random.default_rng(SEED).choice(np.array([-1.0, 1.0]), size=(RESAMPLES, n))
    return signs
