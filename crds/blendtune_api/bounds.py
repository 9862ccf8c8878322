"""The bounds of a field, as its mark states them: of numbers, strings and lists."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from blendtune_api.faults import Fault, join
from blendtune_api.marks import Mark

Bound = tuple[Callable[[Any], bool], str]  # a check of the value, and the fault's message if it fails


def number_bounds(mark: Mark) -> list[Bound]:
    """The checks of a number."""
    bounds: list[Bound] = []
    if (minimum := mark.minimum) is not None:
        bounds.append((lambda value: value >= minimum, f"must be at least {minimum}"))
    if (open_minimum := mark.exclusive_minimum) is not None:
        bounds.append((lambda value: value > open_minimum, f"must be greater than {open_minimum}"))
    if (maximum := mark.maximum) is not None:
        bounds.append((lambda value: value <= maximum, f"must be at most {maximum}"))
    if (open_maximum := mark.exclusive_maximum) is not None:
        bounds.append((lambda value: value < open_maximum, f"must be less than {open_maximum}"))
    return bounds


def string_bounds(mark: Mark) -> list[Bound]:
    """The checks of a string: length and pattern."""
    bounds: list[Bound] = []
    if (shortest := mark.min_length) is not None:
        bounds.append(
            (lambda value: len(value) >= shortest, f"must have at least {_count(shortest, 'character')}")
        )
    if (longest := mark.max_length) is not None:
        bounds.append(
            (lambda value: len(value) <= longest, f"must have at most {_count(longest, 'character')}")
        )
    if mark.pattern is not None:
        pattern = re.compile(mark.pattern, re.ASCII)  # \s and \w of the API server's RE2 are ASCII
        bounds.append((lambda value: bool(pattern.fullmatch(value)), f"must match {mark.pattern}"))
    return bounds


def size_faults(items: Sequence[Any] | Mapping[Any, Any], path: str, mark: Mark) -> list[Fault]:
    """A fault if the list or map at `path` has too few or too many entries."""
    if mark.min_items is not None and len(items) < mark.min_items:
        return [Fault(path, f"must have at least {_count(mark.min_items, 'item')}, not {len(items)}")]
    if mark.max_items is not None and len(items) > mark.max_items:
        return [Fault(path, f"must have at most {_count(mark.max_items, 'item')}, not {len(items)}")]
    return []


def duplicates(items: Sequence[Any], path: str, keys: tuple[str, ...]) -> list[Fault]:
    """A fault for each item that has the same values of `keys` as an earlier item."""
    faults = []
    seen: dict[str, int] = {}
    for index, item in enumerate(items if keys else ()):
        if isinstance(item, Mapping) and all(key in item for key in keys):
            first = seen.setdefault(repr([item[key] for key in keys]), index)
            if first != index:
                where = join(f"{path}[{index}]", keys[0] if len(keys) == 1 else "")
                faults.append(Fault(where, f"must be unique, but {path}[{first}] has the same"))
    return faults


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
