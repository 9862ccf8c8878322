"""The numbers that a sentence states, each with its unit and its standing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from blendtune_eval.rules.negation import Standing, standing
from blendtune_eval.rules.numerals import CURRENCY_SIGNS, NUMBER_WORDS, number_at
from blendtune_eval.rules.text import Sentence, Token, TokenKind, content, word_at, words

_MONTHS = words(
    "january february march april may june july august september october november december jan feb mar apr "
    "jun jul aug sep sept oct nov dec"
)
_OPERATORS = frozenset("+×÷−/x")
_OPENING = CURRENCY_SIGNS | {"("}  # may stand between an operator and its number
_LONGEST_UNIT = 3  # words between a number and an operator that follows its unit
_RANGE_WORDS = frozenset({"-", "to", "or", "and"})
_FUNCTION_WORDS = words(
    "a an and are as at because but by for from has have in is of on or per so than that the then to was "
    "were when which with"
)
_SYNONYMS = (
    ("%", "percent", "per cent", "pct", "percentage"),
    ("$", "usd", "us $", "dollar", "us dollar"),
    ("€", "eur", "euro"),
    ("£", "gbp", "pound", "pound sterling"),
    ("° c", "celsius", "degree celsius", "degree c", "centigrade", "degree centigrade"),
    ("° f", "fahrenheit", "degree fahrenheit", "degree f"),
)
_SCALE_NAMES = words("c f k celsius fahrenheit kelvin centigrade")
_HUNDREDTHS = {"$": ("cent",), "€": ("cent",), "£": ("penny", "pence")}


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number in a sentence, at the tokens [start, end). `vague`: a bare "one", which may be a pronoun."""

    value: float
    start: int
    end: int
    standing: Standing
    noun: str = ""  # the counted word, if one follows
    in_unit: bool = False
    vague: bool = False
    dated: bool = False  # a day of the month, next to the month's name
    alternatives: tuple[float, ...] = ()  # numbers that "or" joins to it


def quantities(sentence: Sentence, unit: str = "", unit_aliases: Sequence[str] = ()) -> list[Quantity]:
    """The numbers that a sentence states, in order, without operands: of "12 x 5 = 60" only 60."""
    tokens = sentence.tokens
    units = _unit_phrases(unit, unit_aliases)
    found: list[Quantity] = []
    index = 0
    while index < len(tokens):
        parsed = number_at(tokens, index)
        if parsed is None:
            index += 1
            continue
        value, end = parsed
        if not _is_operand(tokens, index, end):
            found.append(_quantity(tokens, value, index, end, units))
        index = end
    return _join_alternatives(tokens, _share_units_in_ranges(tokens, found))


def _quantity(
    tokens: Sequence[Token], value: float, start: int, end: int, units: Sequence[Sequence[str]]
) -> Quantity:
    if _is_negative(tokens, start):
        value = -value
    in_unit = any(_has_unit(tokens, start, end, phrase) for phrase in units)
    if not in_unit and any(_has_unit(tokens, start, end, [name]) for name in _hundredths(units)):
        value, in_unit = value / 100, True
    neighbours = {tokens[i].text for i in (start - 1, start - 2, end, end + 1) if 0 <= i < len(tokens)}
    return Quantity(
        value=value,
        start=start,
        end=end,
        standing=standing(tokens, start, end),
        noun=_noun_after(tokens, end),
        in_unit=in_unit,
        vague=end - start == 1 and tokens[start].text == "one",
        dated=bool(neighbours & _MONTHS) and value <= 31,
    )


def _is_negative(tokens: Sequence[Token], start: int) -> bool:
    sign = word_at(tokens, start - 1)
    opens = start < 2 or tokens[start - 2].kind in (TokenKind.BREAK, TokenKind.WORD)
    opens = opens or word_at(tokens, start - 2) == "="
    return sign == "minus" or (
        sign in ("-", "−") and opens and word_at(tokens, start - 2) not in NUMBER_WORDS
    )


def _is_operand(tokens: Sequence[Token], start: int, end: int) -> bool:
    """Whether an operator joins the number to another one, unlike in "4.5x" and "$200/day"."""
    before = start - 1
    while word_at(tokens, before) in _OPENING:
        before -= 1
    after = end + (word_at(tokens, end) in ("%", *CURRENCY_SIGNS))
    if word_at(tokens, after) in ("/", "per") and word_at(tokens, after + 2) in _OPERATORS:
        after += 2  # the rate in "$200/day × 30 days"
    if word_at(tokens, before) in _OPERATORS and _quantity_before(tokens, before):
        return True
    if word_at(tokens, after) in _OPERATORS and _number_after(tokens, after):
        return True
    return word_at(tokens, after) == "=" and word_at(tokens, before) != "="


