"""Which of several numbers in one unit answers which criterion, where another one asks for a second value."""

from __future__ import annotations

from collections.abc import Sequence

from blendtune_eval.rubric import Number, Question
from blendtune_eval.rules.claims import Answer, read_answer
from blendtune_eval.rules.decision import Decision, No, Unsure, Yes
from blendtune_eval.rules.doubt import Doubt
from blendtune_eval.rules.stated import Stated, candidate_of, is_right, stated_in
from blendtune_eval.rules.subjects import clause_words, own_words
from blendtune_eval.rules.text import content
from blendtune_eval.rules.units import stem


def by_sibling(
    number: Number, question: Question, answer: Answer, counted: Sequence[Stated]
) -> Decision | None:
    """The decision where another criterion asks for a value in the same unit: which is whose?"""
    rival = next(iter(siblings_of(number, question)), None)
    if rival is None:
        return None
    mine, theirs = _subjects(number, rival, question)
    stated = [candidate_of(each, right=is_right(number, each.quantity)) for each in counted]
    wanted = f"{number.value:g} {number.unit}".strip()
    rights = [candidate for candidate in stated if candidate.right]
    their_values = [c for c in stated if abs(c.value - rival.value) < 1e-9]
    told = False
    for candidate in rights:
        own = own_words(candidate, stated, answer.full)
        if len(own & mine) == len(own & theirs):
            own = clause_words(candidate, answer.full)
        if len(own & mine) > len(own & theirs):
            return Yes(f"says {wanted}")
        told = told or len(own & theirs) > len(own & mine)
    if told:
        return No(f"says {wanted} of something else", contradicted=True)
    if not their_values:
        return Unsure(Doubt.SUBJECT, f"says {wanted}, without saying of what")
    before = rights[0].place < their_values[0].place
    expected = question.criteria.index(number) < question.criteria.index(rival)
    others = {c.value for c in stated if not c.right} - {rival.value, rival.value + number.value}
    if before is expected and not others:
        return Yes(f"says {wanted}")
    return Unsure(Doubt.SUBJECT, f"says {wanted}, without saying of what")


def siblings_of(number: Number, question: Question) -> list[Number]:
    """The criteria that ask for the other values which may stand beside this one."""
    return [
        each
        for each in question.criteria
        if isinstance(each, Number)
        and each is not number
        and each.unit == number.unit
        and each.value in number.other_values
    ]


def _subjects(number: Number, rival: Number, question: Question) -> tuple[frozenset[str], frozenset[str]]:
    """The words that the reference uses with each of the two values, and not with the other."""
    reference = read_answer(question.reference, "")
    stated = [
        candidate_of(each, right=is_right(number, each.quantity)) for each in stated_in(number, reference)
    ]
    mine = frozenset[str]().union(*(own_words(c, stated, reference.own) for c in stated if c.right))
    theirs = frozenset[str]().union(
        *(own_words(c, stated, reference.own) for c in stated if abs(c.value - rival.value) < 1e-9)
    )
    asked = {stem(token.text) for token in content(question.prompt)} - _COMMON
    return (mine - theirs) & asked, (theirs - mine) & asked


_COMMON = frozenset(
    {"a", "an", "the", "and", "cost", "costs", "is", "for", "of", "price", "what", "do", "does", "take"}
)
