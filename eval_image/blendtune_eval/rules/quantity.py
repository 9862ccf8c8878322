"""A number that a sentence states."""

from __future__ import annotations

from dataclasses import dataclass

from blendtune_eval.rules.negation import Standing
from blendtune_eval.rules.units import Unit


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number in a sentence, at the tokens [start, end). `vague`: a bare "one", which may be a pronoun.

    `value` is in the asked unit where `in_unit`; `other` is the second reading of an ambiguous notation or
    form, and `tolerance` what a conversion between systems of measure loses, relative to the value.
    """

    value: float
    start: int
    end: int
    standing: Standing
    noun: str = ""  # the counted word, if one follows
    in_unit: bool = False
    unit: Unit | None = None
    one: float = 1.0  # one of that unit, in the asked unit
    vague: bool = False
    dated: bool = False  # a day of the month, next to the month's name
    bare: bool = False  # without any unit or counted word
    other: float | None = None
    share: float | None = None  # the same as a percentage, or as a fraction of 1
    tolerance: float = 0.0
    alternatives: tuple[float, ...] = ()  # numbers that "or" or a range joins to it
    ranged: bool = False
    left_behind: bool = False  # what it was before a change: 20 in "raised from 20 to 30"
