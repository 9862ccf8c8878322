"""Converts rows of three common formats to conversations: lists of messages with role and content."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

Message = dict[str, str]  # {"role": "system" | "user" | "assistant", "content": ...}
Conversation = list[Message]

ASSISTANT = "assistant"
_ROLES = ("system", "user", ASSISTANT)
_SHAREGPT_ROLES = {
    "system": "system",
    "human": "user",
    "user": "user",
    "gpt": ASSISTANT,
    "chatgpt": ASSISTANT,
    "assistant": ASSISTANT,
}


class RowFault(ValueError):
    """A row that cannot be learnt from. The message tells the author of the data why."""


def to_conversation(row: object) -> Conversation:
    """The conversation of a row. Raises RowFault if the row has an unknown format or no assistant turn.

    The formats are recognised by their keys:
    - chat: `messages`, a list of `{role, content}`;
    - ShareGPT: `conversations`, a list of `{from, value}`;
    - instruction: `instruction`, optional `input` (appended after an empty line), `output`, and
      optional `system`.
    """
    if not isinstance(row, Mapping):
        raise RowFault(f"a row must be an object, this is {_kind(row)}")
    present = {key: value for key, value in row.items() if value is not None}
    if "messages" in present:
        turns = _turns(present["messages"], "messages", "role", "content")
        conversation = [_message(turn, "messages", index, "role", "content") for index, turn in turns]
    elif "conversations" in present:
        turns = _turns(present["conversations"], "conversations", "from", "value")
        conversation = [_message(turn, "conversations", index, "from", "value") for index, turn in turns]
    elif "instruction" in present:
        conversation = _instruction(present)
    else:
        keys = ", ".join(sorted(map(str, row))) or "none"
        raise RowFault(
            f"a row needs messages, conversations, or instruction and output; the keys of this one: {keys}"
        )
    _check_order(conversation)
    return conversation


def canonical_bytes(conversation: Conversation) -> bytes:
    """The conversation as bytes for digests: equal messages give equal bytes, whatever the row's format.

    Raises RowFault if the text is not valid Unicode.
    """
    turns = [[message["role"], message["content"]] for message in conversation]
    try:
        return json.dumps(turns, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError as error:
        raise RowFault("the text holds half of a surrogate pair, which is not valid Unicode") from error


def _turns(value: object, key: str, role_key: str, text_key: str) -> list[tuple[int, Mapping[str, Any]]]:
    if not isinstance(value, list | tuple):
        raise RowFault(f"{key} must be a list, this is {_kind(value)}")
    for index, turn in enumerate(value):
        if not isinstance(turn, Mapping) or role_key not in turn or text_key not in turn:
            raise RowFault(f"{key}[{index}] must be an object with {role_key} and {text_key}")
    return list(enumerate(value))


def _message(turn: Mapping[str, Any], key: str, index: int, role_key: str, text_key: str) -> Message:
    named = turn[role_key]
    role = _SHAREGPT_ROLES.get(str(named)) if role_key == "from" else named
    if role not in _ROLES:
        known = ", ".join(_SHAREGPT_ROLES if role_key == "from" else _ROLES)
        raise RowFault(f"{key}[{index}].{role_key}: unknown role {named!r}; known are {known}")
    return {"role": role, "content": _text(turn[text_key], f"{key}[{index}].{text_key}")}


def _instruction(row: Mapping[str, Any]) -> Conversation:
    if "output" not in row:
        raise RowFault("a row with instruction needs output, the answer to learn")
    question = _text(row["instruction"], "instruction")
    if row.get("input"):
        question += "\n\n" + _text(row["input"], "input")
    conversation = [
        {"role": "user", "content": question},
        {"role": ASSISTANT, "content": _text(row["output"], "output")},
    ]
    if row.get("system"):
        conversation.insert(0, {"role": "system", "content": _text(row["system"], "system")})
    return conversation


def _text(value: object, where: str) -> str:
    if not isinstance(value, str):
        raise RowFault(f"{where} must be text, this is {_kind(value)}")
    if not value.strip():
        raise RowFault(f"{where} is empty")
    return value


def _check_order(conversation: Conversation) -> None:
    roles = [message["role"] for message in conversation]
    if ASSISTANT not in roles:
        raise RowFault("no assistant turn: there is nothing to learn from this row")
    if "system" in roles[1:]:
        raise RowFault("a system message may only stand first")


def _kind(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "text", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number" if isinstance(value, int | float) else type(value).__name__)
