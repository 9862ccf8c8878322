"""Splits text into sentences of normalised tokens, which the rules compare."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Protocol, TypeVar

from blendtune_eval.rules import latex, markup
from blendtune_eval.rules.digits import plain_digits, readings
from blendtune_eval.rules.latex import BOXED
from blendtune_eval.rules.scripts import MARK, UNSPACED


class TokenKind(StrEnum):
    WORD = "word"
    NUMBER = "number"
    SYMBOL = "symbol"  # currency, percent, degree and arithmetic signs
    BREAK = "break"  # punctuation within a sentence


@dataclass(frozen=True, slots=True)
class Token:
    text: str
    kind: TokenKind
    value: float | None = None  # of a NUMBER
    other: float | None = None  # its second reading: 2.5 of "2,500"
    joined: bool = False  # a hyphen within a compound


@dataclass(frozen=True, slots=True)
class Sentence:
    tokens: tuple[Token, ...]
    interrogative: bool = False


CLAUSE_BREAK = Token(";", TokenKind.BREAK)
LONGEST_SENTENCE = 300  # tokens
MOST_PLACES = 60  # at either end of an answer, where a value or phrase is looked at; others are repetition
HYPHEN = "-"  # with `joined`, within a compound

_CHARACTERS = str.maketrans(
    {"‘": "'", "’": "'", "ʼ": "'", "“": '"', "”": '"', "„": '"', "«": '"', "»": '"', "‐": "-", "‑": "-",
     "‒": "-", "–": "-", "—": ";", "⁄": "/", "∕": "/", "*": " ", "_": " ", "`": " ", "~": " ", "→": " = ",
     "≈": " = ", "·": " × ", "⋅": " × "}
)  # fmt: skip
_INITIALS = re.compile(r"(?<![\w.])((?:[^\W\d_]\.[ ]?){2,})")
_CONTRACTIONS = (
    (re.compile(r"\bcan(?:no|')t\b"), "can not"),
    (re.compile(r"\bwon't\b"), "will not"),
    (re.compile(r"\bain't\b"), "is not"),
    (re.compile(r"n't\b"), " not"),
    (re.compile(r"\b(it|that|there|here|what|he|she)'s\b"), r"\1 is"),
    (re.compile(r"'(?:s|re|ve|ll|m|d)\b"), ""),
)
_CLOCK_MARKS = re.compile(
    r"(?<![\d.,])(\d{1,2})[.h](\d{2})(?=[ ]?(?:[ap]\.?m\b|uhr\b)|(?<=h\d\d)(?![\d]|[ ]?m))", re.IGNORECASE
)
_DOTTED_DAY = re.compile(
    r"\b(\d{1,2})\.(?=[ ]?(?:jan|feb|m[aä]r|apr|mai|jun|jul|aug|sep|okt|nov|dez)[a-zä]*\b)", re.IGNORECASE
)  # "7. Oktober"
_SHORT_YEAR = re.compile(r"(?<![\w'’])['’](\d\d)(?![\d'’])")  # "in '89"
_THIS_CENTURY = 30  # short years below it
_MILITARY = re.compile(r"(?<![\d.,])([01]\d|2[0-3])([0-5]\d)[ ]?(?:hours|hrs)\b", re.IGNORECASE)
_HOURS_AND_MINUTES = re.compile(r"\b(\d{1,3})[ ]?h[ ]?(\d{1,2})[ ]?m(?:ins?)?\b", re.IGNORECASE)
CURRENCY_CODES = frozenset({"usd", "eur", "gbp", "inr", "jpy", "chf", "cad", "aud", "rs"})
_CURRENCY_CODE = re.compile(rf"\b({'|'.join(sorted(CURRENCY_CODES))})(?=\d)", re.IGNORECASE)
_YEAR_FIRST = re.compile(r"(?<![\d./])(\d{4})([/.])(\d{1,2})\2(\d{1,2})(?![\d./]\d|\d)")
_NAMED_MONTH = re.compile(r"\b(\d{1,2})-([a-z]{3,9})\.?-(\d{4}|\d\d)\b", re.IGNORECASE)
_SECONDS = re.compile(r"(?<=\d:\d\d):00\b")
_TOKEN = re.compile(
    rf"""
    (?P<date>\d{{4}}-\d{{1,2}}-\d{{1,2}}(?!\d) | \d{{1,2}}\.\d{{1,2}}\.(?:\d{{4}}|\d{{2}})(?!\d)
      | \d{{1,2}}/\d{{1,2}}/(?:\d{{4}}|\d{{2}})(?!\d))
  | (?P<clock>\d{{1,2}}:\d{{2}}(?!\d))
  | (?P<fraction>\d+(?:\.\d+)?/\d+(?:\.\d+)?(?![\d/]))
  | (?P<number>\d+,\d{{3}}(?!\d) | \d+(?:\.\d+)?(?:e-?\d+)? )
  | (?P<unspaced>[{UNSPACED}](?:[{MARK}])*)
  | (?P<word>(?:(?![{UNSPACED}])[^\W\d_])(?:(?![{UNSPACED}])\w|[{MARK}]|(?<=\w)'(?=\w))*)
  | (?P<minus>(?<=[\d)%])[ ]+-[ ]+(?=[\d($]) | (?<=[=(])[ ]*-[ ]+(?=[$€£]?\d)
      | (?<![\w)%])(?<![\d)%][ ])-(?=[$€£]?\d))
  | (?P<symbol>[%‰$€£¥₹°+×÷=−/&#^√{BOXED}])
  | (?P<end>[.!?]+(?=[\s"')\]{BOXED}]|$)|[。！？؟।]+|\n+)
  | (?P<joined>(?<=\w)-(?=\w))
  | (?P<break>[,;:()\[\]{{}}"'|<>.!?、，；：-])
    """,
    re.VERBOSE,
)
_TIMES = re.compile(r"(?<=[\d)])[ ]*\*[ ]*(?=[\d($])")
_WIDE_BREAKS = {"、": ",", "，": ",", "；": ";", "：": ":"}
_ABBREVIATED = frozenset(
    {"dr", "mr", "mrs", "ms", "st", "vs", "inc", "ltd", "co", "approx", "eg", "ie", "rs", "jan", "feb", "mar",
     "apr", "jun", "jul", "aug", "sep", "sept", "oct", "nov", "dec", "ca", "excl", "incl"}
)  # fmt: skip


def normalise(text: str) -> str:
    """The text in one form of case, typographic signs, markup, numbers and contractions.

    "Can't" becomes "can not", "1.234,50" becomes "1234.5". Marks on letters stay: they make other words.
    """
    text = markup.plain(latex.plain(text))
    text = _SHORT_YEAR.sub(lambda year: f"{'20' if int(year[1]) < _THIS_CENTURY else '19'}{year[1]}", text)
    text = _NAMED_MONTH.sub(r"\1 \2 \3", _YEAR_FIRST.sub(r"\1-\3-\4", _DOTTED_DAY.sub(r"\1", text)))
    text = _CURRENCY_CODE.sub(r"\1 ", _HOURS_AND_MINUTES.sub(r"\1 h \2 min", text))
    text = plain_digits(_CLOCK_MARKS.sub(r"\1:\2", _MILITARY.sub(r"\1:\2", text)))
    text = _TIMES.sub(" × ", unicodedata.normalize("NFKC", _SECONDS.sub("", text)))
    text = unicodedata.normalize("NFC", text.translate(_CHARACTERS).casefold())
    for pattern, replacement in _CONTRACTIONS:
        text = pattern.sub(replacement, text)
    return _INITIALS.sub(lambda match: re.sub(r"[. ]", "", match[1]) + " ", text)


@lru_cache(maxsize=4096)
def sentences(text: str) -> tuple[Sentence, ...]:
    """The sentences of a text, split at full stops, question and exclamation marks and line breaks.

    One of more than LONGEST_SENTENCE tokens is cut, so that reading takes time in proportion to the text.
    """
    result: list[Sentence] = []
    tokens: list[Token] = []
    for match in _TOKEN.finditer(normalise(text)):
        if match.lastgroup != "end":
            tokens.append(_token(match))
            if len(tokens) == LONGEST_SENTENCE:
                result.append(Sentence(tuple(tokens)))
                tokens = []
        elif tokens and not (match[0] == "." and tokens[-1].text in _ABBREVIATED):
            result.append(Sentence(tuple(tokens), interrogative=match[0][-1] in "?？؟"))
            tokens = []
    if tokens:
        result.append(Sentence(tuple(tokens)))
    return tuple(result)


def content(text: str) -> tuple[Token, ...]:
    """The tokens of a text without its punctuation."""
    return tuple(
        token
        for sentence in sentences(text)
        for token in sentence.tokens
        if token.kind is not TokenKind.BREAK
    )


class _Found(Protocol):
    @property
    def end(self) -> int: ...  # index after its last token


F = TypeVar("F", bound=_Found)
P = TypeVar("P")


def found_along(tokens: Sequence[Token], read: Callable[[Sequence[Token], int], F | None]) -> list[F]:
    """What `read` finds at each token that an earlier find does not cover."""
    found: list[F] = []
    index = 0
    while index < len(tokens):
        here = read(tokens, index)
        if here is not None:
            found.append(here)
        index = here.end if here is not None else index + 1
    return found


def outermost(places: Sequence[P]) -> list[P]:
    """The first and the last MOST_PLACES of them."""
    if len(places) <= 2 * MOST_PLACES:
        return list(places)
    return [*places[:MOST_PLACES], *places[-MOST_PLACES:]]


def word_at(tokens: Sequence[Token], index: int) -> str:
    """The token's text; empty for an index outside of the tokens."""
    return tokens[index].text if 0 <= index < len(tokens) else ""


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _token(match: re.Match[str]) -> Token:
    text = match[0]
    match match.lastgroup:
        case "number":
            value, other = readings(text)
            return Token(f"{value:.12g}", TokenKind.NUMBER, value, other=other)
        case "fraction":
            numerator, denominator = map(float, text.split("/"))
            return Token(text, TokenKind.NUMBER, numerator / denominator if denominator else None)
        case "word" | "clock" | "date" | "unspaced":
            return Token(text, TokenKind.WORD)
        case "minus":
            return Token("−", TokenKind.SYMBOL)
        case "symbol":
            return Token(text, TokenKind.BREAK if text == BOXED else TokenKind.SYMBOL)
        case "joined":
            return Token(HYPHEN, TokenKind.BREAK, joined=True)
        case _:
            return Token(_WIDE_BREAKS.get(text, text), TokenKind.BREAK)
