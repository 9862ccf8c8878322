"""Writes JSON values as YAML text that YAML 1.1 and YAML 1.2 parsers read in the same way."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_PLAIN = re.compile(r"[A-Za-z_.$][A-Za-z0-9_./$-]*")
# Words that some parser reads as something other than a string.
_NOT_PLAIN = frozenset(["y", "n", "yes", "no", "on", "off", "true", "false", "null", ".inf", ".nan"])


def to_yaml(value: Any) -> str:
    """The value in block style, with its keys in the given order and a final newline."""
    return "\n".join(_lines(value)) + "\n"


def _lines(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            yield from _entry(f"{_scalar(key)}:", item)
    elif isinstance(value, Sequence) and not isinstance(value, str) and value:
        for item in value:
            first, *rest = _lines(item)
            yield f"- {first}"
            yield from (f"  {line}" for line in rest)
    else:
        yield _scalar(value)


def _entry(key: str, value: Any) -> Iterator[str]:
    if isinstance(value, Mapping) and value:
        yield key
        yield from (f"  {line}" for line in _lines(value))
    elif isinstance(value, Sequence) and not isinstance(value, str) and value:
        yield key
        yield from _lines(value)
    else:
        yield f"{key} {_scalar(value)}"


def _scalar(value: Any) -> str:
    if isinstance(value, str):
        plain = _PLAIN.fullmatch(value) and value.lower() not in _NOT_PLAIN
        return value if plain else _quoted(value)
    if isinstance(value, float):
        text = json.dumps(value, allow_nan=False)
        mantissa, exponent, power = text.partition("e")
        return f"{mantissa}.0e{power}" if exponent and "." not in mantissa else text
    return json.dumps(value)


def _quoted(text: str) -> str:
    """A double-quoted JSON string, which is YAML too. In YAML, unprintable characters must be escaped."""
    quoted = json.dumps(text, ensure_ascii=False)
    return "".join(each if each.isprintable() else f"\\U{ord(each):08x}" for each in quoted)
