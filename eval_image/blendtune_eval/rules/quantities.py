"""The numbers that a sentence states, each with its unit and its standing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from blendtune_eval.rules.negation import standing
from blendtune_eval.rules.numerals import (
    CURRENCY_SIGNS,
    NUMBER_WORDS,
    Numeral,
    numeral_at,
    part_after,
)
from blendtune_eval.rules.quantity import Quantity
from blendtune_eval.rules.ranges import (
    RANGE_WORDS,
    join_alternatives,
    mark_left_behind,
    share_units_in_ranges,
)
from blendtune_eval.rules.rates import Rate, rate_at
from blendtune_eval.rules.text import CURRENCY_CODES, Sentence, Token, TokenKind, content, word_at, words
from blendtune_eval.rules.units import MONEY, SHARE, Unit, known_unit, relatives, stem, units_named, words_of

_MONTHS = words(
    "january february march april may june july august september october november december jan feb mar apr "
    "jun jul aug sep sept oct nov dec"
)
_OPERATORS = frozenset("+×÷−/x") | {"times", "plus", "minus", "multiplied", "divided"}
_MINUS = frozenset({"−", "minus"})
_ARITHMETIC = frozenset("=+×÷/")
_LINKING = words("is are was be equals to from and or at of gives get")  # a minus behind them is a sign
_RATES = words("times once twice per $ € £") | {
    stem(name) for name in words("dollars euros cents pounds rupees")
}
_ONE = frozenset({"a", "an", "one"})
_OPENING = CURRENCY_SIGNS | {"("}  # may stand between an operator and its number
_LONGEST_UNIT = 3  # words between a number and an operator that follows its unit
_JOINING = frozenset({"and", ",", "-"})
_FUNCTION_WORDS = words(
    "a an and are as at because but by for from has have in is of on or per so than that the then to was "
    "were when which with before after until only i.e. ie it they if not will each every"
)
_SCALE_NAMES = words("c f k celsius fahrenheit kelvin centigrade")
_REMAINING = words("left remain remains remaining over altogether")  # "7 left" counts no lefts
_ROUNDED = 0.005  # relative error that people make when they convert to another system
_FEWEST_LETTERS = 2  # of a unit that may stand elsewhere than right behind its number


@dataclass(frozen=True, slots=True)
class Units:
    """The phrases (of stems) for a unit, the units they name, and those that convert to it."""

    phrases: tuple[tuple[str, ...], ...] = ()
    named: tuple[Unit, ...] = ()
    others: tuple[tuple[Unit, float, float], ...] = ()  # unit, factor, relative tolerance
    rate: Rate | None = None

    @property
    def dimension(self) -> str:
        return self.named[0].dimension if self.named else ""


@lru_cache(maxsize=256)
def units_of(unit: str, aliases: tuple[str, ...] = ()) -> Units:
    if not unit:
        return Units()
    phrases = {_stems_of(phrase) for phrase in (unit, *aliases)}
    named = units_named(list(phrases))
    for each in named[:1]:
        phrases |= {tuple(name.split()) for name in each.names}
    others = tuple(
        (other, factor, 0.0 if named[0].system is other.system else _ROUNDED)
        for other, factor in (relatives(named[0]) if named else ())
        if not any(tuple(name.split()) in phrases for name in other.names)
    )
    ordered = sorted((phrase for phrase in phrases if phrase), key=len, reverse=True)
    rates = (rate_at(content(phrase), 0) for phrase in (unit, *aliases))
    return Units(tuple(ordered), named, others, next((rate for rate in rates if rate), None))


def quantities(sentence: Sentence, unit: str = "", unit_aliases: Sequence[str] = ()) -> list[Quantity]:
    """The numbers that a sentence states, in order, without operands: of "12 x 5 = 60" only 60."""
    tokens = sentence.tokens
    units = units_of(unit, tuple(unit_aliases))
    found: list[Quantity] = []
    index = 0
    while index < len(tokens):
        numeral = numeral_at(tokens, index) or _one_of_a_unit(tokens, index)
        if numeral is None:
            index += 1
            continue
        numeral, resume = _with_its_part(tokens, _of_one(tokens, numeral))
        if not _is_operand(tokens, index, numeral.end):
            found.append(_quantity(tokens, numeral.value, numeral.other, index, numeral.end, units))
        index = _below_zero(tokens, resume) or resume
    joined = join_alternatives(tokens, share_units_in_ranges(tokens, _compound(tokens, found)))
    return mark_left_behind(tokens, joined)


def _quantity(
    tokens: Sequence[Token], value: float, other: float | None, start: int, end: int, units: Units
) -> Quantity:
    if _is_negative(tokens, start) or _below_zero(tokens, end) is not None:
        value = -value
    unit, one, tolerance = None, 1.0, 0.0
    in_unit = any(_has_unit(tokens, start, end, phrase) for phrase in units.phrases)
    if in_unit and units.named:
        unit = units.named[0]
    if units.rate and (rate := rate_at(tokens, end)) and rate.converts_to(units.rate):
        value, in_unit = value * rate.factor_to(units.rate), True
        tolerance = _ROUNDED if rate.rounds_to(units.rate) else 0.0
    elif not in_unit:
        for relative, factor, rounding in units.others:
            if any(_has_unit(tokens, start, end, tuple(name.split())) for name in relative.names):
                value, in_unit, tolerance, unit, one = value * factor, True, rounding, relative, factor
                other = None if other is None else other * factor
                break
    noun = _noun_after(tokens, end)
    percent = word_at(tokens, end) in ("%", "percent", "per") or word_at(tokens, end) == "‰"
    bare = not (
        in_unit
        or noun
        or percent
        or word_at(tokens, start - 1) in CURRENCY_SIGNS | CURRENCY_CODES
        or _measured(tokens, end)
    )
    neighbours = {tokens[i].text for i in (start - 1, start - 2, end, end + 1) if 0 <= i < len(tokens)}
    share = None
    if (
        units.dimension == SHARE
        and not in_unit
        and abs(value) <= 1
        and not _measured(tokens, end)
        and not percent
    ):
        share = value * 100
    if not units.phrases and word_at(tokens, end) in ("%", "percent"):
        share = value / 100
    return Quantity(
        value=value,
        start=start,
        end=end,
        standing=standing(tokens, start, end),
        noun=noun,
        in_unit=in_unit,
        unit=unit,
        one=one,
        vague=end - start == 1 and tokens[start].text in ("one", "a", "an"),
        dated=bool(neighbours & _MONTHS) and value <= 31,
        bare=bare,
        other=other,
        share=share,
        tolerance=tolerance,
    )


def _one_of_a_unit(tokens: Sequence[Token], index: int) -> Numeral | None:
    """ "A fortnight", which is one."""
    if tokens[index].text not in ("a", "an") or word_at(tokens, index - 1) in _RATES:
        return None
    if any(tokens[at].value is not None for at in range(max(index - 2, 0), index)):
        return None  # "2 evenings a week"
    named = stem(word_at(tokens, index + 1))
    return Numeral(1.0, index + 1) if len(named) > _FEWEST_LETTERS and known_unit(named) else None


def _of_one(tokens: Sequence[Token], numeral: Numeral) -> Numeral:
    """ "Four fifths of a kilometre": the unit follows behind "of a"."""
    at = numeral.end + (word_at(tokens, numeral.end) == "of")
    behind = at > numeral.end or word_at(tokens, at - 1) == "of"
    of_one = behind and abs(numeral.value) <= 1 and word_at(tokens, at) in _ONE
    return replace(numeral, end=at + 1) if of_one and _unit_at(tokens, at + 1) else numeral


def _with_its_part(tokens: Sequence[Token], numeral: Numeral) -> tuple[Numeral, int]:
    """ "A day and a half": the part follows behind the unit. With the index at which reading goes on."""
    part = part_after(tokens, numeral.end + 1) if _unit_at(tokens, numeral.end) else None
    if part is None:
        return numeral, numeral.end
    return replace(numeral, value=numeral.value + part.value), part.end


def _unit_at(tokens: Sequence[Token], index: int) -> bool:
    return known_unit(stem(word_at(tokens, index)))


def _measured(tokens: Sequence[Token], end: int) -> bool:
    """Whether a unit of any kind follows."""
    return word_at(tokens, end) in CURRENCY_SIGNS or known_unit(stem(word_at(tokens, end)))


def _is_negative(tokens: Sequence[Token], start: int) -> bool:
    before = start - 1 - (word_at(tokens, start - 1) in CURRENCY_SIGNS)
    return word_at(tokens, before) == "negative" or _is_sign(tokens, before)


def _is_sign(tokens: Sequence[Token], minus: int) -> bool:
    """Whether a minus belongs to the number behind it, as the last one in "5 - 12 = -7".

    It does unless a number stands before it, perhaps with its unit: "12 apples - 5".
    """
    if word_at(tokens, minus) not in _MINUS:
        return False
    before = word_at(tokens, minus - 1)
    if minus == 0 or before in _LINKING or before in _ARITHMETIC:
        return True
    if tokens[minus - 1].kind is TokenKind.BREAK:
        return before != ")"
    return tokens[minus - 1].kind is TokenKind.WORD and not _quantity_before(tokens, minus)


def _below_zero(tokens: Sequence[Token], end: int) -> int | None:
    """The end of "below zero" behind a number, perhaps with its unit between: "7 degrees below zero"."""
    for at in range(end, min(end + _LONGEST_UNIT, len(tokens))):
        if tokens[at].text == "below" and word_at(tokens, at + 1) in ("zero", "0"):
            return at + 2
        if tokens[at].kind is TokenKind.BREAK:
            break
    return None


def _is_operand(tokens: Sequence[Token], start: int, end: int) -> bool:
    """Whether an operator joins the number to another one, unlike in "4.5x" and "$200/day"."""
    before = start - 1
    while word_at(tokens, before) in _OPENING or _is_sign(tokens, before):
        before -= 1
    after = end + (word_at(tokens, end) in ("%", *CURRENCY_SIGNS))
    if word_at(tokens, after) in ("/", "per") and word_at(tokens, after + 2) in _OPERATORS:
        after += 2  # the rate in "$200/day × 30 days"
    if word_at(tokens, before) in _OPERATORS and _quantity_before(tokens, before):
        return True
    if word_at(tokens, after) in _OPERATORS and _number_after(tokens, after):
        return True
    return (
        word_at(tokens, after) == "=" and word_at(tokens, before) != "=" and not _only_equals(tokens, after)
    )


def _only_equals(tokens: Sequence[Token], equals: int) -> bool:
    """Whether no number follows the sign: "1.5 km ≈" and nothing after it."""
    return not any(numeral_at(tokens, index) for index in range(equals + 1, len(tokens)))


def _quantity_before(tokens: Sequence[Token], operator: int) -> bool:
    """Whether a number precedes the operator, possibly with a short unit: "3 days ×", "(3 + 4) ×"."""
    for index in range(operator - 1, max(operator - 2 - _LONGEST_UNIT, -1), -1):
        if numeral_at(tokens, index) is not None:
            return True
        if tokens[index].kind is TokenKind.BREAK and tokens[index].text not in "()":
            return False
    return False


def _number_after(tokens: Sequence[Token], operator: int) -> bool:
    index = operator + 1
    while word_at(tokens, index) in _OPENING | {"by"}:
        index += 1
    return index < len(tokens) and numeral_at(tokens, index) is not None


def _stems_of(phrase: str) -> tuple[str, ...]:
    return tuple(stem(token.text) for token in content(phrase))


def _has_unit(tokens: Sequence[Token], start: int, end: int, phrase: Sequence[str]) -> bool:
    """Whether the unit precedes the number, or follows it with at most one adjective between them."""
    phrase, after = list(phrase), end
    if word_at(tokens, after) == "(" and (close := _closing(tokens, after)) is not None:
        after = close + 1  # "30 (thirty) days"
    while word_at(tokens, after) == "-" or (
        word_at(tokens, after) == "." and word_at(tokens, after + 1) == "-"
    ):
        after += 1
    if _stems(tokens, after, len(phrase)) == phrase:
        next_word = word_at(tokens, after + len(phrase))
        return not (phrase in (["degree"], ["°"]) and next_word in _SCALE_NAMES)
    if len(phrase[0]) < _FEWEST_LETTERS and phrase[0].isalpha():
        return False
    ahead = start - 1 if word_at(tokens, start - 1) == ":" else start  # "days: 30"
    if ahead >= len(phrase) and _stems(tokens, ahead - len(phrase), len(phrase)) == phrase:
        return phrase[0] in CURRENCY_SIGNS or not known_unit(stem(word_at(tokens, after)))
    adjective = after < len(tokens) and tokens[after].kind is TokenKind.WORD
    if adjective and word_at(tokens, after) not in _FUNCTION_WORDS | NUMBER_WORDS.keys():
        return _stems(tokens, after + 1, len(phrase)) == phrase and not known_unit(
            stem(word_at(tokens, after))
        )
    return False


def _closing(tokens: Sequence[Token], index: int) -> int | None:
    return next((i for i in range(index + 1, min(index + 4, len(tokens))) if tokens[i].text == ")"), None)


def _noun_after(tokens: Sequence[Token], end: int) -> str:
    index = end + 1 if word_at(tokens, end) == "-" else end
    ends = index >= len(tokens) or tokens[index].kind is TokenKind.BREAK
    if ends or tokens[index].text in _FUNCTION_WORDS | RANGE_WORDS | _REMAINING:
        return ""
    return stem(tokens[index].text)


def _compound(tokens: Sequence[Token], found: list[Quantity]) -> list[Quantity]:
    """Adds up "1250 dollars and 50 cents" and "2 hours 30 minutes"."""
    added: list[Quantity] = []
    for quantity in found:
        left = added[-1] if added else None
        if (
            left is not None
            and left.unit
            and quantity.unit
            and left.unit.dimension == quantity.unit.dimension
        ):
            between = {stem(token.text) for token in tokens[left.end : quantity.start]}
            smaller = quantity.unit.factor < left.unit.factor
            if smaller and quantity.value < left.one and between <= _JOINING | words_of(left.unit):
                value = left.value + quantity.value
                added[-1] = replace(left, value=value, end=quantity.end, unit=quantity.unit, one=quantity.one)
                continue
        if left is not None and _is_hundredths(tokens, left, quantity):
            added[-1] = replace(left, value=left.value + quantity.value / 100 * left.one, end=quantity.end)
            continue
        added.append(quantity)
    return added


def _is_hundredths(tokens: Sequence[Token], left: Quantity, right: Quantity) -> bool:
    """ "18 dollars forty" """
    is_money = left.unit is not None and left.unit.dimension.startswith(MONEY) and left.unit.factor == 1.0
    follows = right.start == left.end + 1 and right.value in range(10, 100)
    named = follows and tokens[left.end].kind is not TokenKind.BREAK  # "thirty (30)" says it twice
    return is_money and named and not right.noun and left.value == int(left.value)


def _stems(tokens: Sequence[Token], start: int, count: int) -> list[str]:
    return [stem(token.text) for token in tokens[start : start + count]]
