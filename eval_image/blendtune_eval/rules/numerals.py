"""The value of a number in a text: digits, words up to a hundred, ordinals, magnitudes, "and a half"."""

from __future__ import annotations

from collections.abc import Sequence

from blendtune_eval.rules.text import Token, word_at

CURRENCY_SIGNS = frozenset("$€£¥")
_UNITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_TEENS = (
    "ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen",
    "nineteen",
)  # fmt: skip
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
NUMBER_WORDS = {word: float(value) for value, word in enumerate(_UNITS + _TEENS)} | {
    word: 10.0 * (index + 2) for index, word in enumerate(_TENS)
}
_ORDINALS = (  # from the fourth on: "first", "second" and "third" are rarely numbers
    "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth", "eleventh", "twelfth", "thirteenth",
    "fourteenth", "fifteenth", "sixteenth", "seventeenth", "eighteenth", "nineteenth", "twentieth",
)  # fmt: skip
_ORDINAL_SUFFIXES = frozenset({"st", "nd", "rd", "th"})
_PARTS = {"half": 0.5, "quarter": 0.25}
_MAGNITUDES = {"hundred": 1e2, "thousand": 1e3, "k": 1e3, "million": 1e6, "billion": 1e9, "trillion": 1e12}
_MONEY_MAGNITUDES = {"m": 1e6, "mn": 1e6, "b": 1e9, "bn": 1e9}


def number_at(tokens: Sequence[Token], index: int) -> tuple[float, int] | None:
    """The number that starts at the index, and the index after it; None where no number starts there."""
    parsed = _digits_at(tokens, index) or _words_at(tokens, index)
    if parsed is None:
        return None
    value, end = parsed
    if (
        word_at(tokens, end) == "and"
        and word_at(tokens, end + 1) == "a"
        and word_at(tokens, end + 2) in _PARTS
    ):
        value, end = value + _PARTS[word_at(tokens, end + 2)], end + 3
    while (magnitude := _magnitude_at(tokens, index, end)) is not None:
        value, end = value * magnitude, end + 1
        rest = end + 1 if word_at(tokens, end) == "and" else end
        if magnitude == 1e2 and (remainder := _words_at(tokens, rest)) is not None:
            value, end = value + remainder[0], remainder[1]
    return value, end


def _digits_at(tokens: Sequence[Token], index: int) -> tuple[float, int] | None:
    token = tokens[index]
    if token.value is None:
        return None
    ordinal = word_at(tokens, index + 1) in _ORDINAL_SUFFIXES
    return token.value, index + 1 + ordinal


def _words_at(tokens: Sequence[Token], index: int) -> tuple[float, int] | None:
    word = word_at(tokens, index)
    if word == "a" and word_at(tokens, index + 1) in ("hundred", "thousand", "million", "billion"):
        return 1.0, index + 1
    if word == "dozen":
        return 12.0, index + 1
    if word in _ORDINALS and word_at(tokens, index - 1) not in {
        "a",
        "one",
        *NUMBER_WORDS,
    }:  # "a fifth" is a part
        return _ORDINALS.index(word) + 4.0, index + 1
    if word not in NUMBER_WORDS:
        return None
    unit_at = index + 2 if word_at(tokens, index + 1) == "-" else index + 1
    unit = word_at(tokens, unit_at)
    if word in _TENS and unit in _UNITS[1:]:
        return NUMBER_WORDS[word] + NUMBER_WORDS[unit], unit_at + 1
    return NUMBER_WORDS[word], index + 1


def _magnitude_at(tokens: Sequence[Token], start: int, end: int) -> float | None:
    word = word_at(tokens, end)
    in_money = start > 0 and tokens[start - 1].text in CURRENCY_SIGNS
    return _MAGNITUDES.get(word) or (_MONEY_MAGNITUDES.get(word) if in_money else None)
