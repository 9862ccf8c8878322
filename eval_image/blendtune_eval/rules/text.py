"""Splits text into sentences of normalised tokens, which the rules compare."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


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


@dataclass(frozen=True, slots=True)
class Sentence:
    tokens: tuple[Token, ...]
    interrogative: bool = False


CLAUSE_BREAK = Token(";", TokenKind.BREAK)

_CHARACTERS = str.maketrans(
    {"‘": "'", "’": "'", "ʼ": "'", "“": '"', "”": '"', "‐": "-", "‑": "-", "‒": "-", "–": "-", "—": ";",
     "⁄": "/", "*": " ", "_": " ", "`": " ", "~": " "}
)  # fmt: skip
_GROUPING_SPACE = re.compile(r"(?<=\d)[\u00a0\u2009\u202f](?=\d{3})")
_INITIALS = re.compile(r"(?<![\w.])((?:[^\W\d_]\.[ ]?){2,})")
_CONTRACTIONS = (
    (re.compile(r"\bcan(?:no|')t\b"), "can not"),
    (re.compile(r"\bwon't\b"), "will not"),
    (re.compile(r"\bain't\b"), "is not"),
    (re.compile(r"n't\b"), " not"),
    (re.compile(r"\b(it|that|there|here|what|he|she)'s\b"), r"\1 is"),
    (re.compile(r"'(?:s|re|ve|ll|m|d)\b"), ""),
)
_ENUMERATOR = re.compile(r"(?m)^[ \t]*(\d{1,2})[.)][ \t]+(?=\D)")
_TOKEN = re.compile(
    r"""
    (?P<clock>\d{1,2}:\d{2}(?!\d))
  | (?P<fraction>\d+/\d+(?![\d/]))
  | (?P<number>\d{1,3}(?:,\d{3})+(?!\d)(?:\.\d+)? | \d+(?:\.\d+)? )
  | (?P<word>[^\W\d_](?:\w|(?<=\w)'(?=\w))*)
  | (?P<minus>(?<=[\d)%])[ ]+-[ ]+(?=[\d($]))
  | (?P<symbol>[%$€£¥°+×÷=−/&#])
  | (?P<end>[.!?。！？]+(?=[\s"')\]]|$)|\n+)
  | (?P<break>[,;:()\[\]{}"'|<>.!?-])
    """,
    re.VERBOSE,
)
_TIMES = re.compile(r"(?<=\d)[ ]*\*[ ]*(?=\d)")
_DECIMAL_COMMA = re.compile(r"(?<![\d,.])(\d+),(\d{1,2})(?![\d,])")
_ABBREVIATED = frozenset({"dr", "mr", "mrs", "ms", "st", "vs", "inc", "ltd", "co", "approx", "eg", "ie"})


def normalise(text: str) -> str:
    """The text in one form of case, accents, typographic signs, markdown and contractions.

    "Can't" becomes "can not".
    """
    text = _TIMES.sub(" × ", unicodedata.normalize("NFKC", _GROUPING_SPACE.sub("", text)))
    text = text.translate(_CHARACTERS).casefold()
    text = "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c))
    text = unicodedata.normalize("NFC", text)
    for pattern, replacement in _CONTRACTIONS:
        text = pattern.sub(replacement, text)
    return _INITIALS.sub(lambda match: re.sub(r"[. ]", "", match[1]) + " ", text)


def sentences(text: str) -> tuple[Sentence, ...]:
    """The sentences of a text, split at full stops, question and exclamation marks and line breaks."""
    text = _DECIMAL_COMMA.sub(r"\1.\2", _without_enumerators(normalise(text)))
    result: list[Sentence] = []
    tokens: list[Token] = []
    for match in _TOKEN.finditer(text):
        if match.lastgroup != "end":
            tokens.append(_token(match))
        elif tokens and not (match[0] == "." and tokens[-1].text in _ABBREVIATED):
            result.append(Sentence(tuple(tokens), interrogative=match[0][-1] in "?？"))
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


def word_at(tokens: Sequence[Token], index: int) -> str:
    """The token's text; empty for an index outside of the tokens."""
    return tokens[index].text if 0 <= index < len(tokens) else ""


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _token(match: re.Match[str]) -> Token:
    text = match[0]
    match match.lastgroup:
        case "number":
            value = float(text.replace(",", ""))
            return Token(f"{value:.12g}", TokenKind.NUMBER, value)
        case "fraction":
            numerator, denominator = map(int, text.split("/"))
            return Token(text, TokenKind.NUMBER, numerator / denominator if denominator else None)
        case "word" | "clock":
            return Token(text, TokenKind.WORD)
        case "minus":
            return Token("−", TokenKind.SYMBOL)
        case "symbol":
            return Token(text, TokenKind.SYMBOL)
        case _:
            return Token(text, TokenKind.BREAK)


def _without_enumerators(text: str) -> str:
    """The text without the item numbers of a list that starts with 1."""
    first = _ENUMERATOR.search(text)
    return _ENUMERATOR.sub("", text) if first is not None and first[1] == "1" else text
