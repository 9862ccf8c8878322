"""Converts rows of three common formats to conversations: lists of messages with role and content."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from blendtune_runtime.chat.conversation import ChatRole, Conversation, Message

_ROLES = (ChatRole.SYSTEM, ChatRole.USER, ChatRole.ASSISTANT)
_SHAREGPT_ROLES = {
    "system": ChatRole.SYSTEM,
    "human": ChatRole.USER,
    "user": ChatRole.USER,
    "gpt": ChatRole.ASSISTANT,
    "chatgpt": ChatRole.ASSISTANT,
    "assistant": ChatRole.ASSISTANT,
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
        messages = [_message(turn, "messages", index, "role", "content") for index, turn in turns]
    elif "conversations" in present:
        turns = _turns(present["conversations"], "conversations", "from", "value")
        messages = [_message(turn, "conversations", index, "from", "value") for index, turn in turns]
    elif "instruction" in present:
        messages = _instruction(present)
    else:
        keys = ", ".join(sorted(map(str, row))) or "none"
        raise RowFault(
            f"a row needs messages, conversations, or instruction and output; the keys of this one: {keys}"
        )
    _check_order(messages)
    return Conversation(messages=tuple(messages))


def canonical_bytes(conversation: Conversation) -> bytes:
    """The conversation as bytes for digests: equal messages give equal bytes, whatever the row's format.

    Raises RowFault if the text is not valid Unicode.
    """
    try:
        return conversation.canonical_bytes()
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
    return Message(role=ChatRole(role), content=_text(turn[text_key], f"{key}[{index}].{text_key}"))


def _instruction(row: Mapping[str, Any]) -> list[Message]:
    if "output" not in row:
        raise RowFault("a row with instruction needs output, the answer to learn")
    question = _text(row["instruction"], "instruction")
    if row.get("input"):
        question += "\n\n" + _text(row["input"], "input")
    messages = [
        Message(role=ChatRole.USER, content=question),
        Message(role=ChatRole.ASSISTANT, content=_text(row["output"], "output")),
    ]
    if row.get("system"):
        messages.insert(0, Message(role=ChatRole.SYSTEM, content=_text(row["system"], "system")))
    return messages


def _text(value: object, where: str) -> str:
    if not isinstance(value, str):
        raise RowFault(f"{where} must be text, this is {_kind(value)}")
    if not value.strip():
        raise RowFault(f"{where} is empty")
    return value


def _check_order(messages: Sequence[Message]) -> None:
    roles = [message.role for message in messages]
    if ChatRole.ASSISTANT not in roles:
        raise RowFault("no assistant turn: there is nothing to learn from this row")
    if ChatRole.SYSTEM in roles[1:]:
        raise RowFault("a system message may only stand first")


def _kind(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "text", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number" if isinstance(value, int | float) else type(value).__name__)
