"""Readers from JSON values to the API's dataclasses. They report every fault they meet and go on."""

from __future__ import annotations

import difflib
import functools
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, is_dataclass
from enum import Enum, Flag, auto
from typing import Any, get_args, get_origin

from blendtune_api.fields import fields_of, is_int_or_string, rules_of, unwrap
from blendtune_api.marks import Mark


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong at one place of a document, such as `spec.blend.sources[1].weight`."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class InvalidObject(ValueError):
    """A document that is not what it should be, with every fault that was found."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(map(str, self.faults)))


class Tolerance(Flag):
    """What a reader lets pass without a fault."""

    NOTHING = 0
    UNKNOWN_FIELDS = auto()
    BOUNDS = auto()  # and rules: another version may have others
    UNREADABLE = auto()  # optional fields and list items that can't be read are left out


# Gets the JSON value, its path and the list that takes faults. What it returns after a fault is no value.
Reader = Callable[[Any, str, list[Fault]], Any]


def object_reader(cls: Any, tolerance: Tolerance) -> Reader:
    """Reader of a dataclass; built once per class, since an operator reads thousands of objects."""
    return _object_reader(cls, tolerance)


@functools.cache
def _object_reader(cls: Any, tolerance: Tolerance) -> Reader:
    properties = [(field, _reader(field.type, field.mark, tolerance)) for field in fields_of(cls)]
    known = tuple(field.json_name for field, _ in properties)
    rules = () if Tolerance.BOUNDS in tolerance else rules_of(cls)

    def read(data: Any, path: str, faults: list[Fault]) -> Any:
        if not isinstance(data, Mapping):
            faults.append(Fault(path, f"must be an object, not {describe(data)}"))
            return None
        faults_before_object = len(faults)
        if Tolerance.UNKNOWN_FIELDS not in tolerance:
            faults += unknown_fields(data, known, path)
        values: dict[str, Any] = {}
        for field, reader in properties:
            item = data.get(field.json_name)
            if item is None:
                if field.nullable and field.json_name in data:
                    values[field.name] = None
                elif field.required:
                    faults.append(Fault(_join(path, field.json_name), "is required"))
                continue
            faults_before_field = len(faults)
            value = reader(item, _join(path, field.json_name), faults)
            if len(faults) == faults_before_field:
                values[field.name] = value
            elif Tolerance.UNREADABLE in tolerance and not field.required:
                del faults[faults_before_field:]
        if len(faults) > faults_before_object:
            return None
        result = cls(**values)
        faults += [
            Fault(_join(path, rule.field_path), rule.message)
            for rule in rules
            if rule.check is not None and not rule.check(result)
        ]
        return result

    return read


def unknown_fields(data: Mapping[Any, Any], known: Sequence[str], path: str) -> list[Fault]:
    """A fault for each key that is not known, with the nearest name or all of them."""
    faults = []
    for key in data:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
            faults.append(Fault(_join(path, str(key)), f"unknown field; {hint}"))
    return faults


def describe(data: object) -> str:
    """The value in the words of a fault: shortened, and what it is where it can't be shown."""
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


def _reader(annotation: Any, mark: Mark, tolerance: Tolerance) -> Reader:
    if annotation is Any:
        return lambda data, _path, _faults: data
    if is_int_or_string(annotation):
        return _read_int_or_string
    if get_origin(annotation) is tuple:
        return _tuple_reader(annotation, mark, tolerance)
    if get_origin(annotation) is Mapping:
        return _mapping_reader(annotation, mark, tolerance)
    if is_dataclass(annotation):
        return object_reader(annotation, tolerance)
    if issubclass(annotation, Enum):
        return _enum_reader(annotation)
    return _scalar_reader(annotation, mark, tolerance)


def _scalar_reader(annotation: type, mark: Mark, tolerance: Tolerance) -> Reader:
    convert = _CONVERSIONS[annotation]
    bounds = _string_bounds(mark) if annotation is str else _number_bounds(mark)
    if Tolerance.BOUNDS in tolerance:
        bounds = []

    def read(data: Any, path: str, faults: list[Fault]) -> Any:
        try:
            value = convert(data)
        except ValueError as error:
            faults.append(Fault(path, str(error)))
            return None
        for holds, message in bounds:
            if not holds(value):
                faults.append(Fault(path, f"{message}, not {describe(value)}"))
        return value

    return read


def _enum_reader(annotation: type[Enum]) -> Reader:
    members = {member.value: member for member in annotation}
    expected = " or ".join(filter(None, [", ".join([*members][:-1]), [*members][-1]]))

    def read(data: Any, path: str, faults: list[Fault]) -> Any:
        member = members.get(data) if isinstance(data, str) else None
        if member is None:
            faults.append(Fault(path, f"must be {expected}, not {describe(data)}"))
        return member

    return read


