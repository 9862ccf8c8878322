"""Intervals and tests for the scores of a few dozen questions. Pure and seeded: equal input, equal output.

The question is the sampling unit; its wordings are averaged before anything is computed here. General and
in-domain questions are resampled separately: they are the strata of any value computed over both.
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

from blendtune_core import student_t
from blendtune_core.power import UPPER_END, Z, detectable_difference

RESAMPLES = 10_000
SEED = 20231007
PSEUDO_QUESTIONS = 2  # added to the questions of an interval, so that equal values do not look certain
PSEUDO_SHIFT = 0.5  # how far each of them lies from the mean of a delta, one on either side
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


def wilson(rate: float, n: float) -> Interval:
    """The 95% score interval of a rate over n trials (Wilson 1927); n may be fractional, as Kish's is."""
    centre = rate + Z * Z / (2 * n)
    half = Z * sqrt(rate * (1 - rate) / n + Z * Z / (4 * n * n))
    scale = 1 + Z * Z / n
    return Interval(
        max(0.0, min(rate, (centre - half) / scale)), min(1.0, max(rate, (centre + half) / scale))
    )


def mean_interval(sample: Sample, minimum: float = 0.0) -> Interval:
    """The 95% interval of a weighted mean of values in [minimum, 1].

    It is Wilson's interval with an effective number of questions, which accounts for the weights (Kish) and
    for the variance: graded scores vary less than passes and failures of the same mean. Two pseudo-questions
    that vary as much as passes and failures are added, so that a handful of equal values does not look
    certain. For passes and failures of equal weight in one stratum it is Wilson's interval itself.
    """
    width = 1 - minimum
    n = sample.effective_size
    mean = min(1.0, max(0.0, (sample.mean - minimum) / width))
    bernoulli = mean * (1 - mean)
    spread = sample.variance / width**2 / bernoulli if bernoulli > 1e-12 else 1.0
    spread = (n * min(spread, 1.0) + PSEUDO_QUESTIONS) / (n + PSEUDO_QUESTIONS)
    interval = wilson(mean, n / spread)
    return Interval(interval.low * width + minimum, interval.high * width + minimum)


def delta_interval(sample: Sample, upper_end: float = UPPER_END) -> Interval:
    """The interval of a weighted mean of paired differences in [-1, 1], by bootstrap over the questions.

    `upper_end` is the probability below its upper end: 0.975 for the two-sided interval of 95%.

    It is the expanded percentile interval (Hesterberg 2015, The American Statistician 69:371): plain
    percentiles are too narrow for few questions, by a factor of sqrt((n-1)/n) and because they use z instead
    of t. Each stratum is resampled separately. Two pseudo-questions of average weight, half a point above and
    half a point below the mean, are added to each stratum, in the spirit of Agresti and Coull (1998): without
    them, equal differences would give an interval of zero width.
    """
    freedom, expansion = _freedom(sample), _expansion(sample)
    tail = NormalDist().cdf(-expansion * student_t.quantile(upper_end, freedom))
    low, high = np.quantile(_resampled_deltas(sample), [tail, 1 - tail])
    return Interval(max(-1.0, min(sample.mean, float(low))), min(1.0, max(sample.mean, float(high))))


def delta_p_value(sample: Sample) -> float:
    """The two-sided p-value that belongs to `delta_interval`: at most 0.05 just where that excludes 0.

    It is the level at which an end of the interval meets 0. No p-value is below 1 / (1 + RESAMPLES).
    """
    means = np.sort(_resampled_deltas(sample))
    below = float(np.interp(0.0, means, np.linspace(0.0, 1.0, len(means))))
    tail = max(min(below, 1 - below), 1 / (1 + RESAMPLES))
    return student_t.two_sided(NormalDist().inv_cdf(tail) / _expansion(sample), _freedom(sample))


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


def _resampled_deltas(sample: Sample) -> Floats:
    """The weighted means of RESAMPLES draws, each stratum drawn separately. [RESAMPLES]"""
    total = float(np.sum(sample.weights))
    parts = [float(np.sum(part.weights)) / total * _resampled_means(part) for part in sample.parts()]
    means: Floats = np.sum(parts, axis=0)
    return means


def _freedom(sample: Sample) -> float:
    """Degrees of freedom of a mean delta: a mean is estimated in each stratum."""
    return max(1.0, sample.effective_size - len(np.unique(sample.strata)))


def _expansion(sample: Sample) -> float:
    """By how much percentiles are too narrow: sqrt(n / (n - strata)) (Hesterberg 2015)."""
    return sqrt(1 + len(np.unique(sample.strata)) / _freedom(sample))


def _resampled_means(part: Sample) -> Floats:
    """The weighted means of RESAMPLES draws from one stratum and its pseudo-questions. [RESAMPLES]"""
    values = np.concatenate([part.values, [part.mean - PSEUDO_SHIFT, part.mean + PSEUDO_SHIFT]])
    weights = np.concatenate([part.weights, np.full(PSEUDO_QUESTIONS, np.mean(part.weights))])
    counts = _counts(len(part.values), int(part.strata[0]))
    means: Floats = (counts @ (values * weights)) / (counts @ weights)
    return means


@lru_cache(maxsize=4)
def _counts(n: int, stratum: int) -> Floats:
    """How often each of n questions and the pseudo-questions is drawn. [RESAMPLES, n + PSEUDO_QUESTIONS]"""
    drawn_from = n + PSEUDO_QUESTIONS
    random = np.random.default_rng([SEED, stratum])
    return random.multinomial(n, np.full(drawn_from, 1 / drawn_from), size=RESAMPLES).astype(np.float64)


@lru_cache(maxsize=4)
def _signs(n: int) -> Floats:
    """Sign patterns of n questions. [patterns, n]"""
    if n <= _ENUMERATED:
        return np.array(list(product([-1.0, 1.0], repeat=n)))
    signs: Floats = np.random.default_rng(SEED).choice(np.array([-1.0, 1.0]), size=(RESAMPLES, n))
    return signs
