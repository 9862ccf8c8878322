"""Whether a fact is said of what was asked, or of something else: "Copper; cobalt would make it pink"."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import pairwise

from blendtune_eval.rules.claims import Answer, Occurrence
from blendtune_eval.rules.corrections import Place, last_correction
from blendtune_eval.rules.negation import NEGATORS
from blendtune_eval.rules.subjects import Candidate, clause_span, former
from blendtune_eval.rules.text import Sentence, Token, TokenKind, content, word_at, words
from blendtune_eval.rules.units import stem

_LONGEST_OPENING = 2  # words of an answer that goes on to speak of something else
_NO_ANSWERS = words(
    "yes no yeah yep nope sure well okay ok hmm oh ah so certainly absolutely definitely indeed right "
    "correct exactly great good thanks hello hi sorry easy simple simply actually answer answers note "
    "perhaps maybe probably possibly usually typically generally mostly basically traditionally historically "
    "today normally here there it that this they final conclusion result of course i we you a an the not none"
)
_CONTAINED = words("contain contained containing include included including")
_EXCLUDING = words("exclude excludes excluding excluded excl exclusive")
_LEAVING = words("left resigned retired quit departed")
_REPLACING = words("replaced replaces succeeded succeeds")
_RELATED = words(
    "deputy successor predecessor assistant secretary daughter son wife husband brother sister father mother"
)
_NOT_FIRST = words("second third fourth fifth next")
_PRESENTING = frozenset({("it", "is"), ("that", "is"), ("this", "is"), ("answer", "is"), ("they", "are")})
_MOST_IN_COMMON = 1  # words that a clause about something else shares with the question
_NOT_SAID = words("a an the it is are was were be to of and or in on at by for with as that this")
_PREPOSITIONS = words("through over under into near around along across between within")
_SUPERLATIVES = {
    word: dimension
    for dimension, named in enumerate(
        (
            "largest biggest greatest heaviest", "smallest littlest lightest tiniest", "nearest closest",
            "farthest furthest", "tallest highest", "lowest", "longest", "shortest", "deepest", "shallowest",
            "oldest", "youngest newest", "hottest warmest", "coldest coolest", "fastest quickest", "slowest",
            "richest", "poorest", "cheapest", "dearest", "brightest", "strongest", "weakest", "hardest",
            "softest",
        )
    )
    for word in named.split()
}  # fmt: skip


def of_something_else(each: Occurrence, answer: Answer) -> str:
    """What the fact is said of instead; empty where it may well be said of what was asked."""
    tokens = answer.own[each.sentence].tokens
    place = Candidate(each.sentence, each.start, each.end, right=True, value=0.0, label="")
    begin, end = clause_span(place, answer.own)
    clause = tokens[begin:end]
    if former(tokens[begin : each.start], answer.wording):
        return "of what was so before"
    if _left_out(tokens, each, answer.wording):
        return "as what is left out or added"
    if _followed(tokens, each, answer.wording):
        return "beside a successor"
    if _behind_the_first(clause, answer):
        return "of another place in the order"
    if _another_opens(each, clause, answer):
        return "after another answer"
    if _denies_the_asked(tokens[each.end :], answer.asked):
        return "and denies what was asked"
    if _parallel(tokens, begin, end, each, answer.asked):
        return "beside a clause that answers the question"
    return "of another extreme" if _of_another_extreme(clause, answer.asked) else ""


def _left_out(tokens: Sequence[Token], each: Occurrence, wording: str) -> bool:
    """ "Prices exclude VAT", "net of VAT", where the question asks what is contained."""
    asked = {stem(token.text) for token in content(wording)}
    if asked.isdisjoint(_CONTAINED) or not NEGATORS.isdisjoint(asked):
        return False
    before = [token.text for token in tokens[max(each.start - 3, 0) : each.start]]
    behind = [token.text for token in tokens[each.end : each.end + 4]]
    added = "plus" in before[-2:] or ("net" in before and before[-1:] == ["of"])
    return added or not (_EXCLUDING.isdisjoint(before) and {"top", "extra", "excluded"}.isdisjoint(behind))


def _followed(tokens: Sequence[Token], each: Occurrence, wording: str) -> bool:
    """ "Priya Shah left", "Tom Reed replaced Shah", "Shah's deputy", where nobody asks for that."""
    before = {token.text for token in tokens[max(each.start - 2, 0) : each.start]} & _REPLACING
    behind = {word_at(tokens, each.end)} & (_LEAVING | _RELATED)
    said = before | behind
    return bool(said) and said.isdisjoint(token.text for token in content(wording))


def _behind_the_first(clause: Sequence[Token], answer: Answer) -> bool:
    """ "Jupiter is second", where the largest was asked."""
    said = {token.text for token in clause}
    return (
        any(word in _SUPERLATIVES for word in answer.asked)
        and not said.isdisjoint(_NOT_FIRST)
        and answer.asked.isdisjoint(_NOT_FIRST)
    )


def _another_opens(each: Occurrence, clause: Sequence[Token], answer: Answer) -> bool:
    """ "Oxygen. Carbon dioxide is what they give off.": the bare word that opens an answer is the answer."""
    tokens = answer.own[0].tokens
    length = next((i for i, token in enumerate(tokens) if token.kind is TokenKind.BREAK), len(tokens))
    said = [token.text for token in tokens[:length]]
    if not 1 <= length <= _LONGEST_OPENING or word_at(tokens, length) in (":", "-", "("):
        return False
    correction = last_correction(answer.own)
    if correction is not None and Place(each.sentence, each.start) > correction:
        return False
    if any(token.kind is not TokenKind.WORD for token in tokens[:length]):
        return False
    if not _NO_ANSWERS.isdisjoint(said) or not answer.asked.isdisjoint(map(stem, said)):
        return False
    if each.sentence == 0 and each.start <= length:
        return False
    spoken = [token.text for token in clause if token.kind is TokenKind.WORD]
    if len(spoken) <= each.end - each.start:
        return False  # a heading or an adverb, and then the answer
    if not _PRESENTING.isdisjoint(pairwise(spoken)):
        return False
    return len((answer.asked - _PREPOSITIONS).intersection(map(stem, spoken))) <= _MOST_IN_COMMON


def _denies_the_asked(rest: Sequence[Token], asked: Collection[str]) -> bool:
    """ "... makes it pink, not blue", where what makes it blue was asked."""
    return any(
        token.text == "not"
        and index + 1 < len(rest)
        and stem(rest[index + 1].text) in asked
        and (index + 2 == len(rest) or rest[index + 2].kind is TokenKind.BREAK)
        for index, token in enumerate(rest)
    )


def _parallel(
    tokens: Sequence[Token], begin: int, end: int, each: Occurrence, asked: Collection[str]
) -> bool:
    """ "Iron makes it blue and cobalt makes it brown": another clause says the same with the asked words."""
    own = _content(tokens[begin : each.start]) | _content(tokens[each.end : end])
    for first, last in ((0, begin), (end, len(tokens))):
        other = _content(tokens[first:last])
        missed = (other & set(asked)) - own
        foreign = own - other - set(asked)
        if not missed or not foreign or NEGATORS & other:
            continue
        gapped = last == begin and not own & set(asked) and other - set(asked)  # "..., cobalt brown"
        if own & other or (gapped and len(missed) > _MOST_IN_COMMON):
            return True
    return False


def _content(tokens: Sequence[Token]) -> set[str]:
    return {stem(token.text) for token in tokens if token.kind is TokenKind.WORD} - _NOT_SAID


def _of_another_extreme(clause: Sequence[Token], asked: Collection[str]) -> bool:
    """ "The planet closest to us is Jupiter", where the heaviest was asked."""
    wanted = {_SUPERLATIVES[word] for word in asked if word in _SUPERLATIVES}
    said = {_SUPERLATIVES[token.text] for token in clause if token.text in _SUPERLATIVES}
    return bool(wanted and said) and wanted.isdisjoint(said)


def answers_differ(sentences: Sequence[Sentence]) -> bool:
    """Whether several lines "Answer: ..." say different things."""
    given = {
        tuple(token.text for token in sentence.tokens[2:])
        for sentence in sentences
        if (word_at(sentence.tokens, 0), word_at(sentence.tokens, 1)) == ("answer", ":")
    }
    return len(given) > 1
