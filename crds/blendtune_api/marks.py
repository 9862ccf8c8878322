"""Marks: the description, bounds and validation rules of the API's fields, like kubebuilder's markers.

A field is written `Annotated[float, Mark("Share of the blend.", exclusive_minimum=0)]`. `schema` turns the
marks into the CRD, and `codec` checks the same bounds when a manifest is read without an API server.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """A validation rule over an object: the CEL expression that the API server runs, and the same in Python.

    `check` takes the decoded dataclass and returns true if the rule holds. It is None for a transition rule
    (one that needs `oldSelf`), because a manifest that is read from a file has no old version.
    `message_cel` and `explain` tell what `message` cannot: values of the object.
    """

    cel: str
    message: str
    check: Callable[[Any], bool] | None = None
    field_path: str = ""
    message_cel: str = ""
    explain: Callable[[Any], str] | None = None

    def told_of(self, value: Any) -> str:
        """The message for an object that breaks the rule."""
        return self.message if self.explain is None else self.explain(value)


@dataclass(frozen=True, slots=True)
class Mark:
    """Description and bounds of a field. Lengths count characters; items count entries of a list or map."""

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
