"""What the rules read of other languages than English: number words, "or", and plain negations."""

from __future__ import annotations

import re
from collections.abc import Sequence

from blendtune_eval.rules.scripts import FOREIGN_NEGATORS
from blendtune_eval.rules.text import Token, TokenKind, word_at, words

OR = words("or oder ou o или أو या 或 還是 还是")
_OFFERED = re.compile(r".{0,2}(?:か(?!ら)\w|または|又は|もしくは|或)")  # "岐阜県か愛知県"
_DENIED_BEHIND = re.compile(r".{0,3}?(?:では|じゃ)(?:な|あり)")  # "岐阜県ではありません"
_DENIED_AHEAD = ("不是", "并非", "並非", "没有", "沒有", "不")
_LIMITED = words(  # "nicht mehr als", "pas seulement": they bound or extend and do not deny
    "nur mehr weniger vor später plus moins seulement avant más menos solo sólo mais apenas più meno только "
    "более менее больше меньше позднее alleen meer minder"
)
_NEAR = 3  # words between a negator and what it denies; more leave its reach open
_DIGITS = {digit: value for value, digit in enumerate("〇一二三四五六七八九")} | {"零": 0, "两": 2, "兩": 2}
_POWERS = {"十": 10, "百": 100, "千": 1000}
_MYRIADS = {"万": 10**4, "萬": 10**4, "億": 10**8, "亿": 10**8}
_VAGUE = "一"  # stands in many words that name no number
_GERMAN = [
    "null",
    "ein",
    "zwei",
    "drei",
    "vier",
    "fünf",
    "sechs",
    "sieben",
    "acht",
    "neun",
    "zehn",
    "elf",
    "zwölf",
]
_GERMAN_TENS = ["zwanzig", "dreissig", "vierzig", "fünfzig", "sechzig", "siebzig", "achtzig", "neunzig"]
_TENS = {
    word: 10.0 * ten
    for tens in ("vingt trente quarante cinquante soixante", "veinte treinta cuarenta cincuenta sesenta")
    for ten, word in enumerate(tens.split(), start=2)
}
_WORDS = _TENS | {
    word: float(value)
    for value, named in {
        2: "deux dos zwei", 3: "trois tres drei", 4: "quatre cuatro vier", 5: "cinq cinco", 6: "seis",
        7: "siete", 8: "huit ocho", 9: "neuf nueve", 10: "dix diez", 11: "onze", 12: "douze doce",
        13: "treize trece", 14: "quatorze catorce", 15: "quinze quince", 16: "seize",
    }.items()
    for word in named.split()
}  # fmt: skip


def number_at(tokens: Sequence[Token], index: int) -> tuple[float, int] | None:
    """The value and the end of a number in Han numerals or in German, French or Spanish words."""
    word = tokens[index].text
    if word in _DIGITS or word in _POWERS:
        return _han_at(tokens, index)
    if word in _GERMAN_NUMBERS:
        return _GERMAN_NUMBERS[word], index + 1
    if word not in _WORDS:
        return None
    joined = word in _TENS and word_at(tokens, index + 1) in ("-", "y", "et")
    if joined and 0 < _WORDS.get(word_at(tokens, index + 2), 0) < _WORDS[word]:
        return _WORDS[word] + _WORDS[word_at(tokens, index + 2)], index + 3
    return _WORDS[word], index + 1


def denied(tokens: Sequence[Token], start: int, end: int) -> bool:
    """Whether a negator of another language denies the tokens [start, end): it stands close before them."""
    for index in range(start - 1, max(start - 1 - _NEAR, -1), -1):
        if tokens[index].kind is TokenKind.BREAK:
            break
        if tokens[index].text in FOREIGN_NEGATORS:
            return word_at(tokens, index + 1) not in _LIMITED
    ahead = "".join(token.text for token in tokens[max(start - 2, 0) : start])
    behind = "".join(token.text for token in tokens[end : end + 6])
    return ahead.endswith(_DENIED_AHEAD) or _DENIED_BEHIND.match(behind) is not None


def offered(tokens: Sequence[Token], start: int, end: int) -> bool:
    """Whether "or" stands beside the tokens [start, end)."""
    behind = "".join(token.text for token in tokens[end : end + 4])
    return not OR.isdisjoint((word_at(tokens, start - 1), word_at(tokens, end))) or bool(
        _OFFERED.match(behind)
    )


def clause(tokens: Sequence[Token], start: int, end: int) -> list[str]:
    """The words around the tokens [start, end), up to the next punctuation on either side."""
    breaks = [
        index for index, token in enumerate(tokens) if token.kind is TokenKind.BREAK and not token.joined
    ]
    first = max((index for index in breaks if index < start), default=-1)
    last = min((index for index in breaks if index >= end), default=len(tokens))
    return [token.text for token in tokens[first + 1 : last]]


def _han_at(tokens: Sequence[Token], index: int) -> tuple[float, int] | None:
    """Han numerals: 二十一 is 21, 三万五千 is 35000, 二〇二四 is 2024."""
    total = section = digit = 0
    end = index
    while (sign := word_at(tokens, end)) and (sign in _DIGITS or sign in _POWERS or sign in _MYRIADS):
        if sign in _DIGITS:
            digit = 10 * digit + _DIGITS[sign]
        elif sign in _POWERS:
            section, digit = section + (digit or 1) * _POWERS[sign], 0
        else:
            total, section, digit = total + (section + digit or 1) * _MYRIADS[sign], 0, 0
        end += 1
    said = "".join(token.text for token in tokens[index:end])
    return None if said == _VAGUE else (float(total + section + digit), end)


def _german() -> dict[str, float]:
    """The number words from 2 to 9,999, which German writes as one word."""
    below = dict(enumerate(_GERMAN)) | {
        13: "dreizehn", 14: "vierzehn", 15: "fünfzehn", 16: "sechzehn", 17: "siebzehn", 18: "achtzehn",
        19: "neunzehn",
    }  # fmt: skip
    for ten, name in enumerate(_GERMAN_TENS, start=2):
        below |= {10 * ten: name} | {10 * ten + one: f"{_GERMAN[one]}und{name}" for one in range(1, 10)}
    found = {name: float(value) for value, name in below.items() if value > 1}
    hundreds = {0: [""]} | {h: [f"{_GERMAN[h]}hundert"] for h in range(1, 10)}
    hundreds[1].append("hundert")
    thousands = {0: [""]} | {t: [f"{_GERMAN[t]}tausend"] for t in range(1, 10)}
    thousands[1].append("tausend")
    tails = {0: ""} | below
    for thousand, leads in thousands.items():
        for hundred, names in hundreds.items():
            for tail, last in tails.items():
                value = 1000.0 * thousand + 100 * hundred + tail
                found |= {f"{lead}{name}{last}": value for lead in leads for name in names if value > 1}
    return found | {
        f"{below[h]}hundert{last}": 100.0 * h + tail for h in range(11, 20) for tail, last in tails.items()
    }


_GERMAN_NUMBERS = _german()
