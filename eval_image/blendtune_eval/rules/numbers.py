"""Whether an answer states the wanted number, and no other one for the same thing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from blendtune_eval.rubric import Number, Question
from blendtune_eval.rules.claims import Answer
from blendtune_eval.rules.decision import Decision, No, Unsure, Yes
from blendtune_eval.rules.doubt import Doubt
from blendtune_eval.rules.foreign import clause
from blendtune_eval.rules.negation import Standing
from blendtune_eval.rules.ownership import Bearing, bearings, rival_phrases, subject_phrases
from blendtune_eval.rules.quantities import units_of
from blendtune_eval.rules.quantity import Quantity
from blendtune_eval.rules.scripts import language_of, negated_elsewhere
from blendtune_eval.rules.siblings import by_sibling, siblings_of
from blendtune_eval.rules.stated import (
    Stated,
    candidate_of,
    counts,
    equals,
    is_difference,
    is_elided,
    is_right,
    is_rival,
    products,
    shares_unit,
    stated_in,
)
from blendtune_eval.rules.subjects import (
    Candidate,
    asked_words,
    asks_for_both_ends,
    decisive,
    former,
    opposed,
    preferred,
)
from blendtune_eval.rules.text import content, outermost, word_at, words
from blendtune_eval.rules.unitless import not_in_unit
from blendtune_eval.rules.units import SHARE

_EXACT = 1e-9
_PERCENT = words("% percent percentage cent")


def check_number(number: Number, answer: Answer, question: Question) -> Decision:
    wanted = f"{number.value:g} {number.unit}".strip()
    every = outermost(stated_in(number, answer))
    counted = [each for each in every if counts(number, each.quantity)]
    if number.subject:
        counted += [each for each in every if each not in counted and shares_unit(number, each, counted)]
        counted.sort(key=lambda each: (each.sentence, each.quantity.start))
    right = [each for each in counted if is_right(number, each.quantity)]
    if not right:
        return not_in_unit(number, wanted, every, counted, answer)
    if (
        number.unit
        and all(each.quantity.share is not None and each.quantity.bare for each in right)
        and (not _is_fraction(right, answer))
    ):
        return Unsure(Doubt.UNIT, f"says {wanted} as a bare fraction of 1")
    said = answer.words
    if language_of(said) not in ("", "en") and all(_negated_elsewhere(each, answer) for each in right):
        return Unsure(Doubt.LANGUAGE, f"says {wanted} beside a negation in another language")
    if not number.subject and (offered := _offered_beside(number, wanted, right, question)) is not None:
        return offered
    if number.subject:
        return _of_subject(number, f"{wanted} for {number.subject}", counted, answer, question)
    if (told := by_sibling(number, question, answer, counted)) is not None:
        return told
    rivals = [each for each in counted if is_rival(number, each.quantity, right, answer.wording_values)]
    rivals += [each for each in every if each not in rivals and is_elided(number, each, right, answer)]
    rivals += _other_shares(number, every, right, answer)
    if right == (of_several := products(right, rivals, answer)) and of_several:
        return Unsure(Doubt.SUBJECT, f"says {wanted}, of several")
    of_several = products(rivals, right, answer)
    rivals = [each for each in rivals if each not in of_several]
    return _among(number, wanted, right, rivals, answer, question)


def _negated_elsewhere(stated: Stated, answer: Answer) -> bool:
    near = clause(answer.own[stated.sentence].tokens, stated.quantity.start, stated.quantity.end)
    return negated_elsewhere("", near)


def _is_fraction(right: Sequence[Stated], answer: Answer) -> bool:
    """Whether the share is said to be one: "1/4", "0.25 of the fee", "0.0225, or 2.25%".

    Alone it is, unless percent are asked for.
    """
    if (
        not answer.words
        and len(right) == 1
        and not _PERCENT.intersection(t.text for t in content(answer.wording))
    ):
        return True
    for each in right:
        tokens = answer.own[each.sentence].tokens
        following = word_at(tokens, each.quantity.end)
        if (
            "/" in tokens[each.quantity.start].text
            or following == "of"
            or tokens[each.quantity.start].text == "half"
            or each.quantity.end - each.quantity.start > 1
        ):
            return True
    return False


def _other_shares(
    number: Number, every: Sequence[Stated], right: Sequence[Stated], answer: Answer
) -> list[Stated]:
    """The other fractions, in percent, where the right one is one: "a quarter is kept, half is not"."""
    if not number.unit or any(each.quantity.share is None for each in right):
        return []
    others = [each for each in every if not is_right(number, each.quantity) and _is_fraction([each], answer)]
    return [
        replace(each, quantity=replace(each.quantity, value=each.quantity.share))
        for each in others
        if each.quantity.share is not None
    ]


def _chosen_from(number: Number, quantity: Quantity, question: Question) -> bool:
    """Whether "or" or a range offers another value beside it. A share in its other form is the same value."""
    forms = (1.0, 100.0, 0.01) if quantity.share is not None or _is_share(number) else (1.0,)
    offered = quantity.alternatives
    if quantity.ranged and (asks_for_both_ends(question.prompt) or not siblings_of(number, question)):
        offered = tuple(each for each in offered if each not in number.other_values)
    return any(not any(equals(number, each * form, quantity.tolerance) for form in forms) for each in offered)


def _offered_beside(number: Number, wanted: str, right: Sequence[Stated], question: Question) -> No | None:
    if any(_chosen_from(number, each.quantity, question) for each in right):
        other = next(a for each in right for a in each.quantity.alternatives if not equals(number, a))
        return No(f"says both {wanted} and {other:g}", contradicted=True)
    return None


def _is_share(number: Number) -> bool:
    return units_of(number.unit, number.unit_aliases).dimension == SHARE


def _of_subject(
    number: Number, wanted: str, counted: Sequence[Stated], answer: Answer, question: Question
) -> Decision:
    """The decision where the value must be the subject's: what is said of something else does not count."""
    stated = {
        candidate_of(each, right=is_right(number, each.quantity)): each
        for each in counted
        if is_right(number, each.quantity)
        or not (each.quantity.value in answer.wording_values or is_difference(each, answer))
    }
    chosen = decisive(list(stated), answer.own)
    if not any(candidate.right for candidate in chosen):
        return No(f"takes {wanted} back for {chosen[-1].label}", contradicted=True)
    told = bearings(
        chosen, subject_phrases(number), rival_phrases(number, question), answer.full, answer.asked
    )
    best = max(told.values())
    top = [candidate for candidate in chosen if told[candidate] is max(best, Bearing.NONE)]
    mine = top if any(c.right for c in top) else [*top, *(c for c in chosen if c.right and not told[c])]
    rights = [stated[candidate] for candidate in mine if candidate.right]
    swapped = mine is not top and best >= Bearing.MARKED and any(_is_other(number, c) for c in top)
    if swapped or not rights:
        if best > Bearing.NONE or any(told[c] is Bearing.OTHER for c in chosen if c.right):
            return No(f"does not say {wanted}, but of something else", contradicted=True)
        return Unsure(Doubt.SUBJECT, f"says {wanted}, perhaps of something else")
    if (offered := _offered_beside(number, wanted, rights, question)) is not None:
        return offered
    rivals = [
        stated[candidate]
        for candidate in mine
        if is_rival(number, stated[candidate].quantity, rights, answer.wording_values)
    ]
    several = bool(rivals and number.unit) or any(_is_other(number, candidate) for candidate in mine)
    if best is Bearing.NONE and several:
        return Unsure(Doubt.SUBJECT, f"says {wanted}, without saying of what")
    return _among(number, wanted, rights, rivals, answer, question)


