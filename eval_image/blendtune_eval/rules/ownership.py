"""Which of an answer's numbers belong to the subject that a criterion names.

In "The old plan costs 20 euros, the new one 35" the new plan's is 35: the words around it are the subject's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import IntEnum
from itertools import pairwise

from blendtune_eval.rubric import Alternatives, Number, Question
from blendtune_eval.rules.negation import NEGATORS
from blendtune_eval.rules.opposites import OPPOSITES
from blendtune_eval.rules.subjects import Candidate, clause_span, own_spans
from blendtune_eval.rules.text import CLAUSE_BREAK, Sentence, Token, TokenKind, content, word_at, words
from blendtune_eval.rules.units import known_unit, stem

Phrase = tuple[str, ...]  # the stems of a subject's words

_ARTICLES = words("a an the this that these those our your my its their each every one")
_NO_MODIFIERS = _ARTICLES | words(
    "of for in on at by with to from and or as per is are was were costs cost than not only whole if when "
    "because while whereas but same said such both"
)
_PLAIN_NOUNS = words(
    "price cost fee total answer amount sum figure value result rate number charge duration time length "
    "distance weight temperature height width"
)
_STANDS_FOR = words("it this that these those they its their there")
_SETTING_APART = NEGATORS | words("unlike besides versus vs than")
_VERBS = words("costs cost is are takes take was were weighs lasts needs has gets")
_SHORT = 3  # words beside the value in a sentence that leaves its subject to the one before
_REACH = 4  # tokens on either side of the "and" in "the old and the new plan"
_AND = frozenset({"and", "&", "/"})


class Bearing(IntEnum):
    """How surely a passage speaks of a subject."""

    OTHER = -2  # of its opposite, or of another criterion's subject
    ALIEN = -1  # of something else by its name
    NONE = 0
    HEAD = 1  # "the plan", for "new plan"
    MARKED = 2  # "the new one"
    NAMED = 3


def subject_phrases(number: Number) -> tuple[Phrase, ...]:
    return tuple(phrase_of(name) for name in number.subject_names)


def numbers_of(question: Question) -> list[Number]:
    """The numbers that its criteria ask for, those of alternatives too."""
    return [
        part
        for criterion in question.criteria
        for part in (criterion.any_of if isinstance(criterion, Alternatives) else (criterion,))
        if isinstance(part, Number)
    ]


def rival_phrases(number: Number, question: Question) -> tuple[Phrase, ...]:
    """The subjects of the question's other numbers."""
    mine = subject_phrases(number)
    return tuple(
        phrase for each in numbers_of(question) for phrase in subject_phrases(each) if phrase not in mine
    )


def phrase_of(subject: str) -> Phrase:
    """The stems of a subject's words, without articles before them; empty where nothing else is left."""
    said = [token.text for token in content(subject)]
    while said and said[0] in _ARTICLES:
        said.pop(0)
    return tuple(stem(word) for word in said)


def bearings(
    candidates: Sequence[Candidate],
    phrases: Sequence[Phrase],
    rivals: Sequence[Phrase],
    sentences: Sequence[Sentence],
    asked: frozenset[str],
) -> dict[Candidate, Bearing]:
    """How surely each value belongs to the subject of `phrases`.

    `rivals` are the subjects of other criteria, `asked` the stems of the question's words.
    """
    found: dict[Candidate, Bearing] = {}
    for candidate in candidates:
        passages = _passages(candidate, candidates, sentences)
        judged = (_bearing(passage, phrases, rivals) for passage in passages)
        told = next((bearing for bearing in judged if bearing is not Bearing.NONE), Bearing.NONE)
        alien = told is Bearing.NONE and _names_another(passages[0], asked)
        found[candidate] = Bearing.ALIEN if alien else told
    return found | dict(_in_order(candidates, phrases, rivals, sentences))


def _passages(
    candidate: Candidate, candidates: Sequence[Candidate], sentences: Sequence[Sentence]
) -> list[Sequence[Token]]:
    """What may name a value's subject, the nearest first: its clause, its sentence, those before it."""
    tokens = sentences[candidate.sentence].tokens
    spans = own_spans(candidate, candidates, sentences)
    begin, end = clause_span(candidate, sentences)
    passages: list[Sequence[Token]] = [
        _cut(tokens, [(max(first, begin), min(last, end)) for first, last in spans]),
        _cut(tokens, spans),
    ]
    number = candidate.sentence
    while number and _leaves_open(passages[-1]):
        number -= 1
        passages.append(sentences[number].tokens)
    return passages


def _cut(tokens: Sequence[Token], spans: Sequence[tuple[int, int]]) -> list[Token]:
    return [token for first, last in spans for token in (*tokens[first:last], CLAUSE_BREAK)]


