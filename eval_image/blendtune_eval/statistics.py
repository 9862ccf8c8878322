"""Intervals and tests for the scores of a few dozen questions. Pure and seeded: equal input, equal output.

The question is the unit that is drawn at random; its phrasings are averaged before anything is computed here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray

CONFIDENCE = 0.95
Z = 1.959964  # two-sided normal quantile of CONFIDENCE
Z_POWER = 0.841621  # quantile of 80% power
RESAMPLES = 10_000
SEED = 20231007
PSEUDO_QUESTIONS = 2
PSEUDO_SHIFT = 0.5


@dataclass(frozen=True, slots=True)
class Interval:
    low: float
    high: float


Floats = NDArray[np.float64]


def wilson(rate: float, n: float) -> Interval:
    """Score interval of a rate over n trials (Wilson 1927); n may be an effective, fractional number."""
    centre = rate + Z * Z / (2 * n)
    half = Z * sqrt(rate * (1 - rate) / n + Z * Z / (4 * n * n))
    scale = 1 + Z * Z / n
    return Interval(
        max(0.0, min(rate, (centre - half) / scale)), min(1.0, max(rate, (centre + half) / scale))
    )


def weighted_mean(values: Sequence[float], weights: Sequence[float]) -> float:
    return float(np.average(_floats(values), weights=_floats(weights)))


def mean_interval(values: Sequence[float], weights: Sequence[float], minimum: float = 0.0) -> Interval:
    """Interval of a weighted mean of values in [minimum, 1].

    Wilson's interval with the number of questions that the weights (Kish) and the spread of the values amount
    to: graded scores spread less than passes and failures of the same mean. Two further questions that spread
    as much as passes and failures do are assumed, so that a handful of equal values do not look certain. For
    passes and failures of equal weight it is Wilson's interval itself.
    """
    scaled = (_floats(values) - minimum) / (1 - minimum)
    shares = _floats(weights) / np.sum(_floats(weights))
    n = 1 / float(np.sum(shares**2))
    mean = min(1.0, max(0.0, float(np.sum(shares * scaled))))
    bernoulli = mean * (1 - mean)
    spread = float(np.sum(shares * (scaled - mean) ** 2)) / bernoulli if bernoulli > 1e-12 else 1.0
    spread = (n * min(spread, 1.0) + PSEUDO_QUESTIONS) / (n + PSEUDO_QUESTIONS)
    interval = wilson(mean, n / spread)
    return Interval(interval.low * (1 - minimum) + minimum, interval.high * (1 - minimum) + minimum)


def delta_interval(deltas: Sequence[float], weights: Sequence[float]) -> Interval:
    """Percentile interval of a weighted mean of paired differences, by bootstrap over questions.

    Two questions of average weight that moved half a point, one either way, are added to those drawn from, in
    the spirit of Agresti and Coull (1998): without them, differences that are all alike would give an
    interval of no width, and a few of them one that is too narrow.
    """
    values, shares = _ordered(deltas, weights)
    mean, n = float(np.average(values, weights=shares)), len(values)
    values = np.concatenate([values, [mean - PSEUDO_SHIFT, mean + PSEUDO_SHIFT]])
    shares = np.concatenate([shares, np.full(PSEUDO_QUESTIONS, np.mean(shares))])
    drawn = np.random.default_rng(SEED).integers(0, len(values), size=(RESAMPLES, n))
    means = np.sum((values * shares)[drawn], axis=1) / np.sum(shares[drawn], axis=1)
    low, high = np.quantile(means, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Interval(max(-1.0, min(mean, float(low))), min(1.0, max(mean, float(high))))


def sign_flip_p_value(deltas: Sequence[float], weights: Sequence[float]) -> float:
    """Two-sided p-value of no difference: how often random signs give a mean as far from zero."""
    values, shares = _ordered(deltas, weights)
    products = values * shares
    signs = np.random.default_rng(SEED).choice(_floats([-1.0, 1.0]), size=(RESAMPLES, len(values)))
    as_far = np.abs(signs @ products) >= abs(float(np.sum(products))) - 1e-12
    return (1 + int(np.sum(as_far))) / (1 + RESAMPLES)


def minimum_detectable_effect(deltas: Sequence[float]) -> float | None:
    """Smallest difference found with 80% power at 5%, by normal approximation; None for one question."""
    if len(deltas) < 2:
        return None
    return (Z + Z_POWER) * float(np.std(_floats(deltas), ddof=1)) / sqrt(len(deltas))


def _ordered(values: Sequence[float], weights: Sequence[float]) -> tuple[Floats, Floats]:
    """Sorted pairs, so that the order of the questions does not change what is drawn."""
    pairs = sorted(zip(values, weights, strict=True))
    return _floats([value for value, _ in pairs]), _floats([weight for _, weight in pairs])


def _floats(values: Sequence[float]) -> Floats:
    return np.asarray(values, dtype=np.float64)
