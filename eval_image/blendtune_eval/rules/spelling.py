"""Whether a word is nearly another one: a slip of the finger, or marks that were left out."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Sequence

_OPTIONAL_MARK = re.compile("[\u0300-\u036f\u0591-\u05c7\u064b-\u0652\u0670]")
SHORTEST = 4  # letters; shorter words are too often one letter away from another


def nearly(said: str, meant: str) -> bool:
    """Whether one letter is wrong, missing, doubled or swapped, or only marks differ."""
    if said == meant:
        return False
    if _bare(said) == _bare(meant):
        return True
    if not (said.isalpha() and meant.isalpha()):
        return False
    if min(len(said), len(meant)) < SHORTEST or said[0] != meant[0] or not meant.isascii():
        return False
    return _one_slip(said, meant)


def nearly_unit(noun: str, unit: str) -> bool:
    """Whether a counted noun is nearly the unit, both without a plural's s."""
    return nearly(noun, unit) or nearly(f"{noun}s", f"{unit}s")


def nearly_says(said: Sequence[str], phrase: Sequence[str], known: Collection[str]) -> bool:
    """Whether the words contain the phrase with one word nearly right. `known` words are no slips."""
    for start in range(len(said) - len(phrase) + 1):
        window = said[start : start + len(phrase)]
        wrong = [(one, other) for one, other in zip(window, phrase, strict=True) if one != other]
        if len(wrong) == 1 and nearly(*wrong[0]) and wrong[0][0] not in known:
            return True
    return False


def _bare(word: str) -> str:
    """The word without the marks that people leave out: accents, Arabic vowels, Hebrew points."""
    return _OPTIONAL_MARK.sub("", unicodedata.normalize("NFD", word))


def _one_slip(said: str, meant: str) -> bool:
    shorter, longer = sorted((said, meant), key=len)
    if len(longer) - len(shorter) > 1:
        return False
    at = next((i for i, (a, b) in enumerate(zip(shorter, longer, strict=False)) if a != b), len(shorter))
    if len(shorter) < len(longer):
        return shorter[at:] == longer[at + 1 :]
    swapped = shorter[at : at + 2] == longer[at : at + 2][::-1] and shorter[at + 2 :] == longer[at + 2 :]
    return swapped or shorter[at + 1 :] == longer[at + 1 :]
