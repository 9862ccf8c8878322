"""The bounds that a Brownian motion on [0, 1] seldom leaves, seen at even times.

The probability that it leaves them is integrated numerically, from one time to the next (Armitage, McPherson
and Rowe 1969, Journal of the Royal Statistical Society A 132:235).
"""

from __future__ import annotations

from functools import lru_cache
from math import sqrt

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_NODES = 80  # of the quadrature
_HALVINGS = 48  # of the search for the bound
_FARTHEST = 12.0


@lru_cache(maxsize=64)
def bound(of: int, level: float) -> float:
    """The C that is left with probability 1 - level in so many looks."""
    near, far = 0.0, _FARTHEST
    for _ in range(_HALVINGS):
        middle = (near + far) / 2
        near, far = (middle, far) if leaves(of, middle) > 1 - level else (near, middle)
    return far


def leaves(of: int, limit: float) -> float:
    """The probability that a Brownian motion on [0, 1], seen at `of` even times, leaves [-limit, limit]."""
    if limit <= 0:
        return 1.0
    nodes, widths = _quadrature()
    places, weights = nodes * limit, widths * limit
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
