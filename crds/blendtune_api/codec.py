"""Converts dataclasses to JSON values and back. Decoding reports every fault at once, each with its path."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import is_dataclass
from enum import Enum
from typing import Any, TypeVar, cast

from blendtune_api.blend_study import BLEND_STUDY, BlendStudy, BlendStudySpec, BlendStudyStatus
from blendtune_api.faults import Fault, InvalidObject, describe, unknown_fields
from blendtune_api.fields import fields_of
from blendtune_api.reading import Tolerance, object_reader
from blendtune_api.v1alpha1 import (
    API_VERSION,
    BLENDED_FINE_TUNE,
    RUBRIC_EVAL,
    BlendedFineTune,
    BlendedFineTuneSpec,
    BlendedFineTuneStatus,
    ObjectMeta,
    RubricEval,
    RubricEvalSpec,
    RubricEvalStatus,
)

__all__ = ["Fault", "InvalidObject", "Resource", "decode", "decode_object", "encode", "encode_object"]

T = TypeVar("T")

_EMPTY: tuple[Any, ...] = (None, "", [], {})

Resource = BlendedFineTune | RubricEval | BlendStudy

_KINDS: dict[str, tuple[type[Resource], type, type]] = {
    BLENDED_FINE_TUNE: (BlendedFineTune, BlendedFineTuneSpec, BlendedFineTuneStatus),
    RUBRIC_EVAL: (RubricEval, RubricEvalSpec, RubricEvalStatus),
    BLEND_STUDY: (BlendStudy, BlendStudySpec, BlendStudyStatus),
}


def encode(value: object) -> Any:
    """The JSON form of dataclasses, mappings, sequences, enums and scalars.

    The form is canonical: equal values give equal JSON, also after a round trip through an API server.
    Therefore a field whose value is both empty and its default is left out, an integral float becomes an int,
    and a float that JSON cannot express (NaN, infinity) becomes None.

    Raises TypeError for any other value.
    """
    if isinstance(value, Enum):
        return value.value
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return _canonical_number(value)
    if is_dataclass(value) and not isinstance(value, type):
        return _encode_fields(value)
    if isinstance(value, Mapping):
        return {key: encode(item) for key, item in value.items()}
    if isinstance(value, Sequence):
        return [encode(item) for item in value]
    raise TypeError(f"a {type(value).__name__} has no JSON form")


def decode(
    cls: type[T], data: object, path: str = "", *, lenient: bool = False, within_bounds: bool = False
) -> T:
    """Decodes `data` as the dataclass `cls`. Raises InvalidObject with every fault; paths begin at `path`.

    With `lenient`, for data that another version wrote, unknown fields are ignored; bounds and rules are
    checked only `within_bounds`, for data that goes into a status.
    """
    faults: list[Fault] = []
    tolerance = Tolerance.NOTHING
    if lenient:
        tolerance = Tolerance.UNKNOWN_FIELDS if within_bounds else Tolerance.UNKNOWN_FIELDS | Tolerance.BOUNDS
    result = object_reader(cls, tolerance)(data, path, faults)
    if faults:
        raise InvalidObject(faults)
    return cast(T, result)


def decode_object(document: object) -> Resource:
    """Decodes a whole custom resource. Raises InvalidObject with every fault.

    Parts of the status that cannot be read are left out, because a newer operator may have written them.
    """
    if not isinstance(document, Mapping):
        raise InvalidObject([Fault("", f"must be an object, not {describe(document)}")])
    faults: list[Fault] = []
    if document.get("apiVersion") != API_VERSION:
        faults.append(
            Fault("apiVersion", f"must be {API_VERSION}, not {describe(document.get('apiVersion'))}")
        )
    kind = document.get("kind")
    if not isinstance(kind, str) or kind not in _KINDS:
        raise InvalidObject([*faults, Fault("kind", f"must be {' or '.join(_KINDS)}, not {describe(kind)}")])
    faults += unknown_fields(document, ("apiVersion", "kind", "metadata", "spec", "status"), "")
    cls, spec, status = _KINDS[kind]
    parts: dict[str, tuple[Any, Tolerance]] = {
        "metadata": (ObjectMeta, Tolerance.UNKNOWN_FIELDS),
        "spec": (spec, Tolerance.NOTHING),
        "status": (status, Tolerance.UNKNOWN_FIELDS | Tolerance.BOUNDS | Tolerance.UNREADABLE),
    }
    values = {
        name: object_reader(part, tolerance)(_part(document, name), name, faults)
        for name, (part, tolerance) in parts.items()
    }
    if faults:
        raise InvalidObject(faults)
    return cls(**values)


def encode_object(value: Resource) -> dict[str, Any]:
    """A whole custom resource as the API server would return it."""
    return {"apiVersion": API_VERSION, "kind": type(value).__name__, **encode(value)}


def _part(document: Mapping[Any, Any], name: str) -> object:
    part = document.get(name)
    return {} if part is None else part


def _encode_fields(value: Any) -> dict[str, Any]:
    cls: type = type(value)
    result = {}
    for field in fields_of(cls):
        item = getattr(value, field.name)
        encoded = encode(item)
        is_empty_default = encoded in _EMPTY and item == field.default
        is_not_a_number = encoded is None and item is not None
        if not is_empty_default and not is_not_a_number:
            result[field.json_name] = encoded
    return result


def _canonical_number(value: float) -> float | int | None:
    if not math.isfinite(value):
        return None
    return int(value) if value.is_integer() and abs(value) < 2**53 else value
