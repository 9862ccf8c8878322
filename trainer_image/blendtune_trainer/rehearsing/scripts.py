"""Which script a text is written in: all that its letters tell of its language."""

from __future__ import annotations

import unicodedata
from collections import Counter

NO_SCRIPT = "None"  # of a text without letters
_OF_WORDS = {"Cjk": "Han"}  # of the first words of the letters' names those that name no script


def script_of(text: str) -> str:
    """The script of most of its letters, by the first word of their Unicode names; of several, the first."""
    found = Counter(map(_script, filter(str.isalpha, unicodedata.normalize("NFKC", text))))
    return max(found, key=found.__getitem__, default=NO_SCRIPT)


def _script(letter: str) -> str:
    word = unicodedata.name(letter, NO_SCRIPT).partition(" ")[0].partition("-")[0].capitalize()
    return _OF_WORDS.get(word, word)
