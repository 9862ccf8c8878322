"""Rates such as km/h: read in their usual forms, and converted to each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from blendtune_eval.rules.text import Token, word_at, words
from blendtune_eval.rules.units import UNITS, Unit, stem

_DIMENSIONS = words("length mass volume time")
_NAMED = {
    name: unit for unit in reversed(UNITS) if unit.dimension in _DIMENSIONS for name in unit.names
}  # of two units with one name the first
_SHORT = {"kmh": ("km", "h"), "kmph": ("km", "h"), "kph": ("km", "h"), "mph": ("mile", "h")}
_PER = words("/ per a an")
_INVERSE = ["^", "−", "1"]  # "km h^-1"


@dataclass(frozen=True, slots=True)
class Rate:
    """So much of one unit for one of another."""

    above: Unit
    below: Unit

    def converts_to(self, other: Rate) -> bool:
        return (self.above.dimension, self.below.dimension) == (other.above.dimension, other.below.dimension)

    def factor_to(self, other: Rate) -> float:
        return self.above.factor / other.above.factor * other.below.factor / self.below.factor

    def rounds_to(self, other: Rate) -> bool:
        """Whether people round when they convert it, as from miles to kilometres."""
        return self.above.system is not other.above.system


def rate_at(tokens: Sequence[Token], index: int) -> Rate | None:
    """The rate that the tokens from the index on name; None where they name none."""
    if (short := _SHORT.get(word_at(tokens, index))) is not None:
        return Rate(*(_NAMED[name] for name in short))
    above = _NAMED.get(stem(word_at(tokens, index)))
    inverse = [token.text for token in tokens[index + 2 : index + 5]] == _INVERSE
    if above is None or not (inverse or word_at(tokens, index + 1) in _PER):
        return None
    below = _NAMED.get(stem(word_at(tokens, index + (1 if inverse else 2))))
    return None if below is None else Rate(above, below)
