"""What an answer says of a number that it does not state in its unit: bare, in a working, as a duration."""

from __future__ import annotations

from collections.abc import Sequence

from blendtune_eval.rubric import Number
from blendtune_eval.rules.abstention import declines
from blendtune_eval.rules.claims import Answer
from blendtune_eval.rules.clock import durations
from blendtune_eval.rules.decision import Decision, No, Unsure, Yes
from blendtune_eval.rules.doubt import Doubt
from blendtune_eval.rules.quantities import units_of
from blendtune_eval.rules.quantity import Quantity
from blendtune_eval.rules.scripts import in_another_script, language_of
from blendtune_eval.rules.spelling import nearly_unit
from blendtune_eval.rules.stated import (
    Stated,
    candidate_of,
    counts,
    equals,
    is_right,
    stated_in,
)
from blendtune_eval.rules.subjects import ends_with, works
from blendtune_eval.rules.text import content
from blendtune_eval.rules.units import AMBIGUOUS_BARE, TIME, stem

_LONGEST_BARE = 12  # words of an answer that is no more than a number
_LONGEST_UNCLEAR = 25


def not_in_unit(
    number: Number, wanted: str, every: Sequence[Stated], counted: Sequence[Stated], answer: Answer
) -> Decision:
    """The wanted number is not stated in its unit."""
    denied = stated_in(number, answer, denied=True)
    others = ", ".join(dict.fromkeys(f"{each.quantity.value:g}" for each in counted[:3]))
    reason = f"says {others}, not {wanted}" if others else f"does not say {wanted}"
    for each in counted:
        if each.quantity.other is not None and equals(number, each.quantity.other):
            return Unsure(Doubt.NOTATION, f"says {wanted}, or a thousandth or thousandfold of it")
    if declines(answer.text, answer.wording):
        return No(reason)
    if (told := _in_a_working(number, every, counted, answer)) is not None:
        return told
    if counted:
        return No(reason)
    if any(counts(number, each.quantity) and is_right(number, each.quantity) for each in denied):
        return No(f"denies {wanted}")
    if (told := _as_duration(number, wanted, answer)) is not None:
        return told
    if any(equals(number, each.quantity.value) and _misspelt(number, each.quantity) for each in every):
        return Unsure(Doubt.SPELLING, f"says {number.value:g} and nearly {number.unit}")
    bare = _bare_ones(every)
    if any(equals(number, quantity.value) for quantity in bare):
        return _bare(number, wanted, bare, answer)
    if _in_other_words(number, answer) and (not every or in_another_script(answer.text, "latin")):
        return Unsure(Doubt.LANGUAGE, reason)
    return No(reason)


def _as_duration(number: Number, wanted: str, answer: Answer) -> Decision | None:
    """The decision on "1:30 h" and "01:30:00", where 90 minutes are asked for."""
    unit = next(iter(units_of(number.unit, number.unit_aliases).named), None)
    if unit is None or unit.dimension != TIME:
        return None
    said = [seconds / unit.factor for sentence in answer.own for seconds in durations(sentence.tokens)]
    if not any(equals(number, value) for value in said):
        return None
    if len(set(said)) == 1 and len(answer.words) <= _LONGEST_BARE:
        return Yes(f"says {wanted}")
    return Unsure(Doubt.NOTATION, f"says {wanted}, or a time of day")


def _bare_ones(every: Sequence[Stated]) -> list[Quantity]:
    return [each.quantity for each in every if each.quantity.bare and not each.quantity.vague]


def _in_a_working(
    number: Number, every: Sequence[Stated], counted: Sequence[Stated], answer: Answer
) -> Decision | None:
    """The decision on a worked solution that leaves the unit out: "12 apples. 12 - 5 = 7. So 7 are left."

    Numbers of the question stand in its way only as alternatives. None without the right number, and where
    the answer does not end with it and has another one in the unit.
    """
    bare = _bare_ones(every)
    if not any(equals(number, quantity.value) for quantity in bare):
        return None
    own = [each for each in counted if each.quantity.value not in answer.wording_values]
    own += [each for each in counted if each.quantity.alternatives and each not in own]
    candidates = [
        candidate_of(each, right=equals(number, each.quantity.value))
        for each in every
        if each in own or each.quantity in bare
    ]
    candidates = [each for each in candidates if each.right or each.value not in answer.wording_values]
    told = ends_with(candidates, answer.own)
    if told and (not own or works(answer.own)) and _sets_unit(number, answer):
        return Yes(f"ends with {number.value:g}, and the question sets the unit")
    if counted and not own and told is not False:
        return _bare(number, f"{number.value:g} {number.unit}", bare, answer)
    return None


def _misspelt(number: Number, quantity: Quantity) -> bool:
    units = units_of(number.unit, number.unit_aliases)
    return any(
        nearly_unit(quantity.noun, word) for phrase in units.phrases for word in phrase if len(word) > 2
    )


def _bare(number: Number, wanted: str, bare: Sequence[Quantity], answer: Answer) -> Decision:
    """The right number without its unit: enough where it is the answer, and the question sets the unit."""
    own = {
        quantity.value
        for quantity in bare
        if quantity.value not in answer.wording_values
        or quantity.alternatives
        or equals(number, quantity.value)
    }
    alone = len(own) == 1 and len(answer.words) <= _LONGEST_BARE
    if alone and _sets_unit(number, answer):
        return Yes(f"says {number.value:g}, and the question sets the unit")
    if len(answer.words) <= _LONGEST_UNCLEAR:
        return Unsure(Doubt.UNIT, f"says {number.value:g} without {number.unit}")
    return No(f"does not say {wanted}")


def _sets_unit(number: Number, answer: Answer) -> bool:
    """Whether a number without a unit is surely in the unit that is asked for."""
    units = units_of(number.unit, number.unit_aliases)
    asked = {stem(token.text) for token in content(answer.wording)}
    return units.dimension not in AMBIGUOUS_BARE or any(set(phrase) <= asked for phrase in units.phrases)


def _in_other_words(number: Number, answer: Answer) -> bool:
    """Whether the number may be written in words of another language."""
    if in_another_script(answer.text, "latin") or language_of(answer.words) not in ("", "en"):
        return True
    phrases = units_of(number.unit, number.unit_aliases)
    names = {phrase[0] for phrase in phrases.phrases if len(phrase[0]) > 2}
    names |= {name for unit, _, _ in phrases.others for name in unit.names if len(name) > 2}
    return len(answer.words) <= 3 and any(stem(word) in names or word in names for word in answer.words)
