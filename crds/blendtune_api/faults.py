"""Faults: the errors in a document, each with its path."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Fault:
    """An error at one path of a document, such as `spec.blend.sources[1].weight`."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class InvalidObject(ValueError):
    """An invalid document, with every fault that was found."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(map(str, self.faults)))


def unknown_fields(data: Mapping[Any, Any], known: Sequence[str], path: str) -> list[Fault]:
    """A fault for each unknown key, which suggests the nearest known name or lists all of them."""
    faults = []
    for key in data:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
            faults.append(Fault(join(path, str(key)), f"unknown field; {hint}"))
    return faults


def describe(data: object) -> str:
    """The value as a fault shows it: shortened, or only its type if it cannot be shown."""
    if data is None:
        return "nothing"
    if isinstance(data, bool):
        return str(data).lower()
    if isinstance(data, str):
        return repr(data if len(data) <= 60 else data[:57] + "...")
    if isinstance(data, Mapping):
        return "an object"
    if isinstance(data, float):
        return f"{data:.10g}"
    return "a list" if isinstance(data, Sequence) else str(data)


def join(path: str, name: str) -> str:
    """The path of the field `name` of the object at `path`."""
    return f"{path}.{name}" if path and name else path or name
