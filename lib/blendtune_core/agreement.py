"""How far two graders agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from blendtune_core.statistics import wilson


@dataclass(frozen=True, kw_only=True, slots=True)
class Agreement:
    """Of `n` graded answers, `agreed` were graded alike: the share, with its 95% interval (Wilson).

    `kappa` is Cohen's; None where it is undefined, because both gave one and the same grade to all.
    """

    n: int
    agreed: int
    share: float
    low: float
    high: float
    kappa: float | None


def agreement(grades: Sequence[tuple[bool, bool]]) -> Agreement:
    """Of pairs of grades, one of each grader. Raises ValueError without any."""
    if not grades:
        raise ValueError("no answer was graded by both")
    n, agreed = len(grades), sum(one is other for one, other in grades)
    interval = wilson(agreed / n, n)
    return Agreement(
        n=n, agreed=agreed, share=agreed / n, low=interval.low, high=interval.high, kappa=cohens_kappa(grades)
    )


def cohens_kappa(grades: Sequence[tuple[bool, bool]]) -> float | None:
    """(observed - expected) / (1 - expected agreement), the expected one by chance from how often each grader
    gives each grade (Cohen 1960, Educational and Psychological Measurement 20:37). None where that is 1.
    """
    n = len(grades)
    observed = sum(one is other for one, other in grades) / n
    first, second = (sum(pair[grader] for pair in grades) / n for grader in (0, 1))
    expected = first * second + (1 - first) * (1 - second)
    return None if expected == 1 else (observed - expected) / (1 - expected)
