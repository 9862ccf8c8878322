"""Dates: 3 March 2025, March 3rd, 2025-03-03, 3.3.2025, the third of March, 3. März 2025."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from blendtune_eval.rules.numerals import numeral_at
from blendtune_eval.rules.text import Token, TokenKind, found_along, word_at

_MONTHS = (
    "january jan januar janvier enero gennaio janeiro januari",
    "february feb februar février febrero febbraio fevereiro februari",
    "march mar märz mars marzo março maart",
    "april apr avril abril aprile",
    "may mai mayo maggio maio mei",
    "june jun juni juin junio giugno junho",
    "july jul juli juillet julio luglio julho",
    "august aug août agosto augustus",
    "september sep sept septembre septiembre settembre setembro",
    "october oct oktober octobre octubre ottobre outubro",
    "november nov novembre noviembre novembro",
    "december dec dezember décembre diciembre dicembre dezembro",
)
MONTHS = {name: number for number, names in enumerate(_MONTHS, start=1) for name in names.split()}
_FIRST_ORDINALS = {"first": 1, "second": 2, "third": 3}
_YEARS = range(1000, 2200)
_CENTURY = 2000
_LINKS = frozenset({"of", "day", "the", "de", ",", ".", "del", "di"})
_YEAR_SIGNS, _MONTH_SIGN, _DAY_SIGNS = frozenset("年년"), "月", frozenset("日号號")
_WEEKS = 31


@dataclass(frozen=True, slots=True)
class Date:
    """A date at the tokens [start, end). `swapped`: day and month may be meant the other way round."""

    day: int
    month: int
    year: int | None
    start: int
    end: int
    swapped: bool = False

    def matches(self, wanted: Date, year: int | None) -> bool:
        return (self.day, self.month) == (wanted.day, wanted.month) and (
            self.year is None or year is None or self.year == year
        )

    def matches_swapped(self, wanted: Date, year: int | None) -> bool:
        return replace(self, day=self.month, month=self.day).matches(wanted, year)


def dates(tokens: Sequence[Token]) -> list[Date]:
    return found_along(tokens, _date_at)


def year_in(tokens: Sequence[Token]) -> int | None:
    """The only year that a text names; None without one."""
    years = {
        int(t.value)
        for t in tokens
        if t.value is not None and t.value == int(t.value) and int(t.value) in _YEARS
    }
    return years.pop() if len(years) == 1 else None


def _date_at(tokens: Sequence[Token], index: int) -> Date | None:
    text = tokens[index].text
    if re.fullmatch(r"\d{4}-\d{1,2}-\d{1,2}", text):
        year, month, day = map(int, text.split("-"))
        return _checked(Date(day, month, year, index, index + 1))
    if re.fullmatch(r"\d{1,2}([./])\d{1,2}\1\d{2,4}", text):
        day, month, year = map(int, re.split("[./]", text))
        year += _CENTURY if year < 100 else 0
        if month > len(_MONTHS) >= day:
            return _checked(Date(month, day, year, index, index + 1))
        return _checked(Date(day, month, year, index, index + 1, swapped="/" in text and day <= len(_MONTHS)))
    if word_at(tokens, index + 1) in _YEAR_SIGNS or word_at(tokens, index + 1) == _MONTH_SIGN:
        return _with_signs(tokens, index)
    if text in MONTHS and (text not in ("may", "mar", "mei") or _day_near(tokens, index)):
        return _month_first(tokens, index)
    return _day_first(tokens, index)


def _with_signs(tokens: Sequence[Token], index: int) -> Date | None:
    """2027年6月12日, with or without the year."""
    at, year = index, None
    named = tokens[index].value
    if word_at(tokens, index + 1) in _YEAR_SIGNS and named is not None:
        at, year = index + 2, int(named)
    if at + 3 >= len(tokens) or tokens[at + 1].text != _MONTH_SIGN or tokens[at + 3].text not in _DAY_SIGNS:
        return None
    month, day = tokens[at].value, tokens[at + 2].value
    if month is None or day is None:
        return None
    return _checked(Date(int(day), int(month), year, index, at + 4))


def _day_near(tokens: Sequence[Token], index: int) -> bool:
    return _day_at(tokens, index + 1) is not None


def _month_first(tokens: Sequence[Token], index: int) -> Date | None:
    at = index + 1
    while word_at(tokens, at) in ("the", ".", ","):
        at += 1
    found = _day_at(tokens, at)
    if found is None:
        return None
    day, end = found
    year, end = _year_at(tokens, end)
    return _checked(Date(day, MONTHS[tokens[index].text], year, index, end))


def _day_first(tokens: Sequence[Token], index: int) -> Date | None:
    found = _day_at(tokens, index)
    if found is None:
        return None
    day, at = found
    while word_at(tokens, at) in _LINKS - {","}:
        at += 1
    if word_at(tokens, at) not in MONTHS:
        return None
    year, end = _year_at(tokens, at + 1)
    return _checked(Date(day, MONTHS[word_at(tokens, at)], year, index, end))


def _day_at(tokens: Sequence[Token], index: int) -> tuple[int, int] | None:
    if index >= len(tokens):
        return None
    if (day := _FIRST_ORDINALS.get(tokens[index].text)) is not None:
        return day, index + 1
    numeral = numeral_at(tokens, index)
    if numeral is None or numeral.value != int(numeral.value) or not 1 <= numeral.value <= _WEEKS:
        return None
    return int(numeral.value), numeral.end


def _year_at(tokens: Sequence[Token], index: int) -> tuple[int | None, int]:
    at = index
    while word_at(tokens, at) in _LINKS:
        at += 1
    if at < len(tokens) and tokens[at].kind is TokenKind.NUMBER and tokens[at].value in _YEARS:
        return int(tokens[at].text), at + 1
    return None, index


def _checked(date: Date) -> Date | None:
    return date if 1 <= date.day <= _WEEKS and 1 <= date.month <= len(_MONTHS) else None
