"""Readers convert JSON values to the API's dataclasses. They report every fault instead of the first."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import is_dataclass
from enum import Enum, Flag, auto
from typing import Any, get_args, get_origin

from blendtune_api.bounds import duplicates, number_bounds, size_faults, string_bounds
from blendtune_api.faults import Fault, describe, join, unknown_fields
from blendtune_api.fields import fields_of, is_int_or_string, rules_of, unwrap
from blendtune_api.marks import Mark

_INT_END = 2**63  # what an API server stores


class Tolerance(Flag):
    """What a reader accepts without a fault."""

    NOTHING = 0
    UNKNOWN_FIELDS = auto()
    BOUNDS = auto()  # bounds and rules are not checked: another version may have others
    UNREADABLE = auto()  # optional fields and list items that cannot be read are left out


# Takes the JSON value, its path, and the list to which it adds faults. After a fault the result is undefined.
Reader = Callable[[Any, str, list[Fault]], Any]


def object_reader(cls: Any, tolerance: Tolerance) -> Reader:
    """The reader of a dataclass. It is built once per class: an operator reads thousands of objects."""
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
                    faults.append(Fault(join(path, field.json_name), "is required"))
                continue
            faults_before_field = len(faults)
            value = reader(item, join(path, field.json_name), faults)
            if len(faults) == faults_before_field:
                values[field.name] = value
            elif Tolerance.UNREADABLE in tolerance and not field.required:
                del faults[faults_before_field:]
        if len(faults) > faults_before_object:
            return None
        result = cls(**values)
        faults += [
            Fault(join(path, rule.field_path), rule.told_of(result))
            for rule in rules
            if rule.check is not None and not rule.check(result)
        ]
        return result

    return read


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
    bounds = string_bounds(mark) if annotation is str else number_bounds(mark)
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
            quotes = ", in quotes" if isinstance(data, bool) and "on" in members else ""  # YAML: on is true
            faults.append(Fault(path, f"must be {expected}{quotes}, not {describe(data)}"))
        return member

    return read


def _tuple_reader(annotation: Any, mark: Mark, tolerance: Tolerance) -> Reader:
    item_reader = _item_reader(get_args(annotation)[0], tolerance)

    def read(data: Any, path: str, faults: list[Fault]) -> Any:
        if isinstance(data, str) or not isinstance(data, Sequence):
            faults.append(Fault(path, f"must be a list, not {describe(data)}"))
            return None
        if Tolerance.BOUNDS not in tolerance:
            faults += size_faults(data, path, mark) + duplicates(data, path, mark.list_map_keys)
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
            faults += size_faults(data, path, mark)
        for key in data:
            if not isinstance(key, str):
                faults.append(Fault(path, f"the key {describe(key)} must be a string (put it in quotes)"))
        return {key: value_reader(item, join(path, str(key)), faults) for key, item in data.items()}

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
        data = int(data)
    if isinstance(data, bool) or not isinstance(data, int):
        raise ValueError(f"must be an integer, not {describe(data)}")
    if abs(data) >= _INT_END:
        raise ValueError("must fit into 64 bits")
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
