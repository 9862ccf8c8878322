"""KL(base, tuned): how far a model's predictions have moved from the base model's, in nats per token.

It is the forward direction, the mean over the base model's predictions of log(p_base / p_tuned), so that what
the base model holds likely counts most. Outcomes are the base model's LIKELIEST tokens, one by one, and all
other tokens as one. Taking outcomes together never raises a KL divergence (the data-processing inequality;
Cover and Thomas, Elements of Information Theory, section 2.8): the result is a lower bound of the divergence
over the whole vocabulary, and equals it if the vocabulary has no more tokens.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from blendtune_api.v1alpha1 import Role

LIKELIEST = 64
_BYTES = 4  # of a token's id, and of a logarithm

Floats = NDArray[np.floating]


def divergence(base: Floats, tuned: Floats) -> NDArray[np.float64]:
    """KL(base, tuned) of each position, in nats. [positions]

    Both are [positions, outcomes]: natural logarithms of the probabilities of the same outcomes, which add up
    to 1. An outcome that is impossible for the base model has -inf and adds nothing.
    """
    expected, found = base.astype(np.float64), tuned.astype(np.float64)
    possible = np.isfinite(expected)
    ratios = np.subtract(expected, found, out=np.zeros_like(expected), where=possible)
    total: NDArray[np.float64] = (np.exp(expected) * ratios).sum(axis=1)
    return total


def kept_bytes(positions: int) -> int:
    """The most bytes that the base model's predictions take, for at most so many `positions` of each role."""
    return len(Role) * positions * _BYTES * (LIKELIEST + LIKELIEST + 1)