def _tuple_reader(annotation: Any, mark: Mark, tolerance: Tolerance) -> Reader:
    item_reader = _item_reader(get_args(annotation)[0], tolerance)

    def read(data: Any, path: str, faults: list[Fault]) -> Any:
        if isinstance(data, str) or not isinstance(data, Sequence):
            faults.append(Fault(path, f"must be a list, not {describe(data)}"))
            return None
        if Tolerance.BOUNDS not in tolerance:
            faults += _size_faults(data, path, mark) + _duplicates(data, path, mark.list_map_keys)
        values = []
        for index, item in enumerate(data):
            faults_before_item = len(faults)
            value = item_reader(item, f"{path}[{index}]", faults)
            if len(faults) == faults_before_item:
                values.append(value)
            elif Tolerance.UNREADABLE in tolerance:
                del faults[faults_before_item:]
        return tuple(values)

    return read


def _mapping_reader(annotation: Any, mark: Mark, tolerance: Tolerance) -> Reader:
    value_reader = _item_reader(get_args(annotation)[1], tolerance)

    def read(data: Any, path: str, faults: list[Fault]) -> Any:
        if not isinstance(data, Mapping):
            faults.append(Fault(path, f"must be an object, not {describe(data)}"))
            return None
        if Tolerance.BOUNDS not in tolerance:
            faults += _size_faults(data, path, mark)
        for key in data:
            if not isinstance(key, str):
                faults.append(Fault(path, f"the key {describe(key)} must be a string (put it in quotes)"))
        return {key: value_reader(item, _join(path, str(key)), faults) for key, item in data.items()}

    return read


def _item_reader(annotation: Any, tolerance: Tolerance) -> Reader:
    bare, mark, _ = unwrap(annotation)
    return _reader(bare, mark, tolerance)


def _read_int_or_string(data: Any, path: str, faults: list[Fault]) -> int | str | None:
    if isinstance(data, str):
        return data
    try:
        return _to_int(data)
    except ValueError:
        faults.append(Fault(path, f"must be an integer or a string, not {describe(data)}"))
        return None


def _to_string(data: Any) -> str:
    if not isinstance(data, str):
        quotes = " (put it in quotes)" if isinstance(data, bool | int | float) else ""
        raise ValueError(f"must be a string, not {describe(data)}{quotes}")
    return data


def _to_bool(data: Any) -> bool:
    if not isinstance(data, bool):
        raise ValueError(f"must be true or false, not {describe(data)}")
    return data


def _to_int(data: Any) -> int:
    if isinstance(data, float) and data.is_integer():
        return int(data)
    if isinstance(data, bool) or not isinstance(data, int):
        raise ValueError(f"must be an integer, not {describe(data)}")
    return data


def _to_float(data: Any) -> float:
    if isinstance(data, bool) or not isinstance(data, int | float):
        raise ValueError(f"must be a number, not {describe(data)}")
    try:
        value = float(data)
    except OverflowError:
        value = math.inf
    if not math.isfinite(value):
        raise ValueError("must be a finite number")
    return value


_CONVERSIONS: dict[type, Callable[[Any], Any]] = {
    str: _to_string,
    bool: _to_bool,
    int: _to_int,
    float: _to_float,
}

_Bound = tuple[Callable[[Any], bool], str]


def _number_bounds(mark: Mark) -> list[_Bound]:
    bounds: list[_Bound] = []
    if (minimum := mark.minimum) is not None:
        bounds.append((lambda value: value >= minimum, f"must be at least {minimum}"))
    if (open_minimum := mark.exclusive_minimum) is not None:
        bounds.append((lambda value: value > open_minimum, f"must be greater than {open_minimum}"))
    if (maximum := mark.maximum) is not None:
        bounds.append((lambda value: value <= maximum, f"must be at most {maximum}"))
    if (open_maximum := mark.exclusive_maximum) is not None:
        bounds.append((lambda value: value < open_maximum, f"must be less than {open_maximum}"))
    return bounds


def _string_bounds(mark: Mark) -> list[_Bound]:
    bounds: list[_Bound] = []
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


def _size_faults(items: Sequence[Any] | Mapping[Any, Any], path: str, mark: Mark) -> list[Fault]:
    if mark.min_items is not None and len(items) < mark.min_items:
        return [Fault(path, f"must have at least {_count(mark.min_items, 'item')}, not {len(items)}")]
    if mark.max_items is not None and len(items) > mark.max_items:
        return [Fault(path, f"must have at most {_count(mark.max_items, 'item')}, not {len(items)}")]
    return []


def _duplicates(items: Sequence[Any], path: str, keys: tuple[str, ...]) -> list[Fault]:
    """A fault for each item whose keys an earlier item has."""
    faults = []
    seen: dict[str, int] = {}
    for index, item in enumerate(items if keys else ()):
        if isinstance(item, Mapping) and all(key in item for key in keys):
            first = seen.setdefault(repr([item[key] for key in keys]), index)
            if first != index:
                where = _join(f"{path}[{index}]", keys[0] if len(keys) == 1 else "")
                faults.append(Fault(where, f"must be unique, but {path}[{first}] has the same"))
    return faults


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path and name else path or name
