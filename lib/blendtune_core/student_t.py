"""Quantiles of Student's t, for errors that are themselves estimated from a few repetitions."""

from __future__ import annotations

from functools import lru_cache
from math import cos, exp, lgamma, pi, pow, sqrt, tan
from statistics import NormalDist

_NORMAL_FROM = 1000.0  # degrees of freedom beyond which the normal distribution serves
_INTERVALS = 40  # of Simpson's rule; an even number
_HALVINGS = 30


def quantile(probability: float, freedom: float) -> float:
    """The value that is exceeded with chance 1 - `probability`, which is above one half.

    Raises ValueError below one degree of freedom: no such distribution has a use here.
    """
    if freedom < 1:
        raise ValueError(f"Student's t needs at least one degree of freedom, not {freedom:g}")
    if freedom > _NORMAL_FROM:
        return NormalDist().inv_cdf(probability)
    return _quantile(probability, round(freedom, 1))


@lru_cache(maxsize=4096)
def _quantile(probability: float, freedom: float) -> float:
    """By halving the angle theta of t = sqrt(freedom) tan(theta), whose density is cos(theta)^(freedom-1)."""
    low, high = 0.0, pi / 2
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if _chance_within(middle, freedom) < probability - 0.5:
            low = middle
        else:
            high = middle
    return sqrt(freedom) * tan((low + high) / 2)


def _chance_within(angle: float, freedom: float) -> float:
    """The chance of an angle between 0 and this one, by Simpson's rule."""
    width = angle / _INTERVALS
    heights = (
        (1 if index in (0, _INTERVALS) else 4 if index % 2 else 2) * pow(cos(index * width), freedom - 1)
        for index in range(_INTERVALS + 1)
    )
    scale = exp(lgamma((freedom + 1) / 2) - lgamma(freedom / 2)) / sqrt(pi)
    return scale * sum(heights) * width / 3
