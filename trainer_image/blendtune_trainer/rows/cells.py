"""The values of cells: what is absent, and text, plain or in parts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from blendtune_api.v1alpha1 import BadRowReason
from blendtune_trainer.rows.faults import RowFault

_NO_INPUT = "<noinput>"  # Alpaca's word for an instruction without input
_TEXT_PARTS = ("text", "input_text", "output_text")
_KINDS = {dict: "an object", list: "a list", tuple: "a list", str: "text", bool: "a boolean", int: "a number"}


def is_absent(value: object) -> bool:
    """Whether a cell is empty: null, or NaN as pandas writes it."""
    return value is None or value != value  # NaN alone differs from itself


def is_blank(value: object) -> bool:
    """Whether a cell says nothing: absent, white space alone, or a list without items."""
    return is_absent(value) or (isinstance(value, str) and not value.strip()) or value in ([], ())


def is_no_input(value: object) -> bool:
    """Whether the input of an instruction says nothing."""
    return is_blank(value) or (isinstance(value, str) and value.strip().lower() == _NO_INPUT)


def without_nulls(value: Any) -> Any:
    """The value without the fields of its objects that are null, at any depth."""
    if type(value) is dict:
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    if type(value) is list:
        return [without_nulls(item) for item in value]
    return value


def kind(value: object) -> str:
    """The JSON type of a value, in words."""
    if value is None:
        return "null"
    return _KINDS.get(type(value), "a number" if isinstance(value, float) else type(value).__name__)


def text_of(value: object, where: str) -> str:
    """Text, or the joined texts of a list of text parts; "" if it is absent.

    Raises RowFault for anything else, such as a number or a picture.
    """
    if isinstance(value, str):
        return value
    if is_absent(value):
        return ""
    if isinstance(value, list | tuple):
        return "".join(_part(part, f"{where}[{index}]") for index, part in enumerate(value))
    if isinstance(value, Mapping) and "text" in value:
        return _part(value, where)
    advice = ": write it as text, in quotes" if isinstance(value, int | float) else ""
    raise RowFault(f"{where} must be text, this is {kind(value)}{advice}", BadRowReason.WRONG_TYPE)


def filled_text(value: object, where: str) -> str:
    """As text_of. Raises RowFault if it is white space alone, too."""
    text = text_of(value, where)
    if not text.strip():
        raise RowFault(f"{where} is empty", BadRowReason.EMPTY_CONTENT)
    return text


def list_of(value: object, where: str) -> list[Any]:
    """A list, also one that is written as JSON text. Raises RowFault for anything else."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            raise RowFault(f"{where} must be a list, this is text", BadRowReason.WRONG_TYPE) from None
    if isinstance(value, list | tuple):
        return list(value)
    raise RowFault(f"{where} must be a list, this is {kind(value)}", BadRowReason.WRONG_TYPE)


def _part(part: object, where: str) -> str:
    if isinstance(part, str):
        return part
    if isinstance(part, Mapping):
        named = part.get("type", "text")
        if named in _TEXT_PARTS and isinstance(part.get("text"), str):
            return str(part["text"])
        if named not in _TEXT_PARTS:
            raise RowFault(
                f"{where} is a part of type {named}: only text is learnt; remove the part or the row",
                BadRowReason.WRONG_TYPE,
            )
    raise RowFault(
        f"{where} must be text or a part of type text, this is {kind(part)}", BadRowReason.WRONG_TYPE
    )
