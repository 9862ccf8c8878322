"""How many tokens a server allows a reply, read from its refusal of more."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

_FEWEST = 32  # tokens; no verdict fits into fewer
_ABOUT_LENGTH = re.compile(
    r"(?:max|new|output|completion|input|context|prompt|generat)\w*[` _]*(?:token|length|window|size|limit)"
    r"|too (?:large|long|many tokens)|sequence length",
    re.IGNORECASE,
)
_TOO_LONG = re.compile(r"context|too (?:long|large|many tokens)", re.IGNORECASE)
_ABOUT_PARAMETER = re.compile(
    r"unsupported|not support|unknown|unrecogni[sz]ed|unexpected|not permitted", re.IGNORECASE
)
_NUMBER = re.compile(r"(?<![\w.-])\d+(?:[,_]\d{3})*(?![\w]|[.]\d)")
_OF_PROMPT = (
    r"N\s*\+\s*ASKED",
    r"N [` ]*(?:input|prompt)s?\b",
    r"N (?:tokens )?(?:in|from|of) (?:the |your )?(?:messages|inputs?|prompt)",
    r"(?:prompt|inputs?|messages)`? (?:is|are|has|have|contains?|of|length|tokens|:|=| )*(?:at least )?N",
)
_TOTAL = r"(?:request\w*|total\w*(?: of)?|resulted in|got)[: ]+(?:at least )?N"
_LIMIT = (
    r"(?:context|sequence)[ _](?:length|window|size|limit)\D{0,40}?N",
    r"(?:<=|less than or equal to|at most|up to|no more than|lower than|limit of|maximum of|supports?)"
    r"\D{0,20}?N",
)


def fewer_tokens(said: str, asked: int) -> int | None:
    """The limit to ask for next, lower than `asked`; None where the refusal is about something else, or where
    the prompt alone leaves no room.

    Refusals are worded in many ways: "maximum context length is 2048 tokens. However, you requested 3000
    tokens (1592 in the messages, 1408 in the completion)", "`inputs` tokens + `max_new_tokens` must be <=
    2048", "supports at most 4096 completion tokens". Where none of the numbers tells, it is half of `asked`.
    """
    told = _ABOUT_LENGTH.search(said) if _NUMBER.search(said) else _TOO_LONG.search(said)
    if told is None or _ABOUT_PARAMETER.search(said):
        return None
    said = _NUMBER.sub(lambda found: re.sub(r"\D", "", found[0]), said)
    numbers = {int(found[0]) for found in _NUMBER.finditer(said)} - {asked}
    prompt = _prompt(said, numbers, asked)
    total = _first(said, (_TOTAL,), {asked})
    if prompt is None and total is not None and total > asked:
        prompt = total - asked
    known = prompt or 0
    counted = {asked, known, known + asked}
    limit = _first(said, _LIMIT, counted) or max(numbers - counted, default=None)
    if limit is None or (prompt is None and limit >= asked):
        allowed = asked // 2
    else:
        allowed = min(limit - known, asked // 2) if limit - known >= asked else limit - known
    return allowed if allowed >= _FEWEST else None


def _prompt(said: str, numbers: set[int], asked: int) -> int | None:
    """The tokens of the prompt: what makes another number together with what was asked, or is called so."""
    summed = [number for number in numbers if number + asked in numbers]
    patterns = (pattern.replace("ASKED", str(asked)) for pattern in _OF_PROMPT)
    return summed[0] if len(summed) == 1 else _first(said, patterns, {asked})


def _first(said: str, patterns: Iterable[str], counted: Collection[int]) -> int | None:
    """The first number that stands where a pattern has its N and is none of those counted already."""
    for pattern in patterns:
        for found in re.finditer(pattern.replace("N", r"(\d+)"), said, re.IGNORECASE):
            if int(found[1]) not in counted:
                return int(found[1])
    return None
