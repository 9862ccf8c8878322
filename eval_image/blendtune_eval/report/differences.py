"""Two answers, word by word: which words only one of them has."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import groupby

from blendtune_eval.rules.scripts import MARK, UNSPACED

MOST_WORDS = 2_000  # of an answer; comparing takes time with their square
LEAST_IN_COMMON = 1 / 3  # of all words; below, single words that agree tell nothing
# A word with its marks, a letter of a script without spaces, or one other sign; with the blanks behind it.
_WORD = re.compile(rf"\s+|(?:[{UNSPACED}][{MARK}]*|(?:(?![{UNSPACED}])\w|[{MARK}])+|\S)\s*")


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of an answer. `differs`: the other answer does not have it there."""

    text: str
    differs: bool


Pieces = tuple[Piece, ...]


def compared(one: str, other: str) -> tuple[Pieces, Pieces]:
    """Both answers in pieces, which joined are the answers again.

    Answers with less than a third of their words in common differ as a whole. Of answers that are too long to
    compare nothing is marked.
    """
    words, others = _WORD.findall(one), _WORD.findall(other)
    if max(len(words), len(others)) > MOST_WORDS:
        return _whole(one, differs=False), _whole(other, differs=False)
    keys, other_keys = _keys(words), _keys(others)
    matcher = SequenceMatcher(None, keys, other_keys, autojunk=False)
    if keys != other_keys and matcher.ratio() < LEAST_IN_COMMON:
        return _whole(one, differs=True), _whole(other, differs=True)
    blocks = matcher.get_matching_blocks()
    return (
        _pieces(words, {index for block in blocks for index in range(block.a, block.a + block.size)}),
        _pieces(others, {index for block in blocks for index in range(block.b, block.b + block.size)}),
    )


def _keys(words: Sequence[str]) -> list[str]:
    """The words as they are compared: blanks do not count."""
    return [word.strip() for word in words]


def _whole(text: str, *, differs: bool) -> Pieces:
    return (Piece(text, differs),) if text else ()


def _pieces(words: Sequence[str], shared: set[int]) -> Pieces:
    return tuple(_runs(words, shared))


def _runs(words: Sequence[str], shared: set[int]) -> Iterator[Piece]:
    for is_shared, run in groupby(range(len(words)), shared.__contains__):
        text = "".join(words[index] for index in run)
        if is_shared:
            yield Piece(text, differs=False)
            continue
        marked = text.rstrip()
        if marked:
            yield Piece(marked, differs=True)
        if blanks := text[len(marked) :]:
            yield Piece(blanks, differs=False)
