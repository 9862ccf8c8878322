"""Units of measure: the names of each, and how one converts to another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum


class System(Enum):
    """Units of one system convert exactly; from one system to another people round."""

    METRIC = "metric"
    IMPERIAL = "imperial"
    COMMON = "common"  # time, shares, money


@dataclass(frozen=True, slots=True)
class Unit:
    """`factor`: how many of the dimension's base unit it is. `names` in lower case and singular."""

    dimension: str
    factor: float
    names: tuple[str, ...]
    system: System = System.METRIC


_COMMON, _IMPERIAL = System.COMMON, System.IMPERIAL
UNITS = (
    Unit("length", 1e-3, ("millimetre", "millimeter", "mm", "milímetro", "millimètre")),
    Unit("length", 1e-2, ("centimetre", "centimeter", "cm", "zentimeter", "centímetro", "centimètre")),
    Unit("length", 1.0, ("metre", "meter", "m", "mètre", "metro")),
    Unit("length", 1e3, ("kilometre", "kilometer", "km", "kms", "kilomètre", "kilómetro")),
    Unit("length", 0.0254, ("inch", "inche"), _IMPERIAL),
    Unit("length", 0.3048, ("foot", "feet", "ft"), _IMPERIAL),
    Unit("length", 0.9144, ("yard", "yd"), _IMPERIAL),
    Unit("length", 1609.344, ("mile", "mi"), _IMPERIAL),
    Unit("mass", 1e-3, ("milligram", "mg", "milligramme")),
    Unit("mass", 1.0, ("gram", "g", "gramme")),
    Unit("mass", 1e3, ("kilogram", "kg", "kgs", "kilo", "kilogramme", "kilogramm", "kilogramo")),
    Unit("mass", 1e6, ("tonne", "metric ton")),
    Unit("mass", 28.349523125, ("ounce", "oz"), _IMPERIAL),
    Unit("volume", 1e-3, ("millilitre", "milliliter", "ml")),
    Unit("volume", 1e-2, ("centilitre", "centiliter", "cl")),
    Unit("volume", 1.0, ("litre", "liter", "l", "ltr")),
    Unit("time", 1e-3, ("millisecond", "msec", "ms"), _COMMON),
    Unit("time", 1.0, ("second", "sec", "s", "sekunde", "sekunden", "seconde", "segundo", "秒"), _COMMON),
    Unit("time", 60.0, ("minute", "min", "minuten", "minuto", "分 钟"), _COMMON),
    Unit(
        "time",
        3600.0,
        ("hour", "hr", "hrs", "h", "stunde", "stunden", "heure", "hora", "小 时", "時 間"),
        _COMMON,
    ),
    Unit(
        "time",
        86_400.0,
        ("day", "d", "tag", "tage", "tagen", "jour", "día", "dia", "giorno", "giorni", "天", "日"),
        _COMMON,
    ),
    Unit(
        "time", 604_800.0, ("week", "wk", "wks", "woche", "wochen", "semaine", "semana", "周", "週"), _COMMON
    ),
    Unit("time", 1_209_600.0, ("fortnight",), _COMMON),
    Unit("calendar", 1.0, ("month", "monat", "monate", "monaten", "mois", "mes"), _COMMON),
    Unit(
        "calendar",
        12.0,
        ("year", "yr", "yrs", "jahr", "jahre", "jahren", "an", "ans", "année", "año", "anno", "年"),
        _COMMON,
    ),
    Unit(
        "share",
        0.01,
        (
            "%",
            "percent",
            "per cent",
            "pct",
            "percentage",
            "prozent",
            "pour cent",
            "por ciento",
            "por cento",
            "per cento",
            "procent",
        ),
        _COMMON,
    ),
    Unit("share", 0.001, ("‰", "per mille", "permille", "promille"), _COMMON),
    Unit("money $", 1.0, ("$", "usd", "us $", "dollar", "us dollar", "buck"), _COMMON),
    Unit("money $", 0.01, ("cent", "penny", "pennie"), _COMMON),
    Unit("money €", 1.0, ("€", "eur", "euro"), _COMMON),
    Unit("money €", 0.01, ("cent", "eurocent"), _COMMON),
    Unit("money £", 1.0, ("£", "gbp", "pound", "pound sterling", "quid"), _COMMON),
    Unit("money £", 0.01, ("penny", "pence"), _COMMON),
    Unit("mass", 453.59237, ("pound", "lb", "lbs"), _IMPERIAL),  # behind the money: "pounds" alone is money
    Unit("money ₹", 1.0, ("₹", "inr", "rs", "re", "rupee", "indian rupee", "रुपये", "रुपए", "रुपया"), _COMMON),
    Unit("money ₹", 0.01, ("paisa", "paise"), _COMMON),
    Unit("money ¥", 1.0, ("¥", "jpy", "yen", "円"), _COMMON),
    Unit(
        "celsius",
        1.0,
        ("° c", "c", "celsius", "degree celsius", "degree c", "centigrade", "degree centigrade"),
        _COMMON,
    ),
    Unit("fahrenheit", 1.0, ("° f", "f", "fahrenheit", "degree fahrenheit", "degree f"), _COMMON),
)
SHARE = "share"
TIME = "time"
MONEY = "money"
AMBIGUOUS_BARE = frozenset(
    {"length", "mass", "volume", "celsius", "fahrenheit"}
)  # a bare number may mean another unit


def stem(word: str) -> str:
    """The word without a plural's s."""
    return (
        word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")) else word
    )


def units_named(phrases: Sequence[Sequence[str]]) -> tuple[Unit, ...]:
    """The units that one of the phrases (of stems) names."""
    said = {" ".join(phrase) for phrase in phrases}
    return tuple(unit for unit in UNITS if said & set(unit.names))


def relatives(unit: Unit) -> Iterator[tuple[Unit, float]]:
    """The other units of the dimension, each with the factor that converts it to this one."""
    for other in UNITS:
        if other.dimension == unit.dimension and other is not unit:
            yield other, other.factor / unit.factor


def words_of(unit: Unit) -> set[str]:
    """The words of all of its names."""
    return {word for name in unit.names for word in name.split()}


def known_unit(word: str) -> bool:
    """Whether the word, a stem, names a unit of any dimension."""
    return word in _NAMES


_NAMES = frozenset(name for unit in UNITS for name in unit.names) | {"degree", "°"}
