"""The value of a number in a text: digits, English number words, magnitudes, "and a half", "1 in 4"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from blendtune_eval.rules import foreign
from blendtune_eval.rules.text import Token, TokenKind, word_at, words

CURRENCY_SIGNS = frozenset("$€£¥₹")
_UNITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_TEENS = (
    "ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen",
    "nineteen",
)  # fmt: skip
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
NUMBER_WORDS = {word: float(value) for value, word in enumerate(_UNITS + _TEENS)} | {
    word: 10.0 * (index + 2) for index, word in enumerate(_TENS)
}
_CENTURIES = range(13, 21)  # of a year in words, "nineteen eighty-seven"; "twelve fifteen" is a time
_ORDINALS = (  # from the fourth on: "first", "second" and "third" are rarely numbers
    "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth", "eleventh", "twelfth", "thirteenth",
    "fourteenth", "fifteenth", "sixteenth", "seventeenth", "eighteenth", "nineteenth", "twentieth",
)  # fmt: skip
_ORDINAL_SUFFIXES = frozenset({"st", "nd", "rd", "th"})
_PARTS = {
    "half": 1 / 2,
    "third": 1 / 3,
    "quarter": 1 / 4,
    "fourth": 1 / 4,
    "fifth": 1 / 5,
    "eighth": 1 / 8,
    "tenth": 1 / 10,
}
_PARTS |= {f"{part}s": value for part, value in _PARTS.items()}
MAGNITUDES = {
    "dozen": 12.0, "hundred": 1e2, "thousand": 1e3, "k": 1e3, "lakh": 1e5, "lakhs": 1e5, "lac": 1e5,
    "million": 1e6, "millions": 1e6,
    "mio": 1e6, "crore": 1e7, "crores": 1e7, "billion": 1e9, "bn": 1e9, "trillion": 1e12,
    "लाख": 1e5, "करोड़": 1e7,
}  # fmt: skip
_AFTER_PART = frozenset({"of", ".", ",", ";", "(", ")"})
_VERBS = words("is are was were will gets goes remains stays")  # "a quarter is kept"
_LARGEST_WHOLE = 1000  # of "1 in 4"; larger numbers are years
_LETTERS = {"m": 1e6, "mn": 1e6, "b": 1e9}  # after money, or before a counted noun: "6M grains"
_ROUND_WORDS = {name for name, value in MAGNITUDES.items() if len(name) > 2 and value >= 1e2}


@dataclass(frozen=True, slots=True)
class Numeral:
    """A number at the tokens [start, end). `other` is its second reading, where the notation has two."""

    value: float
    end: int
    other: float | None = None


def numeral_at(tokens: Sequence[Token], index: int) -> Numeral | None:
    """The number that starts at the index; None where none does."""
    parsed = _digits_at(tokens, index) or _spelled_at(tokens, index) or _part_at(tokens, index)
    parsed = parsed or _foreign_at(tokens, index)
    if parsed is None:
        return None
    parsed = _with_part(tokens, _with_decimals(tokens, parsed))
    while (magnitude := _magnitude_at(tokens, index, parsed.end)) is not None:
        other = None if parsed.other is None else parsed.other * magnitude
        parsed = Numeral(parsed.value * magnitude, parsed.end + 1, other)
    return _out_of(tokens, parsed)


def _digits_at(tokens: Sequence[Token], index: int) -> Numeral | None:
    token = tokens[index]
    if token.value is None:
        return None
    ordinal = word_at(tokens, index + 1) in _ORDINAL_SUFFIXES
    return Numeral(token.value, index + 1 + ordinal, token.other)


def _foreign_at(tokens: Sequence[Token], index: int) -> Numeral | None:
    found = foreign.number_at(tokens, index)
    return Numeral(*found) if found else None


def _spelled_at(tokens: Sequence[Token], index: int) -> Numeral | None:
    """Number words: "twenty-one", "one million, two hundred and fifty thousand", "fifteen hundred"."""
    word = word_at(tokens, index)
    if word == "dozen":
        return Numeral(12.0, index + 1)
    if word in _ORDINALS and word_at(tokens, index - 1) not in {
        "a",
        "one",
        *NUMBER_WORDS,
    }:  # "a fifth" is a part
        return Numeral(_ORDINALS.index(word) + 4.0, index + 1)
    group = _below_hundred(tokens, index)
    if group and group.value in _CENTURIES and (years := _below_hundred(tokens, group.end)):
        return Numeral(100 * group.value + years.value, years.end) if years.value >= 10 else group
    if group is None and word == "a" and word_at(tokens, index + 1) in _ROUND_WORDS:
        group = Numeral(1.0, index + 1)
    if group is None:
        return None
    total, pending, end = 0.0, group.value, group.end
    while (magnitude := _round_word(tokens, end)) is not None:
        if magnitude == MAGNITUDES["hundred"]:
            pending *= magnitude
        else:
            total, pending = total + pending * magnitude, 0.0
        end += 1
        if (following := _next_group(tokens, end)) is not None:
            pending, end = pending + following.value, following.end
    return Numeral(total + pending, end)


def _round_word(tokens: Sequence[Token], index: int) -> float | None:
    word = word_at(tokens, index)
    return MAGNITUDES[word] if word in _ROUND_WORDS else None


def _next_group(tokens: Sequence[Token], end: int) -> Numeral | None:
    """The words that continue a number after a magnitude, perhaps after a comma or "and"."""
    at = end
    if word_at(tokens, at) == "," and word_at(tokens, at + 1) != "and":
        following = _below_hundred(tokens, at + 1)
        return following if following and _round_word(tokens, following.end) else None
    if word_at(tokens, at) == ",":
        at += 1
    if word_at(tokens, at) == "and":
        at += 1
        if at < len(tokens) and tokens[at].kind is TokenKind.NUMBER:
            return None
    return _below_hundred(tokens, at)


def _below_hundred(tokens: Sequence[Token], index: int) -> Numeral | None:
    word = word_at(tokens, index)
    if word not in NUMBER_WORDS:
        return None
    unit_at = index + 2 if word_at(tokens, index + 1) == "-" else index + 1
    unit = word_at(tokens, unit_at)
    if word in _TENS and unit in _UNITS[1:]:
        return Numeral(NUMBER_WORDS[word] + NUMBER_WORDS[unit], unit_at + 1)
    return Numeral(NUMBER_WORDS[word], index + 1)


def _part_at(tokens: Sequence[Token], index: int) -> Numeral | None:
    """ "Half a", "a quarter of": a part without a whole before it."""
    word, following = word_at(tokens, index), word_at(tokens, index + 1)
    opens = index == 0 or tokens[index - 1].kind is TokenKind.BREAK
    if word == "half" and opens and following in _VERBS:
        return Numeral(0.5, index + 1)
    if (
        word == "half"
        and following in ("a", "an", "of")
        and word_at(tokens, index - 1) not in ("first", "second")
    ):
        return Numeral(0.5, index + 2)
    if (
        word == "a"
        and following in _PARTS
        and (index + 2 == len(tokens) or word_at(tokens, index + 2) in _AFTER_PART | _VERBS)
    ):
        return Numeral(_PARTS[following], index + 2)
    return None


def _with_decimals(tokens: Sequence[Token], parsed: Numeral) -> Numeral:
    """ "Two point five", "three point one four", "2 point 5"."""
    if word_at(tokens, parsed.end) != "point" or parsed.value != int(parsed.value):
        return parsed
    digits, end = "", parsed.end + 1
    while end < len(tokens) and (digit := _whole_at(tokens, end)) is not None:
        digits, end = digits + f"{digit.value:g}", digit.end
    return Numeral(float(f"{parsed.value:.0f}.{digits}"), end) if digits.isdigit() else parsed


def _whole_at(tokens: Sequence[Token], index: int) -> Numeral | None:
    if tokens[index].text.isdigit():
        return Numeral(float(tokens[index].text), index + 1)
    return _below_hundred(tokens, index)


def _with_part(tokens: Sequence[Token], parsed: Numeral) -> Numeral:
    """ "Three and a half", "two and three quarters"; "three quarters" and "one half" are parts themselves."""
    end = parsed.end
    at = end + 1 if word_at(tokens, end) == "-" else end
    part = word_at(tokens, at)
    if part in _PARTS and 0 < parsed.value <= 20 and word_at(tokens, parsed.end - 1) in NUMBER_WORDS:
        return Numeral(parsed.value * _PARTS[part], at + 1)
    if (added := part_after(tokens, end)) is not None:
        return Numeral(parsed.value + added.value, added.end)
    return parsed


def part_after(tokens: Sequence[Token], index: int) -> Numeral | None:
    """The part that "and a half", "and three quarters" add to what stands before the index."""
    part = _PARTS.get(word_at(tokens, index + 2))
    if word_at(tokens, index) != "and" or part is None:
        return None
    count = 1.0 if word_at(tokens, index + 1) == "a" else NUMBER_WORDS.get(word_at(tokens, index + 1))
    return None if count is None else Numeral(count * part, index + 3)


def _magnitude_at(tokens: Sequence[Token], start: int, end: int) -> float | None:
    word = word_at(tokens, end)
    if word in MAGNITUDES:
        return MAGNITUDES[word]
    if word in _LETTERS:
        before, after = word_at(tokens, start - 1), word_at(tokens, end + 1)
        in_money = before in CURRENCY_SIGNS or after in CURRENCY_SIGNS
        counted = end + 1 < len(tokens) and tokens[end + 1].kind is TokenKind.WORD and len(after) > 3
        return _LETTERS[word] if in_money or (counted and word == "m" and after not in _PLACES) else None
    return None


_PLACES = words(  # after "500 m" they speak of metres
    "from away long wide high deep tall thick along north south east west walk walking approximately "
    "about which that"
)


def _out_of(tokens: Sequence[Token], parsed: Numeral) -> Numeral:
    """ "35 out of 1000" is the share 0.035, "1 in 4" is 0.25."""
    if word_at(tokens, parsed.end) == "in" and parsed.end + 1 < len(tokens):
        whole = _digits_at(tokens, parsed.end + 1) or _spelled_at(tokens, parsed.end + 1)
        ends = whole is not None and (
            whole.end == len(tokens) or tokens[whole.end].kind is not TokenKind.WORD
        )
        if whole is not None and ends and 0 < parsed.value < whole.value <= _LARGEST_WHOLE:
            return Numeral(parsed.value / whole.value, whole.end)
    if (word_at(tokens, parsed.end), word_at(tokens, parsed.end + 1)) != ("out", "of"):
        return parsed
    if parsed.end + 2 >= len(tokens):
        return parsed
    whole = _digits_at(tokens, parsed.end + 2) or _spelled_at(tokens, parsed.end + 2)
    if whole is None or whole.value <= parsed.value:
        return parsed
    return Numeral(parsed.value / whole.value, whole.end)
