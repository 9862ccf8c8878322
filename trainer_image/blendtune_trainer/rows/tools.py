"""The tools that an assistant may call, and its calls, in the form that chat templates take."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from blendtune_api.v1alpha1 import BadRowReason
from blendtune_trainer.rows.cells import is_blank, kind, list_of
from blendtune_trainer.rows.faults import RowFault

Tool = Mapping[str, Any]
ToolCall = Mapping[str, Any]


def tools_of(value: object, where: str) -> tuple[Tool, ...]:
    """The tools of a row, each as {"type": "function", "function": {...}}; none if the cell is blank.

    A list, JSON text of a list, or a list of JSON texts; each item with or without the wrapping. Raises
    RowFault for anything else.
    """
    if is_blank(value):
        return ()
    try:
        items = list_of(value, where)
    except RowFault as fault:
        raise RowFault(str(fault), BadRowReason.INVALID_TOOLS) from fault
    return tuple(_tool(item, f"{where}[{index}]") for index, item in enumerate(items))


def calls_of(value: object, where: str) -> tuple[ToolCall, ...]:
    """The calls of a turn, each as {"type": "function", "function": {"name", "arguments"}}.

    `arguments` is an object in the result; rows may have it as JSON text, and a call without its wrapping.
    The call's id is kept. Raises RowFault for anything else.
    """
    if is_blank(value):
        return ()
    value = _parsed(value, where)
    items = value if isinstance(value, list | tuple) else [value]
    return tuple(
        _call(item, f"{where}[{index}]" if len(items) > 1 or value is items else where)
        for index, item in enumerate(items)
    )


def _tool(item: object, where: str) -> Tool:
    item = _parsed(item, where)
    if isinstance(item, Mapping) and isinstance(item.get("function"), Mapping):
        function, wrapper = item["function"], dict(item)
    else:
        function, wrapper = item, {}
    if not isinstance(function, Mapping) or not isinstance(function.get("name"), str):
        raise RowFault(f"{where} must be an object with the name of a tool", BadRowReason.INVALID_TOOLS)
    return {"type": "function", **wrapper, "function": dict(function)}


def _call(item: object, where: str) -> ToolCall:
    item = _parsed(item, where)
    if isinstance(item, Mapping) and isinstance(item.get("function"), Mapping):
        function, path = item["function"], f"{where}.function"
    else:
        function, path = item, where
    if not isinstance(function, Mapping) or not isinstance(function.get("name"), str):
        raise RowFault(f"{path} must be an object with name and arguments", BadRowReason.INVALID_TOOLS)
    arguments = function.get("arguments", function.get("parameters"))
    call: dict[str, Any] = {"type": "function"}
    if isinstance(item, Mapping) and isinstance(item.get("id"), str):
        call["id"] = item["id"]
    call["function"] = {"name": function["name"], "arguments": _arguments(arguments, f"{path}.arguments")}
    return call


def _arguments(value: object, where: str) -> Mapping[str, Any]:
    if is_blank(value):
        return {}
    parsed = _parsed(value, where)
    if not isinstance(parsed, Mapping):
        raise RowFault(f"{where} must be an object, this is {kind(parsed)}", BadRowReason.INVALID_TOOLS)
    return dict(parsed)


def _parsed(value: object, where: str) -> object:
    """The value, parsed if it is JSON text."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError) as error:
        raise RowFault(f"{where} is not valid JSON: {error}", BadRowReason.INVALID_TOOLS) from error
