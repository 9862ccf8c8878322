"""Conversations: what a row teaches, and what an evaluation asks, before a chat template renders it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

# An encoder for all: json.dumps with these settings would make one for each conversation.
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class ChatRole(StrEnum):
    """Who speaks, in the vocabulary of chat templates."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: ChatRole
    content: str  # "" for an assistant that only calls tools
    reasoning: str = ""  # the assistant's thoughts before `content`, without the marks of a template
    tool_calls: tuple[Mapping[str, Any], ...] = ()  # {"type": "function", "function": {"name", "arguments"}}
    tool_call_id: str = ""  # of the call that a tool's turn answers
    name: str = ""  # of the tool that speaks
    supervised: bool = True  # False: this turn of the assistant is context, not learnt

    def for_template(self) -> dict[str, Any]:
        """The message as chat templates take it; what is absent has no key."""
        message: dict[str, Any] = {"role": self.role.value, "content": self.content}
        if self.reasoning:
            message["reasoning_content"] = self.reasoning
        if self.tool_calls:
            message["tool_calls"] = list(self.tool_calls)
        if self.tool_call_id:
            message["tool_call_id"] = self.tool_call_id
        if self.name:
            message["name"] = self.name
        return message


@dataclass(frozen=True, kw_only=True, slots=True)
class Conversation:
    """The messages of a conversation in order, and the tools that the assistant may call."""

    messages: tuple[Message, ...]
    tools: tuple[Mapping[str, Any], ...] = ()  # JSON schemas, {"type": "function", "function": {...}}

    def before(self, index: int) -> Conversation:
        """The conversation up to message `index`, without it."""
        return Conversation(messages=self.messages[:index], tools=self.tools)

    def canonical_bytes(self) -> bytes:
        """The conversation as bytes for digests: equal conversations give equal bytes.

        Raises UnicodeEncodeError if the text is not valid Unicode.
        """
        turns: list[Any] = [_canonical(message) for message in self.messages]
        document = {"turns": turns, "tools": self.tools} if self.tools else turns
        return _encode(document).encode()


def from_canonical(content: bytes) -> Conversation:
    """The conversation of which these are the canonical bytes. Faster than unpickling one."""
    document = json.loads(content)
    turns, tools = (document["turns"], document["tools"]) if isinstance(document, dict) else (document, ())
    return Conversation(messages=tuple([_message(*turn) for turn in turns]), tools=tuple(tools))


def of_texts(turns: Sequence[tuple[ChatRole, str]]) -> Conversation:
    """A conversation of plain texts."""
    return Conversation(messages=tuple(Message(role=role, content=text) for role, text in turns))


def _canonical(message: Message) -> list[Any]:
    """[role, content], and a third element where the message holds more than these."""
    if message.supervised and not (
        message.reasoning or message.tool_calls or message.tool_call_id or message.name
    ):
        return [message.role, message.content]  # most are; a dictionary for each would take its time
    more = message.for_template()
    plain = [more.pop("role"), more.pop("content")]
    if not message.supervised:
        more["supervised"] = False
    return [*plain, more] if more else plain


def _message(role: str, content: str, more: Mapping[str, Any] | None = None) -> Message:
    """The message of which these are the canonical form."""
    if more is None:
        return Message(role=_ROLES[role], content=content)
    return Message(
        role=_ROLES[role],
        content=content,
        reasoning=more.get("reasoning_content", ""),
        tool_calls=tuple(more.get("tool_calls", ())),
        tool_call_id=more.get("tool_call_id", ""),
        name=more.get("name", ""),
        supervised=more.get("supervised", True),
    )


_ROLES = {role.value: role for role in ChatRole}
