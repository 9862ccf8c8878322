"""Student's t distribution, for standard errors that are estimated from a few values."""

from __future__ import annotations

from functools import lru_cache
from math import atan, cos, exp, lgamma, pi, pow, sqrt, tan
from statistics import NormalDist

_NORMAL_FROM = 1000.0  # degrees of freedom above which the normal distribution is used
_INTERVALS = 40  # of Simpson's rule; must be even
_HALVINGS = 30


def quantile(probability: float, freedom: float) -> float:
    """The quantile at `probability`, which must be above 0.5, with `freedom` degrees of freedom.

    Raises ValueError for less than one degree of freedom.
    """
    if freedom < 1:
        raise ValueError(f"Student's t needs at least one degree of freedom, not {freedom:g}")
    if freedom > _NORMAL_FROM:
        return NormalDist().inv_cdf(probability)
    return _quantile(probability, round(freedom, 1))


def two_sided(t: float, freedom: float) -> float:
    """The probability of a value at least as far from 0 as `t`, with at least one degree of freedom."""
    if freedom > _NORMAL_FROM:
        return 2 * NormalDist().cdf(-abs(t))
    freedom = round(freedom, 1)
    return max(0.0, 1 - 2 * _chance_within(atan(abs(t) / sqrt(freedom)), freedom))


@lru_cache(maxsize=4096)
def _quantile(probability: float, freedom: float) -> float:
    """By bisection on the angle: t = sqrt(freedom) tan(angle), whose density is cos(angle)^(freedom-1)."""
    low, high = 0.0, pi / 2
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if _chance_within(middle, freedom) < probability - 0.5:
            low = middle
        else:
            high = middle
    return sqrt(freedom) * tan((low + high) / 2)


def _chance_within(angle: float, freedom: float) -> float:
    """The probability of an angle between 0 and this one, by Simpson's rule."""
    width = angle / _INTERVALS
    heights = (
        (1 if index in (0, _INTERVALS) else 4 if index % 2 else 2) * pow(cos(index * width), freedom - 1)
        for index in range(_INTERVALS + 1)
    )
    scale = exp(lgamma((freedom + 1) / 2) - lgamma(freedom / 2)) / sqrt(pi)
    return scale * sum(heights) * width / 3
