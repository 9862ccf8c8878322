"""Whether an answer meets a criterion, with the reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from blendtune_eval.rubric import Abstention, Alternatives, Criterion, Fact, Forbidden, Number, Question
from blendtune_eval.rules.abstention import answers_after_all, declines
from blendtune_eval.rules.claims import Answer, standings
from blendtune_eval.rules.decision import Decision, No, Unsure, Yes
from blendtune_eval.rules.doubt import Doubt
from blendtune_eval.rules.facts import check_fact, check_forbidden
from blendtune_eval.rules.negation import Standing
from blendtune_eval.rules.numbers import check_number
from blendtune_eval.rules.text import Sentence


@dataclass(frozen=True, kw_only=True, slots=True)
class CriterionVerdict:
    """Whether one criterion is met and why. A Forbidden criterion is met when the answer makes the claim.

    `contradicted`: the answer gives two values for the same fact, which makes the whole answer wrong. With a
    `doubt` it is not decided, and `met` is False.
    """

    criterion: str
    met: bool
    reason: str
    contradicted: bool = False
    doubt: Doubt | None = None


def check(criterion: Criterion, answer: Answer, question: Question) -> CriterionVerdict:
    decision = decide(criterion, answer, question)
    return CriterionVerdict(
        criterion=criterion.name,
        met=isinstance(decision, Yes),
        reason=decision.reason,
        contradicted=isinstance(decision, No) and decision.contradicted,
        doubt=decision.doubt if isinstance(decision, Unsure) else None,
    )


def decide(criterion: Criterion, answer: Answer, question: Question) -> Decision:
    match criterion:
        case Fact():
            return check_fact(criterion, answer, question)
        case Number():
            return check_number(criterion, answer, question)
        case Forbidden():
            return check_forbidden(criterion, answer, question)
        case Abstention():
            return _check_abstention(criterion, answer)
        case Alternatives():
            return _first_met([decide(each, answer, question) for each in criterion.any_of])


def _first_met(decisions: Sequence[Decision]) -> Decision:
    """Yes where one is, else unsure where one is, else No."""
    order = (Yes, Unsure, No)
    first = min(decisions, key=lambda decision: order.index(type(decision)))
    if isinstance(first, No) and len(decisions) > 1:
        return No("; ".join(decision.reason for decision in decisions))
    return first


def _check_abstention(abstention: Abstention, answer: Answer) -> Decision:
    if declines(answer.text, answer.wording):
        return Yes("declines")
    for alias in abstention.any_of:
        said = next((at for at, sentence in enumerate(answer.full) if _declared(sentence, alias)), None)
        if said is not None and not answers_after_all(answer.full[said:], answer.wording):
            return Yes(f"declines: “{alias}”")
    return No("does not decline")


def _declared(sentence: Sentence, alias: str) -> bool:
    return any(standing is not Standing.DENIED for standing in standings([sentence], alias))
