"""Marks that give a dataclass field its place in the OpenAPI schema.

A field is written `Annotated[float, Mark("Share of the blend.", exclusive_minimum=0)]`; `schema` turns the
marks into the CRD and `codec` checks the same bounds when a manifest is read without an API server.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """One validation rule over an object: the CEL that the API server runs and its twin in Python.

    `check` gets the decoded dataclass and is true when the rule holds. A rule about a change of the object
    (it needs `oldSelf`) has no twin: a manifest read from a file has no old self.
    """

    cel: str
    message: str
    check: Callable[[Any], bool] | None = None
    field_path: str = ""


@dataclass(frozen=True, slots=True)
class Mark:
    """Description and bounds of one field. Lengths count characters; items count list or map entries."""

    description: str
    minimum: float | None = None
    maximum: float | None = None
    exclusive_minimum: float | None = None
    exclusive_maximum: float | None = None
    min_length: int | None = None
    max_length: int | None = None
    pattern: str | None = None
    format: str | None = None
    min_items: int | None = None
    max_items: int | None = None
    list_map_keys: tuple[str, ...] = ()
    preserve_unknown_fields: bool = False
    int_or_string: bool = False
