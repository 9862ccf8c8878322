"""Which of several values an answer gives to what was asked."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from blendtune_eval.rules.corrections import Place, boxed, conclusions, last_correction
from blendtune_eval.rules.negation import NEGATORS
from blendtune_eval.rules.numerals import numeral_at
from blendtune_eval.rules.opposites import OPPOSITES, base_of
from blendtune_eval.rules.text import Sentence, Token, TokenKind, content, words
from blendtune_eval.rules.units import stem

_DIVIDERS = words("; , ( ) and while but plus whereas or though although which | then so where including")
_POINTING = words("at on in")
_CLAUSES = words("; , and but while")
_IDLE = words(
    "a an and are as at be by do does for from how i in is it its many much of on or please reply that "
    "the this "
    "to was what when which who with only number amount just such give name state one your you my we "
    "will would "
    "cost price take pay need have has if"
)
_PAST = words("was were formerly previously earlier originally used had initially once")
_FORMERLY = words("formerly previously originally former previous")
_NEAR = 3  # words between "formerly" and what it speaks of
_SPANNING = words("from open opened opens hours")  # before "9:00-14:30"
_BEGINNING, _ENDING = words("begin start open"), words("end close finish until")
_PRESENT = words("now today currently is nowadays since presently new costs takes")
_COMPARING = words("which including includes include plus than above below versus vs unlike compared instead "
                   "against average markup whereas another additional extra further")  # fmt: skip
_RESTATED = 3.0
_FOREIGN = 1.5  # what words of another subject take away
_LINKING = words(
    "about around approximately exactly roughly or also too per each every all both together still yet "
    "so thus if "
    "some many people say says said think "
    "they these those there here their your our can may must should has been being get got between up day"
)
_YEARS = (1000.0, 2100.0)
_RATES = words("month week hour minute year monthly weekly yearly daily hourly")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A value at the tokens [start, end) of an answer's sentence. `right`: it is the wanted one."""

    sentence: int
    start: int
    end: int
    right: bool
    value: float
    label: str

    @property
    def place(self) -> Place:
        return Place(self.sentence, self.start)


def asked_words(asked: Sequence[Token]) -> frozenset[str]:
    """The stems of the words that say what a question is about."""
    return frozenset(stem(token.text) for token in asked if _tells(token) and stem(token.text) not in _IDLE)


def is_year(value: float) -> bool:
    """Whether a number may be a year."""
    return _YEARS[0] <= value <= _YEARS[1] and value == int(value)


def _tells(token: Token) -> bool:
    """Whether the token may say what a value belongs to: a word or a year."""
    return token.kind is TokenKind.WORD or (token.value is not None and is_year(token.value))


def decisive(candidates: Sequence[Candidate], sentences: Sequence[Sentence]) -> list[Candidate]:
    """The candidates that count: those boxed, else those after a correction, else all."""
    for number in range(len(sentences) - 1, -1, -1):
        if (span := boxed(sentences[number])) is not None:
            inside = [c for c in candidates if c.sentence == number and span[0] < c.start < span[1]]
            if inside:
                return inside
    correction = last_correction(sentences)
    if correction is not None:
        after = [candidate for candidate in candidates if candidate.place > correction]
        if after:
            return after
    return list(candidates)


def own_spans(
    candidate: Candidate, others: Sequence[Candidate], sentences: Sequence[Sentence]
) -> tuple[tuple[int, int], tuple[int, int]]:
    """The tokens before and after a value that belong to it and to no other value of the sentence."""
    tokens = sentences[candidate.sentence].tokens
    near = sorted(
        (c for c in others if c.sentence == candidate.sentence and c is not candidate), key=lambda c: c.start
    )
    left = next((c.end for c in reversed(near) if c.end <= candidate.start), 0)
    right = next((c.start for c in near if c.start >= candidate.end), len(tokens))
    begin, finish = left, right
    if left:
        begin = _boundary(tokens, left, candidate.start, default=left)
    if right < len(tokens):
        finish = _boundary(tokens, candidate.end, right, default=candidate.end)
    return (begin, candidate.start), (candidate.end, finish)


def own_words(
    candidate: Candidate, others: Sequence[Candidate], sentences: Sequence[Sentence]
) -> frozenset[str]:
    """The stems of the words around a value that belong to it and to no other value of the sentence."""
    spans = own_spans(candidate, others, sentences)
    return _stems(
        token for first, last in spans for token in sentences[candidate.sentence].tokens[first:last]
    )


