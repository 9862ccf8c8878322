"""Group-sequential asking: looks at the answers so far, after which an evaluation may stop.

The questions are asked in LOOKS groups of equal size, and the intervals of look k of K are wider than plain
ones: their critical value is C * sqrt(K / k) (O'Brien and Fleming 1979, Biometrics 35:549). C is chosen such
that the intervals of all looks hold the truth together in 95% of evaluations: they are repeated confidence
intervals (Jennison and Turnbull 1989, Journal of the Royal Statistical Society B 51:305). So it does not
matter why an evaluation has stopped. A difference, times the square root of its information, moves from look
to look as a Brownian motion does; the probability that it leaves [-C, C] is integrated numerically (Armitage,
McPherson and Rowe 1969, Journal of the Royal Statistical Society A 132:235).
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import sqrt
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from blendtune_core.power import LEVEL, critical_value

LOOKS = 5
Floats = NDArray[np.float64]
_SEED = 20231007
_NODES = 80  # of the quadrature
_HALVINGS = 48  # of the search for C
_FARTHEST = 12.0
_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class Look:
    """Look `number` of `of`, counted from 1: number / of of the questions have been asked."""

    number: int
    of: int = LOOKS

    def critical(self, level: float = LEVEL) -> float:
        """The critical value of intervals that hold the truth together, over all looks, at this level."""
        if self.of == 1:
            return critical_value(level)
        return _bound(self.of, level) * sqrt(self.of / self.number)

    def level(self, level: float = LEVEL) -> float:
        """The level of the plain interval that has this critical value."""
        return level if self.of == 1 else 2 * _NORMAL.cdf(self.critical(level)) - 1

    def p_value(self, p_value: float) -> float:
        """What a plain two-sided p-value is worth here: at most 0.05 just where `critical` is reached."""
        if self.of == 1 or p_value >= 1:
            return p_value
        reached = -_NORMAL.inv_cdf(max(p_value, 1e-300) / 2)
        return max(p_value, _leaves(self.of, reached * sqrt(self.number / self.of)))


ONLY_LOOK = Look(1, 1)  # of an evaluation that asks every question


def looks(questions: int) -> list[tuple[Look, int]]:
    """Each look, and after how many of the questions it is taken."""
    return [(Look(number), -(-questions * number // LOOKS)) for number in range(1, LOOKS + 1)]


def balanced_order(categories: Sequence[Hashable]) -> list[int]:
    """The order in which questions of these categories are asked, as indices: random, and seeded.

    Each part of it has about the same share of every category.
    """
    random = np.random.default_rng(_SEED)
    members: dict[Hashable, list[int]] = {}
    for index, category in enumerate(categories):
        members.setdefault(category, []).append(index)
    places: dict[int, float] = {}
    for questions in members.values():
        shuffled = random.permutation(questions).tolist()
        within = (np.arange(len(shuffled)) + random.random(len(shuffled))) / len(shuffled)
        places |= dict(zip(shuffled, within.tolist(), strict=True))
    return sorted(places, key=lambda index: places[index])


@lru_cache(maxsize=64)
def _bound(of: int, level: float) -> float:
    """The C that is left with probability 1 - level in so many looks."""
    near, far = 0.0, _FARTHEST
    for _ in range(_HALVINGS):
        middle = (near + far) / 2
        near, far = (middle, far) if _leaves(of, middle) > 1 - level else (near, middle)
    return far


def _leaves(of: int, bound: float) -> float:
    """The probability that a Brownian motion on [0, 1], seen at `of` even times, leaves [-bound, bound]."""
    if bound <= 0:
        return 1.0
    nodes, widths = _quadrature()
    places, weights = nodes * bound, widths * bound
    density = _step(places, of)
    steps = _step(places[:, None] - places[None, :], of)
    for _ in range(of - 1):
        density = steps @ (weights * density)
    return min(1.0, max(0.0, 1 - float(weights @ density)))


@lru_cache(maxsize=1)
def _quadrature() -> tuple[Floats, Floats]:
    """Places and weights of Gauss and Legendre, on [-1, 1]."""
    nodes, widths = np.polynomial.legendre.leggauss(_NODES)
    return nodes, widths


def _step(distance: Floats, of: int) -> Floats:
    """The density of a normal step of variance 1 / of."""
    density: Floats = np.exp(-(distance**2) * of / 2) * sqrt(of / (2 * np.pi))
    return density