def _is_other(number: Number, candidate: Candidate) -> bool:
    """Whether it is one of the values that belong to something else."""
    return any(abs(candidate.value - value) < _EXACT for value in number.other_values)


def _among(
    number: Number,
    wanted: str,
    right: Sequence[Stated],
    rivals: Sequence[Stated],
    answer: Answer,
    question: Question,
) -> Decision:
    """The decision where the wanted number is stated, perhaps beside others."""
    candidates = sorted(
        [candidate_of(each, right=True) for each in right]
        + [candidate_of(each, right=False) for each in rivals],
        key=lambda candidate: candidate.place,
    )
    chosen = decisive(candidates, answer.own)
    if not any(candidate.right for candidate in chosen):
        return No(f"takes {wanted} back for {chosen[-1].label}", contradicted=True)
    others = [candidate for candidate in chosen if not candidate.right]
    if not others:
        return _of_the_right_thing(wanted, [c for c in chosen if c.right], right, answer, question)
    rest = _is_share(number) and all(abs(each.value + number.value - 100) < 1e-9 for each in others)
    told = preferred(chosen, answer.full, answer.asked, concluding=not rest)
    if told is None:
        return Unsure(Doubt.SEVERAL_VALUES, f"says both {wanted} and {others[0].label}")
    if not told:
        return No(f"says both {wanted} and {others[0].label}", contradicted=True)
    return Yes(f"says {wanted}")


def _of_the_right_thing(
    wanted: str, chosen: Sequence[Candidate], right: Sequence[Stated], answer: Answer, question: Question
) -> Decision:
    expected = answer.asked | asked_words(content(question.reference))
    if all(opposed(candidate, answer.full, expected) for candidate in chosen):
        return Unsure(Doubt.SUBJECT, f"says {wanted} of the opposite")
    if all(former(answer.full[c.sentence].tokens[: c.start], answer.wording) for c in chosen):
        return Unsure(Doubt.SUBJECT, f"says {wanted} of what was so before")
    if all(each.quantity.standing in (Standing.UNCLEAR, Standing.QUOTED) for each in right):
        return Unsure(Doubt.NEGATION, f"says {wanted} under a reservation")
    return Yes(f"says {wanted}")