def _leaves_open(passage: Sequence[Token]) -> bool:
    """Whether it names no subject of its own: "It costs 35", or "35 euros" below a heading."""
    said = [token.text for token in passage if token.kind is TokenKind.WORD]
    return len(said) <= _SHORT or said[0] in _STANDS_FOR


def _bearing(passage: Sequence[Token], phrases: Sequence[Phrase], rivals: Sequence[Phrase]) -> Bearing:
    stems = [stem(token.text) for token in passage]
    mine = max((_of_phrase(passage, stems, phrase) for phrase in phrases), default=Bearing.NONE)
    theirs = max((_of_phrase(passage, stems, phrase) for phrase in rivals), default=Bearing.NONE)
    return Bearing.OTHER if theirs > max(mine, Bearing.NONE) else mine


def _of_phrase(passage: Sequence[Token], stems: Sequence[str], phrase: Phrase) -> Bearing:
    for start in range(len(stems) - len(phrase) + 1):
        if tuple(stems[start : start + len(phrase)]) == phrase:
            return Bearing.OTHER if _set_apart(stems, start) else Bearing.NAMED
    if len(phrase) == 1:
        return Bearing.NONE
    if _designates(phrase[-1]):
        return _of_designated(passage, stems, phrase)
    return _of_modified(passage, stems, phrase)


def _of_modified(passage: Sequence[Token], stems: Sequence[str], phrase: Phrase) -> Bearing:
    """Of "new plan", which its modifiers tell from other plans."""
    *modifiers, head = phrase
    if all(word in stems for word in modifiers):
        return Bearing.OTHER if _set_apart(stems, stems.index(modifiers[0])) else Bearing.MARKED
    if any(one in stems and other in modifiers for one, other in OPPOSITES):
        return Bearing.OTHER
    if head not in stems:
        return Bearing.NONE
    before = stems.index(head) - 1
    modified = before >= 0 and passage[before].kind is TokenKind.WORD
    if modified and passage[before].text not in _NO_MODIFIERS and stems[before] not in modifiers:
        return Bearing.ALIEN
    return Bearing.HEAD


def _of_designated(passage: Sequence[Token], stems: Sequence[str], phrase: Phrase) -> Bearing:
    """Of "plan B" or "model 3", which its last word tells from others."""
    head, designator = phrase[0], phrase[-1]
    for index, word in enumerate(stems):
        following = word_at(passage, index + 1)
        if word == head and following != designator and _designates(following):
            return Bearing.OTHER
        if word == designator and (word != "a" or following in _VERBS or not following.isalpha()):
            return Bearing.MARKED
    return Bearing.HEAD if head in stems else Bearing.NONE


def _designates(word: str) -> bool:
    return (len(word) == 1 and word.isalpha()) or word.isdigit()


def _set_apart(stems: Sequence[str], start: int) -> bool:
    """ "Not the new plan", "unlike the new plan"."""
    before = stems[max(start - 3, 0) : start]
    return not _SETTING_APART.isdisjoint(before) and "only" not in before


def _names_another(clause: Sequence[Token], asked: frozenset[str]) -> bool:
    """Whether it opens with a thing that the question does not name: "A mug costs 22"."""
    ends = next((i for i, token in enumerate(clause) if token is CLAUSE_BREAK), len(clause))
    return any(
        clause[index].text in _ARTICLES
        and clause[index + 1].kind is TokenKind.WORD
        and stem(clause[index + 1].text) not in asked | _PLAIN_NOUNS
        and not known_unit(stem(clause[index + 1].text))
        for index in range(ends - 1)
    )


def _in_order(
    candidates: Sequence[Candidate],
    phrases: Sequence[Phrase],
    rivals: Sequence[Phrase],
    sentences: Sequence[Sentence],
) -> Iterator[tuple[Candidate, Bearing]]:
    """Two values joined by "and" follow the order of the two subjects that are joined likewise."""
    for left, right in pairwise(candidates):
        if left.sentence != right.sentence:
            continue
        tokens = sentences[left.sentence].tokens
        if not _joined(tokens, left.end, right.start):
            continue
        for first, last in ((0, left.start), (right.end, len(tokens))):
            for index in range(first + 1, last - 1):
                if tokens[index].text not in _AND:
                    continue
                before = _bearing(tokens[max(index - _REACH, first) : index], phrases, rivals)
                after = _bearing(tokens[index + 1 : min(index + 1 + _REACH, last)], phrases, rivals)
                if max(before, after) > Bearing.NONE and before != after:
                    yield left, Bearing.NAMED if before > after else Bearing.OTHER
                    yield right, Bearing.NAMED if after > before else Bearing.OTHER


def _joined(tokens: Sequence[Token], start: int, end: int) -> bool:
    between = [token.text for token in tokens[start:end]]
    return not _AND.isdisjoint(between) and all(
        word in _AND or token.kind is not TokenKind.WORD or known_unit(stem(word))
        for word, token in zip(between, tokens[start:end], strict=True)
    )
