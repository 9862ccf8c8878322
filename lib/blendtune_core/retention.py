"""Retention: how much worse the tuned model predicts general text than the base model, in nats per token.

Hundreds of rows tell 0.01 nats apart without a judge, where questions see only large changes. The divergence
KL(base, tuned) beside it says how far the tuned model's predictions have moved at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from blendtune_api.v1alpha1 import RetentionScore, RetentionText
from blendtune_core import student_t
from blendtune_core.power import LEVEL
from blendtune_core.statistics import RESAMPLES, SEED, Interval

FEWEST_ROWS = 10  # of a bootstrap; with fewer, nothing is told
_BATCH = 1000  # resamples at a time: counts of all rows are held for so many

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class RowLoss:
    """The losses of both models on one row, in nats, summed over its tokens."""

    tokens: int
    base: float
    tuned: float
    divergence: float  # KL(base, tuned)


def retention_score(
    text: RetentionText, rows: Sequence[RowLoss], level: float = LEVEL
) -> RetentionScore | None:
    """Losses per token and their rise, with its interval; None for fewer than FEWEST_ROWS rows."""
    rows = [row for row in rows if row.tokens > 0]
    if len(rows) < FEWEST_ROWS:
        return None
    tokens = np.array([row.tokens for row in rows], np.float64)
    rises = np.array([row.tuned - row.base for row in rows], np.float64)
    total = float(tokens.sum())
    interval = rise_interval(tokens, rises, level)
    return RetentionScore(
        text=text,
        rows=len(rows),
        tokens=int(total),
        baseline=sum(row.base for row in rows) / total,
        loss=sum(row.tuned for row in rows) / total,
        rise=float(rises.sum()) / total,
        rise_low=interval.low,
        rise_high=interval.high,
        divergence=max(0.0, sum(row.divergence for row in rows) / total),
    )


def rise_interval(tokens: Floats, rises: Floats, level: float = LEVEL) -> Interval:
    """The interval of sum(rises) / sum(tokens), by a bootstrap over the rows. Both are [rows].

    It is the expanded percentile interval (Hesterberg 2015, The American Statistician 69:371): plain
    percentiles are too narrow by sqrt((n-1)/n), and because they use z instead of t.
    """
    n = len(tokens)
    ratios = np.concatenate([_resampled(tokens, rises, batch) for batch in range(RESAMPLES // _BATCH)])
    expansion = sqrt(n / (n - 1)) * student_t.quantile((1 + level) / 2, n - 1)
    tail = NormalDist().cdf(-expansion)
    low, high = np.quantile(ratios, [tail, 1 - tail])
    return Interval(float(low), float(high))


def _resampled(tokens: Floats, rises: Floats, batch: int) -> Floats:
    """The ratio in _BATCH draws of all rows with replacement. [_BATCH]"""
    random = np.random.default_rng([SEED, batch])
    n = len(tokens)
    counts = random.multinomial(n, np.full(n, 1 / n), size=_BATCH)
    ratios: Floats = (counts @ rises) / (counts @ tokens)
    return ratios
