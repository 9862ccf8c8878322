"""Writes docs/api.md from the types of the API: `python docs/reference.py`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any, get_args, get_origin

from blendtune_api.codec import encode
from blendtune_api.crd import RESOURCES, ResourceDefinition
from blendtune_api.fields import Field, fields_of, is_int_or_string, rules_of, unwrap
from blendtune_api.marks import Mark
from blendtune_api.v1alpha1 import API_VERSION, BlendedFineTuneSpec

PAGE = Path(__file__).parent / "api.md"
_SCALARS = {str: "string", bool: "boolean", int: "integer", float: "number"}


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the reference."""

    path: str
    type: str
    default: str  # empty where there is none
    constraints: tuple[str, ...]
    description: str


def entries(cls: Any, path: str) -> Iterator[Entry]:
    """Every field of a dataclass and of all below it, in order of declaration. Lists end in `[]`."""
    for field in fields_of(cls):
        here = f"{path}.{field.json_name}"
        inner, is_list = _inner(field.type)
        yield Entry(here, _type(field.type), _default(field), _constraints(field), field.mark.description)
        if (
            is_dataclass(inner) and inner is not BlendedFineTuneSpec
        ):  # a study's template: it has its own table
            yield from entries(inner, here + "[]" * is_list)


def rules(cls: Any, path: str) -> Iterator[tuple[str, str]]:
    """(path, message) of the rules of a dataclass and of all below it."""
    for rule in rules_of(cls):
        yield path, rule.message
    for field in fields_of(cls):
        inner, is_list = _inner(field.type)
        if is_dataclass(inner) and (inner is not BlendedFineTuneSpec or not path):
            yield from rules(inner, f"{path}.{field.json_name}".lstrip(".") + "[]" * is_list)


def reference() -> str:
    """The page."""
    parts = [
        "# API reference",
        f"Every field of `{API_VERSION}`, generated from the types in `crds/blendtune_api`. "
        "A field without a default that is not required may be left out. Defaults below a list are applied "
        "by the operator, all others are in the schema, where `kubectl explain bft.spec` shows them too.",
    ]
    for resource in RESOURCES:
        parts += _resource(resource)
    return "\n\n".join(parts) + "\n"


def _resource(resource: ResourceDefinition) -> Iterator[str]:
    yield f"## {resource.kind}"
    yield f"{resource.cls.__doc__} `kubectl get {resource.short_name}`, in full `{resource.full_name}`."
    types = {field.name: field.type for field in fields_of(resource.cls)}
    yield f"### {resource.kind} spec"
    yield _table(entries(types["spec"], "spec"))
    yield f"### {resource.kind} rules"
    yield "\n".join(
        f"- {f'`{path}`' if path else 'The whole'}: {message}." for path, message in rules(resource.cls, "")
    )
    yield f"### {resource.kind} status"
    yield _table(entries(types["status"], "status"))


def _table(rows: Iterator[Entry]) -> str:
    head = "| Field | Type | Default | Constraints | Meaning |\n|---|---|---|---|---|\n"
    return head + "\n".join(
        f"| `{row.path}` | {row.type} | {row.default and f'`{row.default}`'} | "
        f"{', '.join(row.constraints)} | {_cell(row.description)} |"
        for row in rows
    )


def _inner(annotation: Any) -> tuple[Any, bool]:
    """The type of a list's items, and whether it is a list."""
    if get_origin(annotation) is tuple:
        return unwrap(get_args(annotation)[0])[0], True
    return annotation, False


def _type(annotation: Any) -> str:
    inner, is_list = _inner(annotation)
    if is_list:
        return f"list of {_type(inner)}s"
    if is_int_or_string(annotation):
        return "integer or string"
    if get_origin(annotation) is Mapping or is_dataclass(annotation):
        return "object"
    return "string" if issubclass(annotation, Enum) else _SCALARS[annotation]


def _default(field: Field) -> str:
    value = None if field.required else encode(field.default)
    if value in (None, "", [], {}) or is_dataclass(field.type):
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _constraints(field: Field) -> tuple[str, ...]:
    inner, _ = _inner(field.type)
    values: tuple[str, ...] = ()
    if isinstance(inner, type) and issubclass(inner, Enum):
        values = ("one of " + ", ".join(f"`{member.value}`" for member in inner),)
    return (("required",) if field.required else ()) + values + _bounds(field.mark)


def _bounds(mark: Mark) -> tuple[str, ...]:
    said = (
        (mark.exclusive_minimum, "more than {:,}"),
        (mark.minimum, "at least {:,}"),
        (mark.exclusive_maximum, "less than {:,}"),
        (mark.maximum, "at most {:,}"),
        (mark.min_items, "at least {:,} of them"),
        (mark.max_items, "at most {:,} of them"),
        (mark.min_length, "not empty"),
        (mark.max_length, "at most {:,} characters"),
        (mark.pattern, "matches `{}`"),
        (mark.format, "{}"),
    )
    bounds = tuple(_cell(words.format(bound)) for bound, words in said if bound is not None)
    return (*bounds, *(f"unique by `{key}`" for key in mark.list_map_keys))


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;") if "`" not in text else text.replace("|", "\\|")


def main() -> None:
    PAGE.write_text(reference(), encoding="utf-8")


if __name__ == "__main__":
    main()
