"""Whether an answer states the wanted number, and no other one for the same thing."""

from __future__ import annotations

from collections.abc import Sequence

from blendtune_eval.rubric import Number, Question
from blendtune_eval.rules.abstention import declines
from blendtune_eval.rules.claims import Answer
from blendtune_eval.rules.decision import Decision, No, Unsure, Yes
from blendtune_eval.rules.doubt import Doubt
from blendtune_eval.rules.foreign import clause
from blendtune_eval.rules.negation import Standing
from blendtune_eval.rules.ownership import Bearing, bearings, rival_phrases, subject_phrases
from blendtune_eval.rules.quantities import units_of
from blendtune_eval.rules.quantity import Quantity
from blendtune_eval.rules.scripts import in_another_script, language_of, negated_elsewhere
from blendtune_eval.rules.siblings import by_sibling, siblings_of
from blendtune_eval.rules.spelling import nearly_unit
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
    decisive,
    ends_with,
    former,
    opposed,
    preferred,
    works,
)
from blendtune_eval.rules.text import content, outermost, word_at, words
from blendtune_eval.rules.units import AMBIGUOUS_BARE, SHARE, stem

_EXACT = 1e-9
_LONGEST_BARE = 12  # words of an answer that is no more than a number
_LONGEST_UNCLEAR = 25
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
        return _without(number, wanted, every, counted, answer)
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
            or each.quantity.end - each.quantity.start > 1
        ):
            return True
    return False


def _chosen_from(number: Number, quantity: Quantity, question: Question) -> bool:
    """Whether "or" or a range offers another value beside it. A share in its other form is the same value."""
    forms = (1.0, 100.0, 0.01) if quantity.share is not None or _is_share(number) else (1.0,)
    offered = quantity.alternatives
    if quantity.ranged and not siblings_of(number, question):
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


def _without(
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
    if any(equals(number, each.quantity.value) and _misspelt(number, each.quantity) for each in every):
        return Unsure(Doubt.SPELLING, f"says {number.value:g} and nearly {number.unit}")
    bare = _bare_ones(every)
    if any(equals(number, quantity.value) for quantity in bare):
        return _bare(number, wanted, bare, answer)
    if _in_other_words(number, answer) and (not every or in_another_script(answer.text, "latin")):
        return Unsure(Doubt.LANGUAGE, reason)
    return No(reason)


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
