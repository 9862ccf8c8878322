"""The fields of the API's dataclasses, read once per class. `codec` and `schema` both iterate over them."""

from __future__ import annotations

import dataclasses
import functools
import operator
from dataclasses import MISSING, dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from blendtune_api.marks import Mark, Rule

_CAMEL_EXCEPTIONS = {"open_ai": "openAI"}
_NO_MARK = Mark("")


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a dataclass. `type` is the bare type: without Annotated and without `| None`."""

    name: str
    json_name: str
    type: Any
    mark: Mark
    default: Any  # dataclasses.MISSING where the field is required
    nullable: bool

    @property
    def required(self) -> bool:
        return self.default is MISSING


@functools.cache
def fields_of(cls: type) -> tuple[Field, ...]:
    """The fields of a dataclass, in order of declaration."""
    hints = get_type_hints(cls, include_extras=True)
    result = []
    for field in dataclasses.fields(cls):
        bare, mark, nullable = unwrap(hints[field.name])
        default = field.default if field.default_factory is MISSING else field.default_factory()
        result.append(Field(field.name, camel_case(field.name), bare, mark, default, nullable))
    return tuple(result)


def rules_of(cls: type) -> tuple[Rule, ...]:
    return getattr(cls, "RULES", ())


def unwrap(annotation: Any) -> tuple[Any, Mark, bool]:
    """The bare type of an annotation, its mark (an empty mark if it has none), and whether it allows None."""
    mark = _NO_MARK
    if get_origin(annotation) is Annotated:
        annotation, *extras = get_args(annotation)
        mark = next((extra for extra in extras if isinstance(extra, Mark)), _NO_MARK)
    members = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else ()
    if NoneType in members:
        bare = functools.reduce(operator.or_, (member for member in members if member is not NoneType))
        return bare, mark, True
    return annotation, mark, False


def is_int_or_string(annotation: Any) -> bool:
    return get_origin(annotation) in (Union, UnionType) and set(get_args(annotation)) == {int, str}


def camel_case(name: str) -> str:
    """The name of a field in JSON and YAML."""
    if name in _CAMEL_EXCEPTIONS:
        return _CAMEL_EXCEPTIONS[name]
    head, *tail = name.split("_")
    return head + "".join(part.capitalize() for part in tail)
