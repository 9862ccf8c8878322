"""The numbers that an answer states for a criterion: which count, which are right, which rival them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from blendtune_eval.rubric import Number
from blendtune_eval.rules.claims import Answer
from blendtune_eval.rules.negation import Standing
from blendtune_eval.rules.quantities import quantities, units_of
from blendtune_eval.rules.quantity import Quantity
from blendtune_eval.rules.ranges import MOVING
from blendtune_eval.rules.scripts import language_of
from blendtune_eval.rules.subjects import Candidate, is_year
from blendtune_eval.rules.text import TokenKind, content, word_at, words
from blendtune_eval.rules.units import stem

_CLOSE = 0.05  # relative distance within which a value converted from another system is the same
_EXACT = 1e-6
_TOGETHER = words("together altogether total all sum overall both")
_CHANGES = words(
    "from before difference former formerly previous previously original originally earlier initially"
)
_PREPOSITIONS = words("in for on at during per")
_EUROPEAN = frozenset({"de", "fr", "es", "it", "pt", "nl"})
_CARRYING = words("for is was are and costs cost takes take needs need lasts last gets get only")


@dataclass(frozen=True, slots=True)
class Stated:
    """A number of an answer's sentence."""

    sentence: int
    quantity: Quantity


def stated_in(number: Number, answer: Answer, *, denied: bool = False) -> list[Stated]:
    """The numbers that an answer states; those that it denies where `denied`."""
    european = not _EUROPEAN.isdisjoint(
        (language_of(answer.words), language_of(token.text for token in content(answer.wording)))
    )
    return [
        Stated(index, quantity)
        for index, sentence in enumerate(answer.own)
        for quantity in _read_in(european, quantities(sentence, number.unit, number.unit_aliases))
        if (quantity.standing is Standing.DENIED) is denied
        and not _is_given(number, quantity, answer)
        and not (quantity.left_behind and not (number.subject or _asks_for_the_former(answer)))
    ]


def _read_in(european: bool, found: list[Quantity]) -> list[Quantity]:
    """The numbers with "1.240" read as thousands where the language does so."""
    if not european:
        return found
    read = {each.value: each.other for each in found if each.other is not None and each.other > each.value}
    return [
        replace(
            each,
            value=read.get(each.value, each.value),
            other=each.value if each.value in read else each.other,
            alternatives=tuple(read.get(value, value) for value in each.alternatives),
        )
        for each in found
    ]


def _is_given(number: Number, quantity: Quantity, answer: Answer) -> bool:
    """Whether it is in another unit that the question names: "a year" where it asks for a year's months."""
    if quantity.unit is None or quantity.unit in units_of(number.unit, number.unit_aliases).named:
        return False
    asked = [stem(token.text) for token in content(answer.wording)]
    return any(name in asked for name in quantity.unit.names)


def _asks_for_the_former(answer: Answer) -> bool:
    """Whether the question asks of a change, or for what was so before it."""
    return not (MOVING | _CHANGES).isdisjoint(token.text for token in content(answer.wording))


def counts(number: Number, quantity: Quantity) -> bool:
    return (
        quantity.in_unit or not number.unit or (quantity.share is not None and equals(number, quantity.share))
    )


def is_right(number: Number, quantity: Quantity) -> bool:
    if equals(number, quantity.value, quantity.tolerance):
        return True
    return quantity.share is not None and equals(number, quantity.share)


def equals(number: Number, value: float, rounding: float = 0.0) -> bool:
    return abs(value - number.value) <= number.tolerance + max(rounding, 1e-9) * max(1.0, abs(number.value))


def is_rival(
    number: Number, quantity: Quantity, right: Sequence[Stated], wording_values: frozenset[float]
) -> bool:
    """Whether the quantity is a second, different value for the same fact.

    Numbers in the wording and declared `other_values` are not. Without a unit, it must count the same noun as
    the right number, or none where that counts none. A year rivals only a year.
    """
    if is_right(number, quantity) or quantity.vague:
        return False
    if quantity.tolerance and abs(quantity.value - number.value) <= _CLOSE * abs(number.value):
        return False
    if quantity.value in wording_values or any(
        abs(quantity.value - other) < 1e-9 for other in number.other_values
    ):
        return False
    if number.unit:
        return True
    if quantity.dated or is_year(quantity.value) != is_year(number.value):
        return False
    if quantity.share is not None:
        return False
    return any(quantity.noun == each.quantity.noun for each in right)


def is_elided(number: Number, stated: Stated, right: Sequence[Stated], answer: Answer) -> bool:
    """Whether a number leaves its unit to the right one: "a cup dries for 36 hours, a vase for 72"."""
    quantity, tokens = stated.quantity, answer.own[stated.sentence].tokens
    after = word_at(tokens, quantity.end)
    ends = (
        quantity.end >= len(tokens) or tokens[quantity.end].kind is TokenKind.BREAK or after in _PREPOSITIONS
    )
    return (
        ends
        and (quantity.bare or not quantity.noun)
        and word_at(tokens, quantity.start - 1) in _CARRYING
        and not (quantity.vague or quantity.dated or quantity.in_unit or quantity.share)
        and is_year(quantity.value) == is_year(number.value)
        and not is_right(number, quantity)
        and quantity.value not in {*answer.wording_values, *number.other_values}
        and any(each.sentence == stated.sentence and each.quantity.end <= quantity.start for each in right)
    )


def shares_unit(number: Number, stated: Stated, counted: Sequence[Stated]) -> bool:
    """Whether a bare number shares the unit of another: "the old plan costs 20 euros, the new one 35"."""
    quantity = stated.quantity
    return (
        quantity.bare
        and not (quantity.vague or quantity.dated or quantity.share)
        and is_year(quantity.value) == is_year(number.value)
        and any(each.sentence == stated.sentence for each in counted)
    )


def is_difference(stated: Stated, answer: Answer) -> bool:
    """Whether it says how far two values are apart: "15 euros dearer than the old plan"."""
    following = [token.text for token in answer.own[stated.sentence].tokens[stated.quantity.end :][:4]]
    than = following.index("than") if "than" in following else 0
    return than > 0 and (following[than - 1].endswith("er") or following[than - 1] in ("more", "less"))


def products(stated: Sequence[Stated], factors: Sequence[Stated], answer: Answer) -> list[Stated]:
    """Those that are an earlier one of the factors times a count that the answer itself brings in.

    "18.40 per jar, so 10 jars come to 184": the question asks for no ten jars, and 184 is not its answer.
    """
    if not factors or _TOGETHER.intersection(token.text for token in content(answer.wording)):
        return []
    first: dict[float, tuple[int, int]] = {}
    for factor in factors:
        first.setdefault(factor.quantity.value, (factor.sentence, factor.quantity.start))
    counts_in = {
        index: {each.value for each in quantities(answer.own[index], "") if each.value > 1}
        - answer.wording_values
        for index in {each.sentence for each in stated}
    }
    return [
        each
        for each in stated
        if any(
            place < (each.sentence, each.quantity.start)
            and abs(value * count - each.quantity.value) < _EXACT * max(1.0, abs(each.quantity.value))
            for value, place in first.items()
            for count in counts_in[each.sentence]
            if value
        )
    ]


def candidate_of(stated: Stated, *, right: bool) -> Candidate:
    quantity = stated.quantity
    return Candidate(
        stated.sentence, quantity.start, quantity.end, right, quantity.value, f"{quantity.value:g}"
    )
