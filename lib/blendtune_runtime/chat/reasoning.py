"""The thoughts of an answer: apart from its words, or before them within `<think>` and `</think>`."""

from __future__ import annotations

import re
from dataclasses import replace

from blendtune_runtime.chat.conversation import ChatRole, Conversation, Message

OPEN, CLOSE = "<think>", "</think>"
_LEADING_BLOCK = re.compile(rf"\s*{OPEN}(.*?){CLOSE}\s*", re.DOTALL)
_OPENED_BLOCK = re.compile(rf"(.*?){CLOSE}\s*", re.DOTALL)  # its opening mark stood in the prompt


class ReasoningFault(ValueError):
    """Thoughts that contradict each other, do not end, or lead to no words. The message says which."""


def has_reasoning(conversation: Conversation) -> bool:
    """Whether an answer holds thoughts."""
    for message in conversation.messages:
        if message.role is not ChatRole.ASSISTANT:
            continue
        if message.reasoning.strip():
            return True
        if CLOSE in message.content and _leading_block(message.content)[0]:
            return True
    return False


def apart(conversation: Conversation) -> Conversation:
    """The conversation with the thoughts of its answers apart from their words.

    Raises ReasoningFault for an answer whose think block does not end, that has other thoughts beside it, or
    that says nothing after it.
    """
    marked = (
        each.role is ChatRole.ASSISTANT and (OPEN in each.content or CLOSE in each.content)
        for each in conversation.messages
    )
    if not any(marked):
        return conversation
    messages = [
        _apart(message, index) if message.role is ChatRole.ASSISTANT else message
        for index, message in enumerate(conversation.messages)
    ]
    return replace(conversation, messages=tuple(messages))


def without(conversation: Conversation) -> Conversation:
    """The conversation without the thoughts of its answers, which stand apart."""
    messages = (
        replace(message, reasoning="") if message.reasoning else message for message in conversation.messages
    )
    return replace(conversation, messages=tuple(messages))


def block(reasoning: str) -> str:
    """The think block before the words of an answer."""
    return f"{OPEN}\n{reasoning.strip()}\n{CLOSE}\n\n"


def _apart(message: Message, index: int) -> Message:
    thoughts, words = _leading_block(message.content)
    if words.lstrip().startswith(OPEN):
        raise ReasoningFault(f"message {index}: its think block does not end: {CLOSE} is missing")
    if words is not message.content and not words.strip() and not message.tool_calls:
        raise ReasoningFault(f"message {index}: it says nothing after its think block")
    if thoughts and message.reasoning.strip() not in ("", thoughts):
        raise ReasoningFault(
            f"message {index}: its reasoning and its think block differ; leave one of them out"
        )
    return replace(message, reasoning=message.reasoning or thoughts, content=words)


def _leading_block(content: str) -> tuple[str, str]:
    """Thoughts, without white space around them, and words. Both an opening mark and none are understood."""
    if found := _LEADING_BLOCK.match(content):
        return found[1].strip(), content[found.end() :]
    before = content.partition(CLOSE)[0]
    if CLOSE in content and OPEN not in before and (found := _OPENED_BLOCK.match(content)):
        return found[1].strip(), content[found.end() :]
    return "", content