def clause_span(candidate: Candidate, sentences: Sequence[Sentence]) -> tuple[int, int]:
    """The first token of the clause in which a value stands, and the one after its last."""
    tokens = sentences[candidate.sentence].tokens
    begin = _boundary(tokens, 0, candidate.start, default=0)
    return begin, next(
        (i for i in range(candidate.end, len(tokens)) if tokens[i].text in _DIVIDERS), len(tokens)
    )


def clause_words(candidate: Candidate, sentences: Sequence[Sentence]) -> frozenset[str]:
    """The stems of the words of the clause in which a value stands."""
    begin, finish = clause_span(candidate, sentences)
    return _stems(sentences[candidate.sentence].tokens[begin:finish])


def _stems(tokens: Iterable[Token]) -> frozenset[str]:
    return frozenset(stem(token.text) for token in tokens if _tells(token))


def _boundary(tokens: Sequence[Token], start: int, end: int, default: int) -> int:
    """The last divider in [start, end): what stands before it belongs to the left value."""
    return next(
        (index for index in range(end - 1, start - 1, -1) if tokens[index].text in _DIVIDERS), default
    )


def preferred(
    candidates: Sequence[Candidate],
    sentences: Sequence[Sentence],
    asked: Collection[str],
    *,
    concluding: bool = True,
) -> bool | None:
    """Whether the wanted value is the answer, among several; None where that cannot be told.

    Not `concluding`: what follows "so" is only a consequence, as the rest of a share is.
    """
    own = {candidate: own_words(candidate, candidates, sentences) for candidate in candidates}
    if (told := by_span(candidates, sentences, frozenset(asked))) is not None:
        return told
    concluded = _by_conclusion(candidates, sentences) if concluding else None
    for told in (_by_time(candidates, own), concluded, _by_sum(candidates)):
        if told is not None:
            return told
    return _by_subject(candidates, own, frozenset(asked), sentences)


def _one_side(chosen: Sequence[Candidate]) -> bool | None:
    kinds = {candidate.right for candidate in chosen}
    return kinds.pop() if len(kinds) == 1 else None


def by_span(
    candidates: Sequence[Candidate], sentences: Sequence[Sentence], asked: frozenset[str]
) -> bool | None:
    """ "From 3 March until 31 October" begins with the one and ends with the other."""
    if len(candidates) != 2 or candidates[0].sentence != candidates[1].sentence:
        return None
    first, second = candidates
    tokens = sentences[first.sentence].tokens
    between = [token.text for token in tokens[first.end : second.start]]
    opens = not _SPANNING.isdisjoint(token.text for token in tokens[max(first.start - 3, 0) : first.start])
    if not (opens and set(between) & {"until", "to", "till", "through", "-"}):
        return None
    if asked & _BEGINNING:
        return first.right
    return second.right if asked & _ENDING else None


def _by_time(candidates: Sequence[Candidate], own: dict[Candidate, frozenset[str]]) -> bool | None:
    """ "It was 20 until 2023; now it is 30": what holds now is the answer."""
    explicit = [c for c in candidates if not _NOW.isdisjoint(own[c])]
    if len(explicit) == 1 and len(candidates) > 1 and candidates[-1] in explicit:
        return explicit[0].right
    past = [c for c in candidates if not _PAST.isdisjoint(own[c]) and _NOW.isdisjoint(own[c])]
    now = [c for c in candidates if c not in past]
    if past and now and any(not _PRESENT.isdisjoint(own[c]) for c in now):
        return _one_side(now)
    return None


_NOW = words("now today currently nowadays")


def _by_conclusion(candidates: Sequence[Candidate], sentences: Sequence[Sentence]) -> bool | None:
    """What follows "so" or "the total is" is the answer; else the result of a working, if it comes last."""
    for place in reversed(conclusions(sentences)):
        following = [c for c in candidates if c.sentence == place.sentence and c.start > place.token]
        if following:
            return following[-1].right if works(sentences) else _one_side(following)
    if works(sentences):
        return candidates[-1].right if candidates[-1].sentence >= len(sentences) - 1 else None
    return None


def ends_with(candidates: Sequence[Candidate], sentences: Sequence[Sentence]) -> bool | None:
    """Whether an answer ends with the wanted value: boxed, after "so", as a result, or in a last line alone.

    None where it ends in no such place.
    """
    chosen = decisive(candidates, sentences)
    if not any(candidate.right for candidate in chosen):
        return False
    last = chosen[-1]
    span = boxed(sentences[last.sentence])
    alone = all(token.value is not None or token.kind is TokenKind.BREAK for token in sentences[-1].tokens)
    if (last.sentence == len(sentences) - 1 > 0 and alone) or (span and span[0] < last.start < span[1]):
        return last.right
    return _by_conclusion(chosen, sentences)


