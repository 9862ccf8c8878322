"""An answer as the rules read it: its sentences, and what each says about a phrase."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from blendtune_eval.rules.negation import NEGATORS, Standing, standing
from blendtune_eval.rules.text import CLAUSE_BREAK, Sentence, Token, TokenKind, content, sentences

COPY_TOKENS = 6  # shortest run of the question's own words that counts as a copy
ECHO_SHARE = 0.6  # share of an interrogative sentence's words that makes it an echo of the question
GAP = "..."  # in an alias: up to LONGEST_GAP words may be here
LONGEST_GAP = 3


@dataclass(frozen=True, slots=True)
class Answer:
    """The sentences of an answer, without those that only repeat the question.

    `own` leaves out the runs of words that are copied from the wording, so that repeating the question earns
    nothing; `full` keeps them, because agreeing with a false premise is a claim.
    """

    full: tuple[Sentence, ...]
    own: tuple[Sentence, ...]
    wording_values: frozenset[float]  # numbers in the wording
    text: str
    wording: str


def read_answer(text: str, wording: str) -> Answer:
    asked = content(wording)
    full = tuple(sentence for sentence in sentences(text) if not _echoes(sentence, asked))
    return Answer(
        full=full,
        own=tuple(_without_copies(sentence, asked) for sentence in full),
        wording_values=frozenset(token.value for token in asked if token.value is not None),
        text=text,
        wording=wording,
    )


def phrase_parts(phrase: str) -> list[list[str]]:
    """The words of each part of a phrase; gaps separate the parts."""
    return [[token.text for token in content(part)] for part in phrase.replace("…", GAP).split(GAP)]


def standings(passages: Sequence[Sentence], phrase: str) -> Iterator[Standing]:
    """The standing of each occurrence of the phrase, in order. Punctuation between its words is ignored."""
    any_ending = phrase.rstrip().endswith("*")
    parts = phrase_parts(phrase)
    for sentence in passages:
        for start, end in _occurrences(sentence.tokens, parts, any_ending):
            yield standing(sentence.tokens, start, end)


def _occurrences(
    tokens: Sequence[Token], parts: Sequence[Sequence[str]], any_ending: bool
) -> Iterator[tuple[int, int]]:
    """The token ranges [start, end) that contain all parts of a phrase, in their order."""
    positions = [index for index, token in enumerate(tokens) if token.kind is not TokenKind.BREAK]
    said = [tokens[index].text for index in positions]
    for first in range(len(said)):
        end = _end_of_phrase(said, first, parts, any_ending)
        if end is not None:
            yield positions[first], positions[end - 1] + 1


def _end_of_phrase(
    said: Sequence[str], start: int, parts: Sequence[Sequence[str]], any_ending: bool
) -> int | None:
    """The end of the parts that begin at `start`; None where they do not.

    A gap contains no negator, which would reverse the phrase.
    """
    (*opening, last), *rest = parts
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


def _without_copies(sentence: Sentence, asked: Sequence[Token]) -> Sentence:
    """The sentence with each run that copies at least half of the question replaced by a clause break."""
    question = [token.text for token in asked]
    shortest = max(COPY_TOKENS, (len(question) + 1) // 2)
    runs = {tuple(question[i : i + shortest]) for i in range(len(question) - shortest + 1)}
    positions = [index for index, token in enumerate(sentence.tokens) if token.kind is not TokenKind.BREAK]
    copied: set[int] = set()
    for first in range(len(positions) - shortest + 1):
        window = positions[first : first + shortest]
        if tuple(sentence.tokens[index].text for index in window) in runs:
            copied.update(window)
    if not copied:
        return sentence
    kept = tuple(CLAUSE_BREAK if index in copied else token for index, token in enumerate(sentence.tokens))
    return Sentence(kept, sentence.interrogative)
