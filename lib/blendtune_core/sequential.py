"""Group-sequential asking: looks at the answers so far, after which an evaluation may stop.

The questions are asked in LOOKS groups of equal size, and the intervals of look k of K are wider than plain
ones: their critical value is C * sqrt(K / k) (O'Brien and Fleming 1979, Biometrics 35:549). C is chosen such
that the intervals of all looks hold the truth together in 95% of evaluations: they are repeated confidence
intervals (Jennison and Turnbull 1989, Journal of the Royal Statistical Society B 51:305). So it does not
matter why an evaluation has stopped. A difference, times the square root of its information, moves from look
to look as a Brownian motion does: see `blendtune_core.brownian`.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist

from blendtune_core.power import LEVEL, critical_value

LOOKS = 5
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
        from blendtune_core.brownian import bound  # numpy, which the operator's image has not

        return bound(self.of, level) * sqrt(self.of / self.number)

    def level(self, level: float = LEVEL) -> float:
        """The level of the plain interval that has this critical value."""
        return level if self.of == 1 else 2 * _NORMAL.cdf(self.critical(level)) - 1

    def p_value(self, p_value: float) -> float:
        """What a plain two-sided p-value is worth here: at most 0.05 just where `critical` is reached."""
        if self.of == 1 or p_value >= 1:
            return p_value
        from blendtune_core.brownian import leaves

        reached = -_NORMAL.inv_cdf(max(p_value, 1e-300) / 2)
        return max(p_value, leaves(self.of, reached * sqrt(self.number / self.of)))


ONLY_LOOK = Look(1, 1)  # of an evaluation that asks every question


def looks(questions: int) -> list[tuple[Look, int]]:
    """Each look, and after how many of the questions it is taken."""
    return [(Look(number), -(-questions * number // LOOKS)) for number in range(1, LOOKS + 1)]