_CALCULATING = frozenset({"=", "×", "÷", "+", "multiply", "add"})
_SPOKEN_OPERATORS = frozenset({"times", "plus", "minus"})


def works(sentences: Sequence[Sentence]) -> bool:
    """Whether the answer calculates."""
    return any(
        token.text in _CALCULATING
        or (
            token.text in _SPOKEN_OPERATORS
            and index
            and _is_number(sentence.tokens, index - 1)
            and _is_number(sentence.tokens, index + 1)
        )
        for sentence in sentences
        for index, token in enumerate(sentence.tokens[:-1])
    )


def _is_number(tokens: Sequence[Token], index: int) -> bool:
    return ":" in tokens[index].text or numeral_at(tokens, index) is not None


def _by_sum(candidates: Sequence[Candidate]) -> bool | None:
    """Values that add up to the wanted one are its parts."""
    rivals = [candidate.value for candidate in candidates if not candidate.right]
    right = next(candidate.value for candidate in candidates if candidate.right)
    return True if len(rivals) > 1 and abs(sum(rivals) - right) <= 1e-9 * abs(right) else None


def _by_subject(
    candidates: Sequence[Candidate],
    own: dict[Candidate, frozenset[str]],
    asked: frozenset[str],
    sentences: Sequence[Sentence],
) -> bool | None:
    """The value whose words are most of those that were asked about."""

    asked = frozenset(map(base_of, asked))
    shared = frozenset(map(base_of, frozenset.intersection(*own.values())))

    def score(candidate: Candidate) -> float:
        said = frozenset(map(base_of, own[candidate]))
        opposed = sum(one in said and other in asked and one not in asked for one, other in OPPOSITES)
        if not candidate.right and _restates(candidate, sentences):
            return -_RESTATED
        aside = not _COMPARING.isdisjoint(said) or not _RATES.isdisjoint(said - asked)
        foreign = bool(said - asked - shared - _IDLE - _LINKING)
        return len(said & asked) - opposed - 0.5 * aside - _FOREIGN * foreign

    best = {
        side: max((score(c) for c in candidates if c.right is side), default=0.0) for side in (True, False)
    }
    if best[True] != best[False]:
        return best[True] > best[False]
    return None


def _restates(candidate: Candidate, sentences: Sequence[Sentence]) -> bool:
    """Whether the value stands in brackets, or after "i.e.": the one before it is meant."""
    before = [token.text for token in sentences[candidate.sentence].tokens[: candidate.start]]
    return "ie" in before[-3:] or ("(" in before[1:] and ")" not in before[before.index("(") :])


def former(before: Sequence[Token], wording: str) -> bool:
    """Whether the words before a value say that it was so once, and the question does not ask for that."""
    opening = next((i for i in range(len(before), 0, -1) if before[i - 1].kind is TokenKind.BREAK), 0)
    near = [token.text for token in before[opening:]][-_NEAR:]
    if _FORMERLY.isdisjoint(near) and near[-1:] != ["once"]:
        return False
    return (_FORMERLY | _PAST).isdisjoint(token.text for token in content(wording))


def asks_for_both_ends(wording: str) -> bool:
    """ "When did it begin and end?" """
    asked = set(map(base_of, asked_words(content(wording))))
    return bool(asked & _BEGINNING and asked & _ENDING)


def opposed(candidate: Candidate, sentences: Sequence[Sentence], expected: Collection[str]) -> bool:
    """Whether the value stands with the opposite of an expected word: closing for opening.

    `expected` are the words of question and reference.
    """
    tokens = sentences[candidate.sentence].tokens
    start = next((i + 1 for i in range(candidate.start - 1, -1, -1) if tokens[i].text in _CLAUSES), 0)
    end = next((i for i in range(candidate.end, len(tokens)) if tokens[i].text in _CLAUSES), len(tokens))
    said = {base_of(stem(token.text)) for token in tokens[start:end]}
    expected = {base_of(word) for word in expected}
    if not NEGATORS.isdisjoint(said):
        return False
    return any(
        one in said and other in expected and one not in expected and other not in said
        for one, other in OPPOSITES
    )


def surely_opposed(candidate: Candidate, sentences: Sequence[Sentence]) -> bool:
    """Whether an opposed value stands as the point itself: "closes at 9:45", unlike "closed until 9:45"."""
    tokens = sentences[candidate.sentence].tokens
    return candidate.start > 1 and tokens[candidate.start - 1].text in _POINTING
