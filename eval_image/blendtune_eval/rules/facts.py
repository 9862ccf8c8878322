"""Whether an answer asserts a fact, or makes a forbidden claim, in one of its listed wordings."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain

from blendtune_eval.rubric import Fact, Forbidden, Number, Question
from blendtune_eval.rules import foreign, values
from blendtune_eval.rules.abstention import declines
from blendtune_eval.rules.claims import GAP, Answer, Occurrence, occurrences, phrase_parts
from blendtune_eval.rules.corrections import Place, boxed, conclusions, confirms, last_correction
from blendtune_eval.rules.decision import Decision, No, Unsure, Yes
from blendtune_eval.rules.doubt import Doubt
from blendtune_eval.rules.enumeration import enumerated, offered_by_or
from blendtune_eval.rules.identifiers import is_another
from blendtune_eval.rules.negation import NEGATORS, Standing, disbelieved
from blendtune_eval.rules.numbers import check_number
from blendtune_eval.rules.polarity import asks_yes_or_no, both_ways, polarity
from blendtune_eval.rules.predicates import answers_differ, of_something_else
from blendtune_eval.rules.scripts import (
    UNSPACED_SCRIPTS,
    in_another_script,
    language_of,
    negated_elsewhere,
    script_of,
)
from blendtune_eval.rules.spelling import nearly_says
from blendtune_eval.rules.text import TokenKind, content, outermost, sentences, word_at, words
from blendtune_eval.rules.units import stem

_ASSERTED = (Standing.ASSERTED, Standing.CONDITIONAL)
_LONGEST_WITH_SLIPS = 25  # words; in a longer answer some word is likely to be close by chance
_LONGEST_CHOICE = 4  # words of "grey or blue"
_CHARACTERS_OF_A_WORD = 4  # in Chinese, Japanese or Thai
_UPWARDS = words("newer higher later above more greater better over up upwards beyond longer larger")
_OTHERWISE, _CONDITIONS = words("otherwise else"), words("if unless when while where")
_BETWEEN_ITEMS = re.compile(r", and |,| and ")
_FEWEST_ITEMS = 3  # of a list
_LONGEST_YES = 3  # words of an answer that is no more than yes or no
_SHORTEST_NAME = 2  # words of an alias that names a thing; longer ones are statements


def check_fact(fact: Fact, answer: Answer, question: Question) -> Decision:
    """A fact in a condition counts: "if you ask within the first week" says when to ask."""
    if (told := values.check_time_or_date(fact, answer, question)) is not None:
        return told
    aliases = [alias for alias in fact.any_of if not is_another(alias, answer.text, answer.wording)]
    found = [(alias, each) for alias in aliases for each in occurrences(answer.own, alias)]
    found += [(alias, each) for alias in aliases for each in _denied_offers(alias, answer)]
    if not found:
        if listed := next((each for each in fact.any_of if _lists(answer, each)), None):
            return Yes(f"lists “{listed}”")
        return _without(fact, answer, question)
    asserted = outermost(
        [(alias, each) for alias, each in found if each.standing in _ASSERTED and not each.compound]
    )
    taken_back = _taken_back([each for _, each in asserted], answer)
    doubts: list[Unsure] = []
    for alias, each in asserted:
        if taken_back:
            doubts.append(Unsure(Doubt.CORRECTION, f"says “{alias}”, and corrects itself"))
            continue
        told = _reservation(alias, each, answer, question)
        if told is None:
            return Yes(f"says “{alias}”")
        if isinstance(told, No):
            return told
        doubts.append(told)
    return doubts[0] if doubts else _not_asserted(found)


def check_forbidden(claim: Forbidden, answer: Answer, question: Question) -> Decision:
    """A hedged claim is made; a denied claim, one in a condition, or what others say is not."""
    doubt: Unsure | None = None
    for alias in claim.any_of:
        for each in outermost([*occurrences(answer.full, alias)]):
            if each.standing in (Standing.ASSERTED, Standing.HEDGED):
                if _gives_right_number(alias, answer, question):
                    doubt = Unsure(Doubt.SEVERAL_VALUES, f"says “{alias}” beside the right value")
                elif _in_quotes(answer, each) and declines(answer.text, answer.wording):
                    continue
                else:
                    return Yes(f"claims “{alias}”")
            elif each.standing is Standing.UNCLEAR:
                doubt = Unsure(Doubt.NEGATION, f"claims “{alias}” under a reservation")
            elif each.standing is Standing.CONDITIONAL and _opens_with_if(answer, each):
                doubt = Unsure(Doubt.CONDITION, f"claims “{alias}” if a condition holds")
    return doubt or No("makes no such claim")


def _denied_offers(alias: str, answer: Answer) -> list[Occurrence]:
    """Where the answer denies what the alias denies: "refunds are not given" for "no refund"."""
    negator, _, rest = alias.partition(" ")
    if negator.casefold() not in ("no", "not") or not content(rest) or GAP in alias:
        return []
    return [
        replace(each, standing=Standing.ASSERTED)
        for each in occurrences(answer.own, rest)
        if each.standing is Standing.DENIED
        and not disbelieved(answer.own[each.sentence].tokens, each.start)
        and _OFFERS & {token.text for token in answer.own[each.sentence].tokens}
    ]


def _lists(answer: Answer, alias: str) -> bool:
    """Whether an answer has the items of an alias one below the other, and at most one other line."""
    items = [[token.text for token in content(item)] for item in _BETWEEN_ITEMS.split(alias)]
    lines = [[t.text for t in line.tokens if t.kind is not TokenKind.BREAK] for line in answer.own]
    beside = len(lines) - len(items)
    if len(items) < _FEWEST_ITEMS or beside not in (0, 1):
        return False
    at = next((at for at in range(beside + 1) if lines[at : at + len(items)] == items), None)
    return at is not None and NEGATORS.isdisjoint(chain(*lines[:at], *lines[at + len(items) :]))


_OFFERS = words(
    "give gives given offer offers offered grant granted available possible provide provided issued "
    "paid made get"
)


def _without(fact: Fact, answer: Answer, question: Question) -> Decision:
    """The fact is in none of its wordings: wrong, unless it may be said in a way that is not listed."""
    reason = f"does not say {_alternatives(fact.any_of)}"
    said = answer.words
    if not said or declines(answer.text, answer.wording):
        return No(reason)
    known = {token.text for token in content(question.prompt)} | {
        token.text for token in content(answer.wording)
    }
    known |= {f"{stem(word)}" for word in known} | {f"{word}s" for word in known}
    if len(said) <= _LONGEST_WITH_SLIPS:
        for alias in fact.any_of:
            parts = phrase_parts(alias)
            if not alias.endswith("*") and len(parts) == 1 and nearly_says(said, parts[0], known):
                return Unsure(Doubt.SPELLING, f"nearly says “{alias}”")
    if _foreign(" ".join(fact.any_of), answer, question):
        return Unsure(Doubt.LANGUAGE, reason)
    meant, opening = polarity(sentences(question.reference)), polarity(answer.full)
    if opening is not None and opening is meant and fact.required:
        if len(said) <= _LONGEST_YES and _is_only_fact(question) and asks_yes_or_no(answer.wording):
            return Yes(f"says {'yes' if opening else 'no'}, as the reference does")
        return Unsure(Doubt.POLARITY, f"says {'yes' if opening else 'no'} rightly, and {reason}")
    return No(reason)


def _foreign(expected: str, answer: Answer, question: Question) -> bool:
    """Whether the answer is in another script or language than what is looked for."""
    if in_another_script(answer.text, expected if script_of(expected) else answer.wording):
        return True
    if script_of(answer.text) != "LATIN":
        return False
    language = language_of(answer.words)
    expected_languages = {
        language_of(token.text for token in content(text)) for text in (question.reference, answer.wording)
    } - {""}
    return bool(language and expected_languages and language not in expected_languages)


def _reservation(alias: str, each: Occurrence, answer: Answer, question: Question) -> No | Unsure | None:
    """What keeps an asserted phrase from counting; None where nothing does."""
    tokens = answer.own[each.sentence].tokens
    if (span := boxed(answer.own[each.sentence])) is not None and span[0] < each.start < span[1]:
        return None
    concluded = any(
        place.sentence == each.sentence and place.token < each.start for place in conclusions(answer.own)
    )
    named = len(content(alias)) <= _SHORTEST_NAME and _is_only_fact(question)
    bound = word_at(tokens, each.end) == "or" and word_at(tokens, each.end + 1) in _UPWARDS
    if named and not (concluded or bound) and enumerated(tokens, each.start, each.end):
        if offered_by_or(tokens, each.start, each.end):
            return No(f"offers “{alias}” as one of several")
        return Unsure(Doubt.ENUMERATION, f"lists “{alias}” among others")
    said = [token.text for token in tokens if token.kind is TokenKind.WORD]
    beside_or = not bound and foreign.offered(tokens, each.start, each.end)
    if named and beside_or and _length(said) <= _LONGEST_CHOICE:
        return No(f"offers “{alias}” as one of several")
    near = foreign.clause(tokens, each.start, each.end)
    if language_of(answer.words) != "en" and negated_elsewhere("".join(near), near):
        return Unsure(Doubt.LANGUAGE, f"says “{alias}” beside a negation in another language")
    if not _OTHERWISE.isdisjoint(said) and not _CONDITIONS.isdisjoint(said):
        return Unsure(Doubt.CONDITION, f"says “{alias}” if a condition holds, and otherwise not")
    if named and answers_differ(answer.own):
        return Unsure(Doubt.SEVERAL_VALUES, f"says “{alias}” and other answers")
    if named and not concluded and (instead := of_something_else(each, answer)):
        return Unsure(Doubt.SUBJECT, f"says “{alias}” {instead}")
    if both_ways(answer.full[0].tokens):
        return Unsure(Doubt.POLARITY, f"says “{alias}” after yes and no")
    meant, opening = polarity(sentences(question.reference)), polarity(answer.full)
    if meant is not None and opening is not None and meant is not opening and len(answer.full) <= 2:
        return Unsure(Doubt.POLARITY, f"says “{alias}” after {'yes' if opening else 'no'}")
    return None


def _length(said: Sequence[str]) -> float:
    """In words. Of a script without spaces each character is a token, and about four make a word."""
    return sum(1 / _CHARACTERS_OF_A_WORD if script_of(word) in UNSPACED_SCRIPTS else 1 for word in said)


def _is_only_fact(question: Question) -> bool:
    return sum(criterion.points > 0 for criterion in question.criteria) == 1


def _taken_back(asserted: Sequence[Occurrence], answer: Answer) -> bool:
    """Whether all that was asserted stands before a correction that does not confirm it."""
    correction = last_correction(answer.own)
    if correction is None or not asserted:
        return False
    if any(Place(each.sentence, each.start) > correction for each in asserted):
        return False
    return not confirms(answer.own, correction)


def _not_asserted(found: Sequence[tuple[str, Occurrence]]) -> Decision:
    alias, first = found[0]
    for name, each in found:
        if each.standing is Standing.UNCLEAR:
            return Unsure(Doubt.NEGATION, f"says “{name}” under a reservation")
        if each.standing is Standing.QUOTED:
            return Unsure(Doubt.QUOTATION, f"says that others say “{name}”")
    if any(each.compound and each.standing in _ASSERTED for _, each in found):
        return Unsure(Doubt.COMPOUND, f"says “{alias}” within a compound")
    what = "denies" if first.standing is Standing.DENIED else "offers as one of several"
    return No(f"{what} “{alias}”")


def _gives_right_number(alias: str, answer: Answer, question: Question) -> bool:
    """Whether the claim is no more than a value, and the answer states the right one beside it."""
    tokens = content(alias)
    values = {token.value for token in tokens if token.kind is TokenKind.NUMBER}
    return (
        len(values) == 1
        and len(tokens) <= 2
        and any(
            isinstance(criterion, Number)
            and criterion.value not in values
            and not isinstance(check_number(criterion, answer, question), No)
            for criterion in question.criteria
        )
    )


def _in_quotes(answer: Answer, each: Occurrence) -> bool:
    tokens = answer.full[each.sentence].tokens
    return word_at(tokens, each.start - 1) in ("'", '"') and word_at(tokens, each.end) in ("'", '"')


def _opens_with_if(answer: Answer, each: Occurrence) -> bool:
    """ "If you ask you get it": without a comma, where the condition ends is not told."""
    tokens = answer.full[each.sentence].tokens
    return tokens[0].text == "if" and not any(token.text in (",", "then") for token in tokens)


def _alternatives(aliases: Sequence[str]) -> str:
    shown = " or ".join(f"“{alias}”" for alias in aliases[:3])
    return shown if len(aliases) <= 3 else f"{shown} or {len(aliases) - 3} others"