def _quantity_before(tokens: Sequence[Token], operator: int) -> bool:
    """Whether a number precedes the operator, possibly with a short unit: "3 days ×", "(3 + 4) ×"."""
    for index in range(operator - 1, max(operator - 2 - _LONGEST_UNIT, -1), -1):
        if number_at(tokens, index) is not None:
            return True
        if tokens[index].kind is TokenKind.BREAK and tokens[index].text not in "()":
            return False
    return False


def _number_after(tokens: Sequence[Token], operator: int) -> bool:
    index = operator + 1
    while word_at(tokens, index) in _OPENING:
        index += 1
    return index < len(tokens) and number_at(tokens, index) is not None


def _unit_phrases(unit: str, aliases: Sequence[str]) -> list[list[str]]:
    if not unit:
        return []
    phrases = {_singular(phrase) for phrase in (unit, *aliases)}
    for group in _SYNONYMS:
        synonyms = {_singular(phrase) for phrase in group}
        if phrases & synonyms:
            phrases |= synonyms
    return sorted((list(phrase) for phrase in phrases if phrase), key=len, reverse=True)


def _hundredths(units: Sequence[Sequence[str]]) -> list[str]:
    """The names of a hundredth of the unit, where it is a currency: "120 cents" are $1.20."""
    return [name for sign, names in _HUNDREDTHS.items() if [sign] in units for name in names]


def _singular(phrase: str) -> tuple[str, ...]:
    return tuple(_stem(token.text) for token in content(phrase))


def _stem(word: str) -> str:
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word


def _has_unit(tokens: Sequence[Token], start: int, end: int, phrase: Sequence[str]) -> bool:
    """Whether the unit precedes the number, or follows it with at most one adjective between them."""
    after = end
    if word_at(tokens, after) == "(" and (close := _closing(tokens, after)) is not None:
        after = close + 1  # "30 (thirty) days"
    while word_at(tokens, after) == "-":
        after += 1
    if _stems(tokens, after, len(phrase)) == list(phrase):
        next_word = word_at(tokens, after + len(phrase))
        return not (list(phrase) in (["degree"], ["°"]) and next_word in _SCALE_NAMES)
    if start >= len(phrase) and _stems(tokens, start - len(phrase), len(phrase)) == list(phrase):
        return True
    adjective = after < len(tokens) and tokens[after].kind is TokenKind.WORD
    if adjective and word_at(tokens, after) not in _FUNCTION_WORDS | NUMBER_WORDS.keys():
        return _stems(tokens, after + 1, len(phrase)) == list(phrase)
    return False


def _closing(tokens: Sequence[Token], index: int) -> int | None:
    return next((i for i in range(index + 1, min(index + 4, len(tokens))) if tokens[i].text == ")"), None)


def _noun_after(tokens: Sequence[Token], end: int) -> str:
    index = end + 1 if word_at(tokens, end) == "-" else end
    if index >= len(tokens) or tokens[index].kind is TokenKind.BREAK or tokens[index].text in _FUNCTION_WORDS:
        return ""
    return _stem(tokens[index].text)


def _share_units_in_ranges(tokens: Sequence[Token], found: list[Quantity]) -> list[Quantity]:
    """Gives both numbers of a range the unit of either: in "5 to 10 days" and "$5-10"."""
    shared = list(found)
    for i in range(len(shared) - 2, -1, -1):
        left, right = shared[i], shared[i + 1]
        between = [token.text for token in tokens[left.end : right.start]]
        if between and set(between) <= _RANGE_WORDS | CURRENCY_SIGNS | {","}:
            in_unit = left.in_unit or right.in_unit
            shared[i] = replace(left, in_unit=in_unit, noun=left.noun or right.noun)
            shared[i + 1] = replace(right, in_unit=in_unit)
    return shared


def _join_alternatives(tokens: Sequence[Token], found: list[Quantity]) -> list[Quantity]:
    """Notes for each number those that "or" joins to it, as in "40% or 60%"."""
    joined = list(found)
    for i in range(len(found) - 1):
        between = [token.text for token in tokens[found[i].end : found[i + 1].start]]
        if "or" in between and len(between) <= _LONGEST_UNIT + 1:
            joined[i] = replace(joined[i], alternatives=(*joined[i].alternatives, found[i + 1].value))
            joined[i + 1] = replace(joined[i + 1], alternatives=(found[i].value,))
    return joined


def _stems(tokens: Sequence[Token], start: int, count: int) -> list[str]:
    return [_stem(token.text) for token in tokens[start : start + count]]
