"""Numbers in digits, in the forms of many lands, rewritten into plain decimals.

1,234.5 and 12,34,567 (India), 1.234,5 (Germany), 1'234.5 (Switzerland), 1 234,5 (France), 3½, 3 1/2,
6 × 10^6, 6e6. "2.500" and "2,500" have two readings: the first is taken for a decimal, the second for
thousands, as in English.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺", "0123456789-+")
_RAISED = re.compile(r"(?<=[\d)])[⁰¹²³⁴-⁹⁻⁺]+")
_VULGAR = "".join(
    chr(code) for code in (*range(0xBC, 0xBF), *range(0x2150, 0x215F), 0x2189)
)  # ¼ ½ ¾ ⅐ ... ⅞ ↉
_VULGAR_FRACTION = re.compile(rf"(?:(?<![\d.,/])(\d+)[ \u00a0\u2009\u202f-]?)?([{_VULGAR}])")
_ONE_OVER = re.compile(r"⅟\s*(\d+)")
_SPACE = r"[ \u00a0\u2009\u202f]"
_WHOLE = (  # the forms of a number's digits; the order decides
    rf"\d{{1,3}}(?:{_SPACE}\d{{3}})+(?!\d)(?:[.,]\d+)?"  # 1 234,5
    r"|\d{1,3}(?:['’]\d{3})+(?!\d)(?:[.,]\d+)?"  # 1'234.5
    r"|\d{1,3}(?:_\d{3})+(?!\d)(?:\.\d+)?"  # 1_234.5
    r"|\d{1,3}(?:,\d{3})+(?!\d)(?:\.\d+)?"  # 1,234.5
    r"|\d{1,2}(?:,\d{2})+,\d{3}(?!\d)(?:\.\d+)?"  # 12,34,567.8
    r"|\d{1,3}(?:\.\d{3})+,\d+"  # 1.234,5
    r"|\d{1,3}(?:\.\d{3}){2,}(?!\d)"  # 1.234.567
    r"|\d+,(?:\d{1,2}|\d{4,})(?![\d,])"  # 1,25
    r"|0,\d+(?![\d,])"  # 0,125
    r"|\d+(?:\.\d+)?"
)
_NOT_A_NUMBER = (  # dates, times, addresses and the like
    r"\d{4}-\d{1,2}-\d{1,2}|\d{1,2}\.\d{1,2}\.(?:\d{4}|\d{2})(?!\d)|\d{1,2}/\d{1,2}/(?:\d{4}|\d{2})(?!\d)"
    r"|\d{1,2}:\d{2}(?!\d)|(?!\d{1,3}(?:\.\d{3}){2,}(?!\d))\d+(?:\.\d+){2,}"
)
_LITERAL = re.compile(
    rf"(?<![\w.,:'’^])(?:(?P<skip>{_NOT_A_NUMBER})"
    rf"|(?<!/)(?P<mixed>\d{{1,6}})(?:{_SPACE}+|-|{_SPACE}and{_SPACE})(?P<top>\d{{1,2}})/(?P<bottom>\d{{1,2}})(?![\d/.])"
    rf"|(?P<number>{_WHOLE})"
    r"(?:\s*[×x*·⋅∙]\s*10\s*(?:\^|\*\*)\s*[({]?\s*(?P<ten>[+\-−]?\d{1,3})[)}]?"
    r"|[eE](?P<e>[+\-]?\d{1,3})(?![\w.])"
    r"|\s?(?:\^|\*\*)\s?[({]?(?P<power>[+\-−]?\d{1,3})[)}]?)?)"
)
_AMBIGUOUS = re.compile(r"\d{1,3}[.,]\d{3}")
_LARGEST_POWER = 64
_LARGEST_TEN = 300


def plain_digits(text: str) -> str:
    """The text with its numbers as plain decimals. A number with two readings keeps its point or comma."""
    text = _RAISED.sub(lambda match: "^" + match[0].translate(_SUPERSCRIPTS), text)
    text = _VULGAR_FRACTION.sub(
        lambda match: _decimal(int(match[1] or 0) + unicodedata.numeric(match[2])), text
    )
    text = _ONE_OVER.sub(r" 1/\1", text)
    return _LITERAL.sub(_rewritten, text)


def readings(literal: str) -> tuple[float, float | None]:
    """The value of a number in digits, and its other reading: None where there is none."""
    if "e" in literal:
        return float(literal), None
    if not _AMBIGUOUS.fullmatch(literal) or literal.startswith("0"):
        return _value(literal), None
    joined, point = float(re.sub("[.,]", "", literal)), float(literal.replace(",", "."))
    return (joined, point) if "," in literal else (point, joined)


def _value(literal: str) -> float:
    """Of the marks between digits, the last is a decimal point, unless it can only separate thousands."""
    bare = re.sub(rf"{_SPACE}|['’_]", "", literal)
    marks = re.findall(r"[.,]", bare)
    if not marks:
        return float(bare)
    last, fraction = marks[-1], re.split(r"[.,]", bare)[-1]
    grouped = len(fraction) == 3 and len(marks) == 1 and bare != literal  # 1 234,500 keeps its decimals
    decimal = (len(set(marks)) > 1 or len(marks) == 1) and not (
        last == "," and len(marks) == 1 and len(fraction) == 3 and not grouped and not bare.startswith("0")
    )
    if not decimal:
        return float(re.sub("[.,]", "", bare))
    whole = bare[: -len(fraction) - 1]
    return float(f"{re.sub('[.,]', '', whole)}.{fraction}")


def _rewritten(match: re.Match[str]) -> str:
    if match["skip"]:
        return match[0]
    if match["mixed"]:
        return _mixed(match)
    literal = match["number"]
    for name, scaled in _SCALED.items():
        if match[name]:
            exponent = int(match[name].replace("−", "-"))
            return scaled(_value(literal), exponent) or match[0]
    if _AMBIGUOUS.fullmatch(literal) and not literal.startswith("0"):
        return literal
    return _decimal(_value(literal))


def _mixed(match: re.Match[str]) -> str:
    whole, top, bottom = int(match["mixed"]), int(match["top"]), int(match["bottom"])
    if not 0 < top < bottom:
        return match[0]
    return _decimal(whole + top / bottom)


def _times_ten(value: float, exponent: int) -> str:
    return _decimal(float(f"{value!r}e{exponent}")) if abs(exponent) <= _LARGEST_TEN else ""


def _raised(value: float, exponent: int) -> str:
    if not 0 < value <= 1e6 or abs(exponent) > _LARGEST_POWER:
        return ""
    result = value**exponent
    return _decimal(result) if result < 1e300 else ""


_SCALED: dict[str, Callable[[float, int], str]] = {"ten": _times_ten, "e": _times_ten, "power": _raised}


def _decimal(value: float) -> str:
    return f"{value:.12g}".replace("e+", "e")
