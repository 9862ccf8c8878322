"""What the API server asks of the schemas in a CustomResourceDefinition, and does with their defaults."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

Schema = dict[str, Any]

ALLOWED_KEYWORDS = frozenset(
    [
        "type",
        "description",
        "format",
        "default",
        "enum",
        "required",
        "properties",
        "items",
        "additionalProperties",
        "nullable",
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "multipleOf",
        "minLength",
        "maxLength",
        "pattern",
        "minItems",
        "maxItems",
        "uniqueItems",
        "minProperties",
        "maxProperties",
        "x-kubernetes-preserve-unknown-fields",
        "x-kubernetes-int-or-string",
        "x-kubernetes-list-type",
        "x-kubernetes-list-map-keys",
        "x-kubernetes-map-type",
        "x-kubernetes-validations",
    ]
)
TYPES = frozenset(["object", "array", "string", "integer", "number", "boolean"])


def nodes(schema: Schema, path: str = "") -> Iterator[tuple[str, Schema]]:
    """Every schema with its path; `[]` is the item of a list."""
    yield path, schema
    for name, child in schema.get("properties", {}).items():
        yield from nodes(child, f"{path}.{name}")
    if "items" in schema:
        yield from nodes(schema["items"], f"{path}[]")


def structural_faults(root: Schema) -> list[str]:
    """Breaches of the rules of structural schemas, each with its path. No fault: the schema is structural."""
    return [f"{path}: {fault}" for path, schema in nodes(root) for fault in _faults(path, schema)]


def _faults(path: str, schema: Schema) -> Iterator[str]:
    for keyword in schema.keys() - ALLOWED_KEYWORDS:
        yield f"the keyword {keyword} is not allowed"
    if "type" not in schema:
        if not schema.get("x-kubernetes-int-or-string"):
            yield "has no type"
    elif schema["type"] not in TYPES:
        yield f"has the type {schema['type']}"
    elif schema.get("x-kubernetes-int-or-string"):
        yield "has a type beside x-kubernetes-int-or-string"
    if "properties" in schema and "additionalProperties" in schema:
        yield "has both properties and additionalProperties"
    if (schema.get("type") == "array") != ("items" in schema):
        yield "items belong to lists"
    is_open = path == ".metadata" or schema.get("x-kubernetes-preserve-unknown-fields")
    if schema.get("type") == "object" and "properties" not in schema and not is_open:
        yield "would lose all its fields"
    if "default" in schema and "[]" in path:
        yield "has a default inside a list item"
    if "default" in schema and path.startswith(".status"):
        yield "has a default in the status"
    for flag in ("exclusiveMinimum", "exclusiveMaximum"):
        bound = "minimum" if flag == "exclusiveMinimum" else "maximum"
        if flag in schema and (not isinstance(schema[flag], bool) or bound not in schema):
            yield f"{flag} must be a flag beside {bound}"
    yield from _list_map_faults(schema)
    for name in schema.get("required", []):
        if name not in schema.get("properties", {}):
            yield f"requires {name}, which it does not have"


def _list_map_faults(schema: Schema) -> Iterator[str]:
    for key in schema.get("x-kubernetes-list-map-keys", []):
        if schema.get("x-kubernetes-list-type") != "map":
            yield "has map keys but is no map"
        if key not in schema["items"].get("required", []):
            yield f"the map key {key} must be required"
        if schema["items"]["properties"][key]["type"] == "object":
            yield f"the map key {key} must be a scalar"


def with_defaults(schema: Schema, value: Any) -> Any:
    """The value as the API server completes it."""
    if isinstance(value, list):
        return [with_defaults(schema.get("items", {}), item) for item in value]
    if not isinstance(value, dict):
        return value
    result = copy.deepcopy(value)
    for name, child in schema.get("properties", {}).items():
        if name not in result and "default" in child:
            result[name] = copy.deepcopy(child["default"])
        if name in result:
            result[name] = with_defaults(child, result[name])
    return result


def as_json_schema(schema: Schema) -> Schema:
    """The same bounds in the words of JSON Schema 2020-12, unknown fields refused."""
    result = {key: value for key, value in schema.items() if not key.startswith("x-kubernetes-")}
    for flag, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if result.get(flag):
            result[flag] = result.pop(bound)
    if schema.get("x-kubernetes-int-or-string"):
        result["type"] = ["integer", "string"]
    if "items" in schema:
        result["items"] = as_json_schema(schema["items"])
    if "properties" in schema:
        result["properties"] = {name: as_json_schema(child) for name, child in schema["properties"].items()}
        result["additionalProperties"] = False
    return result
