"""Times of day: 14:30, 2:30 pm, half past two, a quarter to ten, nine forty-five."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from blendtune_eval.rules.numerals import NUMBER_WORDS
from blendtune_eval.rules.text import Token, found_along, word_at, words
from blendtune_eval.rules.units import stem

_DAY, _HALF_DAY = 24 * 60, 12 * 60
_NAMED = {"noon": 12 * 60, "midday": 12 * 60, "midnight": 0}
_PARTS = {"half": 30, "quarter": 15}
_DAYTIMES = {"morning": 0, "afternoon": 12, "evening": 12, "night": 12}
_HOURS = 12
_BEFORE_A_TIME = words("at from until till to by before after around between and -")
_MINUTES = words("min minute")


@dataclass(frozen=True, slots=True)
class ClockTime:
    """A time at the tokens [start, end), in minutes after midnight. `half_day`: it may be 12 hours later.

    `spoken`: in words, so that even a 24-hour reading is open.
    """

    minute: int
    start: int
    end: int
    half_day: bool
    spoken: bool = False

    def matches(self, wanted: Sequence[ClockTime]) -> bool:
        """Whether it is one of the wanted times, all of which name the same one in several forms."""
        known = {time.minute for time in wanted if not time.spoken}
        if self.half_day:
            return any((self.minute - time.minute) % _HALF_DAY == 0 for time in wanted)
        if known:
            return self.minute in known
        return any((self.minute - time.minute) % _HALF_DAY == 0 for time in wanted)


def clock_times(tokens: Sequence[Token]) -> list[ClockTime]:
    return found_along(tokens, _time_at)


def durations(tokens: Sequence[Token]) -> list[float]:
    """The seconds of "1:30 h" and of a bare "1:30", which is no time of day where a duration is asked for."""
    found = []
    for index, token in enumerate(tokens):
        larger, _, smaller = token.text.partition(":")
        if not (larger.isdigit() and smaller.isdigit()) or word_at(tokens, index - 1) in _BEFORE_A_TIME:
            continue
        unit = stem(word_at(tokens, index + 1))
        if unit in _MINUTES:
            found.append(60.0 * int(larger) + int(smaller))
        elif unit not in ("am", "pm", "uhr", "o'clock", "-", "to"):
            found.append(3600.0 * int(larger) + 60.0 * int(smaller))
    return found


def _time_at(tokens: Sequence[Token], index: int) -> ClockTime | None:
    text = tokens[index].text
    if ":" in text and text.replace(":", "").isdigit():
        hour, minute = map(int, text.split(":"))
        if hour > 23 or minute > 59:
            return None
        return _with_daytime(
            tokens, hour, minute, index, index + 1, open_=0 < hour <= _HOURS and text[0] != "0"
        )
    if text in _NAMED:
        return ClockTime(_NAMED[text], index, index + 1, half_day=False)
    if text in _PARTS:
        return _past_or_to(tokens, index)
    return _spoken_at(tokens, index)


def _past_or_to(tokens: Sequence[Token], index: int) -> ClockTime | None:
    """ "Half past two", "quarter to 10"."""
    minutes, at = _PARTS[tokens[index].text], index + 1
    at += word_at(tokens, at) == "-"
    direction = word_at(tokens, at)
    hour = _hour_at(tokens, at + 1)
    if direction not in ("past", "after", "to", "before", "till") or hour is None:
        return None
    minute = (hour * 60 + (minutes if direction in ("past", "after") else -minutes)) % _DAY
    return _with_daytime(tokens, minute // 60, minute % 60, index, at + 2, spoken=True)


def _spoken_at(tokens: Sequence[Token], index: int) -> ClockTime | None:
    """ "Nine forty-five", "two thirty pm", "9 am"."""
    hour = _hour_at(tokens, index)
    if hour is None:
        return None
    minute, end = 0, index + 1
    word, unit_at = word_at(tokens, end), end + 1
    if word in NUMBER_WORDS and NUMBER_WORDS[word] >= 10 and tokens[index].text in NUMBER_WORDS:
        minute, end = int(NUMBER_WORDS[word]), end + 1
        unit_at += word_at(tokens, end) == "-"
        unit = NUMBER_WORDS.get(word_at(tokens, unit_at), 0.0)
        if minute >= 20 and 0 < unit < 10:
            minute, end = minute + int(unit), unit_at + 1
    elif _daytime(tokens, end) is None and word_at(tokens, end) not in ("o'clock", "uhr"):
        return None
    if minute > 59:
        return None
    end += word_at(tokens, end) in ("o'clock", "uhr")
    return _with_daytime(tokens, hour, minute, index, end, spoken=True)


def _hour_at(tokens: Sequence[Token], index: int) -> int | None:
    if index >= len(tokens):
        return None
    value = tokens[index].value if tokens[index].value is not None else NUMBER_WORDS.get(tokens[index].text)
    if tokens[index].text == "noon":
        return 12
    return int(value) if value is not None and value == int(value) and 1 <= value <= _HOURS else None


def _with_daytime(
    tokens: Sequence[Token],
    hour: int,
    minute: int,
    start: int,
    end: int,
    *,
    open_: bool = True,
    spoken: bool = False,
) -> ClockTime:
    daytime = _daytime(tokens, end)
    if daytime is None:
        return ClockTime(hour * 60 + minute, start, end, half_day=open_, spoken=spoken)
    shift, end = daytime
    if hour <= _HOURS:
        hour = hour % _HOURS + shift
    return ClockTime(hour * 60 + minute, start, end, half_day=False)


def _daytime(tokens: Sequence[Token], end: int) -> tuple[int, int] | None:
    """The hours to add for "pm" or "in the evening", and the end of these words; None without them."""
    word = word_at(tokens, end)
    if word in ("am", "pm"):
        return (12 if word == "pm" else 0), end + 1
    if word in ("in", "at"):
        at = end + 1 + (word_at(tokens, end + 1) == "the")
        if word_at(tokens, at) in _DAYTIMES:
            return _DAYTIMES[word_at(tokens, at)], at + 1
    return None
