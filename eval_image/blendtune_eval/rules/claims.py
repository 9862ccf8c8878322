"""An answer as the rules read it: its sentences, and what each says about a phrase."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import compress

from blendtune_eval.rules.negation import NEGATORS, Standing, standing
from blendtune_eval.rules.scripts import without_particle
from blendtune_eval.rules.subjects import asked_words
from blendtune_eval.rules.text import CLAUSE_BREAK, Sentence, Token, TokenKind, content, sentences, words

COPY_TOKENS = 6  # shortest run of the question's own words that counts as a copy
ECHO_SHARE = 0.6  # share of an interrogative sentence's words that makes it an echo of the question
GAP = "..."  # in an alias: up to LONGEST_GAP words may be here
LONGEST_GAP = 3
_PHRASAL = 2  # words of a phrasal verb
_PARTICLES = words("off down out up back away aside")
_DIRECTIONS = frozenset({"north", "south", "east", "west"})


@dataclass(frozen=True, slots=True)
class Answer:
    """The sentences of an answer, without those that only repeat the question.

    `own` leaves out the runs of words that are copied from the wording, so that repeating the question earns
    nothing; `full` keeps them, because agreeing with a false premise is a claim.
    """

    full: tuple[Sentence, ...]
    own: tuple[Sentence, ...]
    wording_values: frozenset[float]  # numbers in the wording
    asked: frozenset[str]  # stems of the words that say what the question is about
    text: str
    wording: str

    @property
    def words(self) -> list[str]:
        """Every word, in order."""
        return [t.text for s in self.full for t in s.tokens if t.kind is TokenKind.WORD]


@dataclass(frozen=True, slots=True)
class Occurrence:
    """A phrase at the tokens [start, end) of a sentence, and what is said of it.

    `compound`: a hyphen joins it to another word, so that it may mean something else.
    """

    sentence: int
    start: int
    end: int
    standing: Standing
    compound: bool


def read_answer(text: str, wording: str) -> Answer:
    asked = content(wording)
    said = sentences(text)
    answering = [not _echoes(sentence, asked) for sentence in said]
    return Answer(
        full=tuple(compress(said, answering)),
        own=tuple(compress(_without_copies(said, asked), answering)),
        wording_values=frozenset(token.value for token in asked if token.value is not None),
        asked=asked_words(asked),
        text=text,
        wording=wording,
    )


def phrase_parts(phrase: str) -> list[list[str]]:
    """The words of each part of a phrase; gaps separate the parts."""
    return [[token.text for token in content(part)] for part in phrase.replace("…", GAP).split(GAP)]


def standings(passages: Sequence[Sentence], phrase: str) -> Iterator[Standing]:
    """The standing of each occurrence of the phrase, in order. Punctuation between its words is ignored."""
    return (occurrence.standing for occurrence in occurrences(passages, phrase))


def occurrences(passages: Sequence[Sentence], phrase: str) -> Iterator[Occurrence]:
    """Where the phrase occurs, in order. "South-east" is another direction than "east"."""
    any_ending = phrase.rstrip().endswith("*")
    parts = phrase_parts(phrase)
    apart = _taken_apart(parts)
    for number, sentence in enumerate(passages):
        tokens = sentence.tokens
        found = [*_occurrences(tokens, parts, any_ending)]
        if apart:
            found = sorted({*found, *_occurrences(tokens, apart, any_ending)})
        for start, end in found:
            if _is_other_direction(tokens, start, end):
                continue
            before = start > 1 and tokens[start - 1].joined and tokens[start - 2].text != "non"
            after = not any_ending and end < len(tokens) and tokens[end].joined
            yield Occurrence(number, start, end, standing(tokens, start, end), before or after)


def _taken_apart(parts: Sequence[Sequence[str]]) -> list[list[str]]:
    """ "Turn off" as two parts, between which its object may stand: "turn the ads off"."""
    if len(parts) == 1 and len(parts[0]) == _PHRASAL and parts[0][1] in _PARTICLES:
        return [[parts[0][0]], [parts[0][1]]]
    return []


def _is_other_direction(tokens: Sequence[Token], start: int, end: int) -> bool:
    before = start > 1 and tokens[start - 1].joined and tokens[start - 2].text in _DIRECTIONS
    after = end + 1 < len(tokens) and tokens[end].joined and tokens[end + 1].text in _DIRECTIONS
    return tokens[end - 1].text in _DIRECTIONS and (before or after)


def _occurrences(
    tokens: Sequence[Token], parts: Sequence[Sequence[str]], any_ending: bool
) -> Iterator[tuple[int, int]]:
    """The token ranges [start, end) that contain all parts of a phrase, in their order."""
    positions = [index for index, token in enumerate(tokens) if token.kind is not TokenKind.BREAK]
    said = [tokens[index].text for index in positions]
    opening = parts[0][0]
    longest = sum(map(len, parts)) + LONGEST_GAP * len(parts)
    for first in range(len(said)):
        end = None
        if said[first].startswith(opening):
            end = _end_of_phrase(said, first, parts, any_ending)
        elif (bare := without_particle(said[first], opening)) is not None:
            found = _end_of_phrase([bare, *said[first + 1 : first + longest]], 0, parts, any_ending)
            end = None if found is None else first + found
        if end is not None:
            yield positions[first], positions[end - 1] + 1


def _end_of_phrase(
    said: Sequence[str], start: int, parts: Sequence[Sequence[str]], any_ending: bool
) -> int | None:
    """The end of the parts that begin at `start`; None where they do not.

    A gap contains no negator, which would reverse the phrase.
    """
    (*opening, last), *rest = parts
    if opening and not rest and start < len(said) and not (NEGATORS - {"non"}).intersection(opening):
        closed = "".join(opening) + last  # "lifejacket" for "life jacket"
        if said[start].startswith(closed) if any_ending else said[start] == closed:
            return start + 1
    end = start + len(opening) + 1
    if end > len(said) or list(said[start : end - 1]) != opening:
        return None
    if not rest:
        final = said[end - 1]
        return end if (final.startswith(last) if any_ending else final == last) else None
    if said[end - 1] != last:
        return None
    for resumed in range(end, min(end + LONGEST_GAP, len(said)) + 1):
        if NEGATORS.intersection(said[end:resumed]):
            return None
        found = _end_of_phrase(said, resumed, rest, any_ending)
        if found is not None:
            return found
    return None


def _echoes(sentence: Sentence, asked: Sequence[Token]) -> bool:
    if not sentence.interrogative:
        return False
    own = [token.text for token in sentence.tokens if token.kind is not TokenKind.BREAK]
    vocabulary = {token.text for token in asked}
    return sum(word in vocabulary for word in own) >= ECHO_SHARE * len(own)


def _without_copies(said: Sequence[Sentence], asked: Sequence[Token]) -> list[Sentence]:
    """The sentences with each run that copies at least half of the question replaced by clause breaks.

    A run may go on from sentence to sentence, as in a passage that the question is about.
    """
    question = [token.text for token in asked]
    shortest = max(COPY_TOKENS, (len(question) + 1) // 2)
    runs = {tuple(question[i : i + shortest]) for i in range(len(question) - shortest + 1)}
    words = [
        (number, index, token.text)
        for number, sentence in enumerate(said)
        for index, token in enumerate(sentence.tokens)
        if token.kind is not TokenKind.BREAK
    ]
    copied: set[tuple[int, int]] = set()
    for first in range(len(words) - shortest + 1):
        window = words[first : first + shortest]
        if tuple(text for _, _, text in window) in runs:
            copied.update((number, index) for number, index, _ in window)
    return [
        Sentence(
            tuple(
                CLAUSE_BREAK if (number, index) in copied else token
                for index, token in enumerate(sentence.tokens)
            ),
            sentence.interrogative,
        )
        for number, sentence in enumerate(said)
    ]
