"""Whether an answer meets a criterion, with the reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from blendtune_eval.rubric import Abstention, Criterion, Fact, Forbidden, Number
from blendtune_eval.rules.abstention import answers_after_all, declines
from blendtune_eval.rules.claims import Answer, standings
from blendtune_eval.rules.negation import Standing
from blendtune_eval.rules.quantities import Quantity, quantities
from blendtune_eval.rules.text import Sentence

_YEARS = (1000.0, 2100.0)


@dataclass(frozen=True, kw_only=True, slots=True)
class CriterionVerdict:
    """Whether one criterion is met and why. A Forbidden criterion is met when the answer makes the claim.

    `contradicted`: the answer gives two values for the same fact, which makes the whole answer wrong.
    """

    criterion: str
    met: bool
    reason: str
    contradicted: bool = False


def check(criterion: Criterion, answer: Answer) -> CriterionVerdict:
    match criterion:
        case Fact():
            return _check_fact(criterion, answer)
        case Number():
            return _check_number(criterion, answer)
        case Forbidden():
            return _check_forbidden(criterion, answer)
        case Abstention():
            return _check_abstention(criterion, answer)


def _check_fact(fact: Fact, answer: Answer) -> CriterionVerdict:
    """A fact in a condition counts: "if you ask within the first week" says when to ask."""
    seen: dict[str, Standing] = {}
    for alias in fact.any_of:
        for standing in standings(answer.own, alias):
            if standing in (Standing.ASSERTED, Standing.CONDITIONAL):
                return CriterionVerdict(criterion=fact.name, met=True, reason=f"says “{alias}”")
            seen.setdefault(alias, standing)
    if seen:
        alias, standing = next(iter(seen.items()))
        what = "denies" if standing is Standing.DENIED else "offers as one of several"
        return CriterionVerdict(criterion=fact.name, met=False, reason=f"{what} “{alias}”")
    return CriterionVerdict(
        criterion=fact.name, met=False, reason=f"does not say {_alternatives(fact.any_of)}"
    )


def _check_forbidden(claim: Forbidden, answer: Answer) -> CriterionVerdict:
    """A hedged claim is made; a denied claim, or one in a condition, is not."""
    for alias in claim.any_of:
        if any(
            standing in (Standing.ASSERTED, Standing.HEDGED) for standing in standings(answer.full, alias)
        ):
            return CriterionVerdict(criterion=claim.name, met=True, reason=f"claims “{alias}”")
    return CriterionVerdict(criterion=claim.name, met=False, reason="makes no such claim")


def _check_abstention(abstention: Abstention, answer: Answer) -> CriterionVerdict:
    if declines(answer.text, answer.wording):
        return CriterionVerdict(criterion=abstention.name, met=True, reason="declines")
    for alias in abstention.any_of:
        said = next((at for at, sentence in enumerate(answer.full) if _declared(sentence, alias)), None)
        if said is not None and not answers_after_all(answer.full[said:], answer.wording):
            return CriterionVerdict(criterion=abstention.name, met=True, reason=f"declines: “{alias}”")
    return CriterionVerdict(criterion=abstention.name, met=False, reason="does not decline")


def _declared(sentence: Sentence, alias: str) -> bool:
    return any(standing is not Standing.DENIED for standing in standings([sentence], alias))


def _check_number(number: Number, answer: Answer) -> CriterionVerdict:
    stated = [
        quantity
        for sentence in answer.own
        for quantity in quantities(sentence, number.unit, number.unit_aliases)
        if quantity.standing is not Standing.DENIED and (quantity.in_unit or not number.unit)
    ]
    right = [quantity for quantity in stated if _equals(number, quantity.value)]
    wanted = f"{number.value:g} {number.unit}".strip()
    if not right:
        others = ", ".join(dict.fromkeys(f"{quantity.value:g}" for quantity in stated[:3]))
        reason = f"says {others}, not {wanted}" if others else f"does not say {wanted}"
        return CriterionVerdict(criterion=number.name, met=False, reason=reason)
    rivals = [quantity for quantity in stated if _rivals(number, quantity, right, answer.wording_values)]
    if rivals:
        reason = f"says both {wanted} and {rivals[0].value:g}"
        return CriterionVerdict(criterion=number.name, met=False, reason=reason, contradicted=True)
    return CriterionVerdict(criterion=number.name, met=True, reason=f"says {wanted}")


def _equals(number: Number, value: float) -> bool:
    return abs(value - number.value) <= number.tolerance + 1e-9 * max(1.0, abs(number.value))


def _rivals(
    number: Number, quantity: Quantity, right: Sequence[Quantity], wording_values: frozenset[float]
) -> bool:
    """Whether the quantity is a second, different value for the same fact.

    Numbers in the wording and declared `other_values` are not, unless "or" offers them as an alternative.
    Without a unit, it must count the same noun as the right number, or none where that counts none. A year
    rivals only a year.
    """
    if _equals(number, quantity.value) or quantity.vague:
        return False
    if any(_equals(number, alternative) for alternative in quantity.alternatives):
        return True
    if quantity.value in wording_values or quantity.value in number.other_values:
        return False
    if number.unit:
        return True
    if quantity.dated or _is_year(quantity.value) != _is_year(number.value):
        return False
    return any(quantity.noun == other.noun for other in right)


def _is_year(value: float) -> bool:
    return _YEARS[0] <= value <= _YEARS[1] and value == int(value)


def _alternatives(aliases: Sequence[str]) -> str:
    shown = " or ".join(f"“{alias}”" for alias in aliases[:3])
    return shown if len(aliases) <= 3 else f"{shown} or {len(aliases) - 3} others"
