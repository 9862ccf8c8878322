"""Converts dataclasses to structural OpenAPI v3 schemas, as CustomResourceDefinitions require them.

See https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import is_dataclass
from enum import Enum
from typing import Any, get_args, get_origin

from blendtune_api.codec import encode
from blendtune_api.fields import Field, fields_of, is_int_or_string, rules_of, unwrap
from blendtune_api.marks import Mark, Rule

Schema = dict[str, Any]

_SCALARS: dict[type, Schema] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer", "format": "int64"},
    float: {"type": "number"},
}


def object_schema(cls: Any, *, defaults: bool = True) -> Schema:
    """The schema of a dataclass. `defaults` is false in list items and statuses, where fields have none."""
    fields = fields_of(cls)
    schema: Schema = {"type": "object"}
    required = [field.json_name for field in fields if field.required]
    if required:
        schema["required"] = required
    schema["properties"] = {field.json_name: _field_schema(field, defaults) for field in fields}
    rules = rules_of(cls)
    if rules:
        schema["x-kubernetes-validations"] = [rule_schema(rule) for rule in rules]
    return schema


def rule_schema(rule: Rule) -> dict[str, str]:
    schema = {"rule": rule.cel, "message": rule.message}
    if rule.message_cel:
        schema["messageExpression"] = rule.message_cel
    if rule.field_path:
        schema["fieldPath"] = f".{rule.field_path}"
    return schema


def _field_schema(field: Field, defaults: bool) -> Schema:
    schema = _type_schema(field.type, field.mark, defaults)
    if not defaults or field.required:
        return schema
    # An empty default is written too: then leaving the field out is not a change, where changes are refused.
    # The default of an object is written in full: the API server checks it against the object's rules.
    default = encode(field.default)
    return schema if default is None else schema | {"default": default}


def _type_schema(annotation: Any, mark: Mark, defaults: bool) -> Schema:
    described: Schema = {"description": mark.description} if mark.description else {}
    if is_int_or_string(annotation):
        return {"x-kubernetes-int-or-string": True} | described | _bounds(mark)
    if get_origin(annotation) is tuple:
        return {"type": "array"} | described | _list_schema(annotation, mark)
    if get_origin(annotation) is Mapping:
        return {"type": "object"} | described | _open_schema(mark)
    if is_dataclass(annotation):
        schema = object_schema(annotation, defaults=defaults)
        return {"type": schema.pop("type")} | described | schema
    if issubclass(annotation, Enum):
        return {"type": "string"} | described | {"enum": [member.value for member in annotation]}
    return _SCALARS[annotation] | described | _bounds(mark)


def _list_schema(annotation: Any, mark: Mark) -> Schema:
    item, item_mark, _ = unwrap(get_args(annotation)[0])
    schema: Schema = {"items": _type_schema(item, item_mark, defaults=False)}
    if mark.min_items is not None:
        schema["minItems"] = mark.min_items
    if mark.max_items is not None:
        schema["maxItems"] = mark.max_items
    if mark.list_map_keys:
        schema["x-kubernetes-list-type"] = "map"
        schema["x-kubernetes-list-map-keys"] = list(mark.list_map_keys)
    else:
        schema["x-kubernetes-list-type"] = "atomic"
    return schema


def _open_schema(mark: Mark) -> Schema:
    if not mark.preserve_unknown_fields:
        raise TypeError(f"a map of the API must be marked preserve_unknown_fields: {mark.description}")
    schema: Schema = {"x-kubernetes-preserve-unknown-fields": True}
    return schema if mark.max_items is None else schema | {"maxProperties": mark.max_items}


def _bounds(mark: Mark) -> Schema:
    """Bounds of numbers and strings. In apiextensions/v1 an exclusive bound is a boolean beside the bound."""
    schema: Schema = {}
    if mark.exclusive_minimum is not None:
        schema |= {"minimum": mark.exclusive_minimum, "exclusiveMinimum": True}
    elif mark.minimum is not None:
        schema["minimum"] = mark.minimum
    if mark.exclusive_maximum is not None:
        schema |= {"maximum": mark.exclusive_maximum, "exclusiveMaximum": True}
    elif mark.maximum is not None:
        schema["maximum"] = mark.maximum
    others = {
        "minLength": mark.min_length,
        "maxLength": mark.max_length,
        "pattern": mark.pattern,
        "format": mark.format,
    }
    return schema | {key: value for key, value in others.items() if value is not None}
