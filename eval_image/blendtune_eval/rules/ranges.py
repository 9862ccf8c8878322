"""Numbers that stand together: ranges and alternatives, which share a unit and offer more than one value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import zip_longest

from blendtune_eval.rules.numerals import CURRENCY_SIGNS
from blendtune_eval.rules.quantity import Quantity
from blendtune_eval.rules.text import Token, word_at, words
from blendtune_eval.rules.units import stem, words_of

RANGE_WORDS = frozenset(
    {"-", "to", "or", "and", "up", "until", "till", "à", "a", "bis", "至", "到", "und", "et", "y", "e"}
)
_OR_FILLERS = words("or oder ou o maybe perhaps possibly even about around approximately either , - $ € £")
MOVING = words(
    "rose rises raise raises raised risen increase increases increased grew grows went fell fall falls "
    "drop drops dropped change changes changed reduce reduces reduced cut cuts lower lowers lowered climbed "
    "jumped sank shrank moved decreased declined fallen"
)
_REACH = 5  # tokens from a verb to the value from which something moves
_OFFERING = words("or oder ou o maybe perhaps possibly")
_FROM = words("between from zwischen von entre de da desde")


def share_units_in_ranges(tokens: Sequence[Token], found: list[Quantity]) -> list[Quantity]:
    """Gives both numbers of a range the unit of either: in "5 to 10 days" and "$5-10"."""
    shared = list(found)
    for i in range(len(shared) - 2, -1, -1):
        left, right = shared[i], shared[i + 1]
        between = [token.text for token in tokens[left.end : right.start]]
        if between and set(between) <= RANGE_WORDS | CURRENCY_SIGNS | _OR_FILLERS:
            in_unit = left.in_unit or right.in_unit
            noun = left.noun or right.noun
            if right.unit and not left.unit:
                left = replace(left, value=left.value * right.one, unit=right.unit, one=right.one)
            shared[i] = replace(left, in_unit=in_unit, noun=noun, bare=left.bare and not in_unit)
            shared[i + 1] = replace(right, in_unit=in_unit, bare=right.bare and not in_unit)
    return shared


def join_alternatives(tokens: Sequence[Token], found: list[Quantity]) -> list[Quantity]:
    """Notes for each number those that "or", or a range, joins to it, as in "40% or 60%" and "40-60%"."""
    joined = list(found)
    for i in range(len(found) - 1):
        left, right = found[i], found[i + 1]
        between = [token.text for token in tokens[left.end : right.start]]
        units = {word for unit in (left.unit, right.unit) if unit for word in words_of(unit)}
        rest = {stem(word) for word in between} - _OR_FILLERS - {"day", left.noun, right.noun} - units
        is_or = not _OFFERING.isdisjoint(between) and not rest
        opened = word_at(tokens, left.start - 1) in _FROM or word_at(tokens, left.start - 2) == "between"
        is_range = _is_range(between, units, opened, left, tokens)
        other_measure = left.in_unit is not right.in_unit and not (left.bare or right.bare)
        if (is_or or is_range) and not other_measure:
            joined[i] = replace(
                joined[i], alternatives=(*joined[i].alternatives, right.value), ranged=is_range
            )
            joined[i + 1] = replace(joined[i + 1], alternatives=(left.value,), ranged=is_range)
    return joined


def _is_range(
    between: Sequence[str], units: set[str], opened: bool, left: Quantity, tokens: Sequence[Token]
) -> bool:
    rest = [word for word in between if stem(word) not in units | CURRENCY_SIGNS | {left.noun, "%"}]
    if rest in (["-"], ["to"], ["up", "to"], ["à"], ["a"], ["bis"], ["至"], ["到"]):
        return not _moves(tokens, left.start)
    return opened and rest in (["and"], ["until"], ["-"], ["und"], ["et"], ["y"])


def _moves(tokens: Sequence[Token], start: int) -> bool:
    """Whether a verb of change stands before the token."""
    return not MOVING.isdisjoint(token.text for token in tokens[max(start - _REACH, 0) : start])


def mark_left_behind(tokens: Sequence[Token], found: Sequence[Quantity]) -> list[Quantity]:
    """Notes the value that no longer holds: 20 in "raised from 20 to 30" and in "30, up from 20"."""
    marked: list[Quantity] = []
    for quantity, following in zip_longest(found, found[1:]):
        at = quantity.start - 1 - (word_at(tokens, quantity.start - 1) in CURRENCY_SIGNS)
        goes_on = following is not None and "to" in [
            token.text for token in tokens[quantity.end : following.start]
        ]
        left = word_at(tokens, at) == "from" and (
            word_at(tokens, at - 1) in ("up", "down") or (goes_on and _moves(tokens, at))
        )
        marked.append(replace(quantity, left_behind=True) if left else quantity)
    return marked
