"""The turns of a row of prompt and response: texts, or lists of messages as TRL writes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from blendtune_api.v1alpha1 import BadRowReason
from blendtune_runtime.chat.conversation import ChatRole, Message
from blendtune_trainer.rows.cells import filled_text, is_blank, is_no_input, kind, list_of, text_of
from blendtune_trainer.rows.faults import RowFault
from blendtune_trainer.rows.layouts import Layout
from blendtune_trainer.rows.messages import is_message_list, messages_of
from blendtune_trainer.rows.notes import Notes


def pair_messages(row: Mapping[str, object], layout: Layout, notes: Notes) -> list[Message]:
    """The turns of a row: its history, the prompt with its input, and the response. Raises RowFault.

    Answers within a prompt of messages are context and not learnt; those of the history are learnt. Where a
    response of messages begins with the prompt, as in preference data, it stands once.
    """
    history = _history(row[layout.history], layout.history, notes) if layout.history else []
    prompt, response = _prompt(row, layout, notes), _response(row, layout, notes)
    if _said(response[: len(prompt)]) == _said(prompt):
        response = response[len(prompt) :]
    return [*history, *prompt, *response]


def _said(messages: Sequence[Message]) -> list[tuple[ChatRole, str]]:
    return [(message.role, message.content.strip()) for message in messages]


def _prompt(row: Mapping[str, object], layout: Layout, notes: Notes) -> list[Message]:
    value = row[layout.prompt]
    given = row[layout.input] if layout.input is not None else None
    if is_message_list(value):
        if not is_no_input(given):
            raise RowFault(
                f"{layout.input} cannot be appended to {layout.prompt}, which is a list of messages",
                BadRowReason.AMBIGUOUS_FORMAT,
            )
        messages = messages_of(value, layout.prompt, notes)
        return [
            replace(each, supervised=False) if each.role is ChatRole.ASSISTANT else each for each in messages
        ]
    parts = [text_of(value, layout.prompt)]
    if layout.input is not None and not is_no_input(given):
        parts.append(text_of(given, layout.input))
    asked = "\n\n".join(part for part in parts if part.strip())
    if not asked:
        raise RowFault(f"{layout.prompt} is empty", BadRowReason.EMPTY_CONTENT)
    return [Message(role=ChatRole.USER, content=asked)]


def _response(row: Mapping[str, object], layout: Layout, notes: Notes) -> list[Message]:
    value = row[layout.response]
    thoughts = {name: text_of(row[name], name) for name in layout.reasoning if not is_blank(row[name])}
    if len(set(thoughts.values())) > 1:
        raise RowFault(f"{' and '.join(thoughts)} differ: keep one", BadRowReason.AMBIGUOUS_FORMAT)
    reasoning = next(iter(thoughts.values()), "")
    if is_message_list(value):
        if reasoning:
            raise RowFault(
                f"{next(iter(thoughts))} belongs into the messages of {layout.response}, as "
                "reasoning_content",
                BadRowReason.AMBIGUOUS_FORMAT,
            )
        return messages_of(value, layout.response, notes)
    content = filled_text(value, layout.response)
    return [Message(role=ChatRole.ASSISTANT, content=content, reasoning=reasoning)]


def _history(value: object, key: str, notes: Notes) -> list[Message]:
    """Earlier turns: a list of [question, answer], or of messages."""
    if is_blank(value):
        return []
    if is_message_list(value):
        return messages_of(value, key, notes)
    turns: list[Message] = []
    for index, pair in enumerate(list_of(value, key)):
        where = f"{key}[{index}]"
        if not isinstance(pair, list | tuple) or len(pair) != 2:
            raise RowFault(
                f"{where} must be a list of a question and its answer, this is "
                + (f"a list of {len(pair)}" if isinstance(pair, list | tuple) else kind(pair)),
                BadRowReason.WRONG_TYPE,
            )
        turns.append(Message(role=ChatRole.USER, content=filled_text(pair[0], f"{where}[0]")))
        turns.append(Message(role=ChatRole.ASSISTANT, content=filled_text(pair[1], f"{where}[1]")))
    return turns
