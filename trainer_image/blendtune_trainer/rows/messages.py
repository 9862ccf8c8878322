"""The turns of a conversation from a list of messages, as chat APIs and ShareGPT write them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from blendtune_api.v1alpha1 import BadRowReason
from blendtune_runtime.chat.conversation import ChatRole, Message
from blendtune_trainer.rows.cells import is_absent, is_blank, kind, list_of, text_of
from blendtune_trainer.rows.faults import RowFault
from blendtune_trainer.rows.notes import Notes
from blendtune_trainer.rows.supervision import FLAGS, is_supervised
from blendtune_trainer.rows.tools import ToolCall, calls_of

ROLES = {
    "system": ChatRole.SYSTEM,
    "developer": ChatRole.SYSTEM,
    "user": ChatRole.USER,
    "human": ChatRole.USER,
    "assistant": ChatRole.ASSISTANT,
    "gpt": ChatRole.ASSISTANT,
    "chatgpt": ChatRole.ASSISTANT,
    "bot": ChatRole.ASSISTANT,
    "model": ChatRole.ASSISTANT,
    "tool": ChatRole.TOOL,
    "function": ChatRole.TOOL,
    "observation": ChatRole.TOOL,
    "tool_response": ChatRole.TOOL,
    "function_response": ChatRole.TOOL,
    "ipython": ChatRole.TOOL,
}
_CALL_ROLES = frozenset({"function_call", "tool_call"})  # their text is a call, as JSON
_ROLE_KEYS = ("role", "from")
_TEXT_KEYS = ("content", "value")
REASONING_KEYS = ("reasoning_content", "reasoning", "thinking")
_THOUGHT_PARTS = ("thinking", "reasoning")
_CALL_KEYS = ("tool_calls", "function_call")
MEDIA = frozenset({"images", "videos", "audios"})
_KNOWN = frozenset(
    {*_ROLE_KEYS, *_TEXT_KEYS, *REASONING_KEYS, *_CALL_KEYS, *FLAGS, *MEDIA, "tool_call_id", "name"}
)


def is_message_list(value: object) -> bool:
    """Whether a cell holds messages, rather than text or the parts of a text."""
    if not isinstance(value, list | tuple) or not value or not isinstance(value[0], Mapping):
        return False
    return any(key in value[0] for key in _ROLE_KEYS)


def messages_of(value: object, key: str, notes: Notes) -> list[Message]:
    """The messages of a list, or of JSON text of one. `key` is the name of its column.

    A system message without text is none. Calls that follow one another, in the form with a role of their
    own, are one turn. Raises RowFault.
    """
    messages: list[Message] = []
    called = False  # whether the last turn was a call with a role of its own
    for index, turn in enumerate(value if type(value) is list else list_of(value, key)):
        message = _plain(turn)
        if message is not None:
            messages.append(message)
            called = False
            continue
        where = f"{key}[{index}]"
        named = _role_name(turn, where)
        if named in _CALL_ROLES:
            message = _call_turn(turn, key, where, notes)
            if called:
                before = messages.pop()
                message = replace(message, tool_calls=before.tool_calls + message.tool_calls)
            messages.append(message)
        elif (message := _message(turn, named, key, where, notes)) is not None:
            messages.append(message)
        called = named in _CALL_ROLES
    return messages


def with_system(messages: list[Message], text: str, where: str) -> list[Message]:
    """The messages after a system message of this text. Raises RowFault if they have another one."""
    if not text.strip():
        return messages
    if messages and messages[0].role is ChatRole.SYSTEM:
        if messages[0].content.strip() == text.strip():
            return messages
        raise RowFault(
            f"{where} and the first message are two different system messages: keep one",
            BadRowReason.AMBIGUOUS_FORMAT,
        )
    return [Message(role=ChatRole.SYSTEM, content=text), *messages]


def checked_order(messages: Sequence[Message], notes: Notes) -> tuple[Message, ...]:
    """The messages, if there is an answer to learn and a system message stands first only.

    An answer that nothing asked for, as where a longer conversation was cut, is context and not learnt.
    """
    asked, learnt, answers = False, False, 0
    if len(messages) == 2 and messages[0].role is ChatRole.SYSTEM:
        asked = True  # the system message is the question
    for index, message in enumerate(messages):
        if message.role is ChatRole.ASSISTANT:
            answers += 1
            learnt |= asked and message.supervised
        elif message.role is not ChatRole.SYSTEM:
            asked = True
        elif index:
            raise RowFault("a system message may only stand first", BadRowReason.WRONG_ORDER)
    if not learnt:
        raise RowFault(_nothing_learnt(answers, asked), BadRowReason.NO_ANSWER)
    first = 1 if messages[0].role is ChatRole.SYSTEM else 0
    if messages[first].role is not ChatRole.ASSISTANT or len(messages) == 2:
        return tuple(messages)
    notes.remark("conversations begin with an answer: it is context, not learnt")
    unasked = first
    while messages[unasked].role is ChatRole.ASSISTANT:
        unasked += 1
    opening = (replace(message, supervised=False) for message in messages[first:unasked])
    return (*messages[:first], *opening, *messages[unasked:])


def _nothing_learnt(answers: int, asked: bool) -> str:
    if not answers:
        return "no assistant turn: there is nothing to learn from this row"
    if not asked:
        return "no turn asks for the answer: there is nothing to learn from this row"
    return "no answer of this row is to be learnt, as its weights say"


def _plain(turn: object) -> Message | None:
    """The message of a turn of role and text alone, which most are; None for any other."""
    if type(turn) is not dict or len(turn) != 2:
        return None
    try:
        named, content = turn["role"], turn["content"]
    except KeyError:
        if "from" not in turn or "value" not in turn:
            return None
        named, content = turn["from"], turn["value"]
    role = ROLES.get(named) if type(named) is str else None
    if role is None or type(content) is not str or not content or content.isspace():
        return None
    return Message(role=role, content=content)


def _role_name(turn: object, where: str) -> str:
    if not isinstance(turn, Mapping):
        raise RowFault(f"{where} must be an object, this is {kind(turn)}", BadRowReason.WRONG_TYPE)
    named = [(key, turn[key]) for key in _ROLE_KEYS if not is_absent(turn.get(key))]
    has_text = any(key in turn for key in (*_TEXT_KEYS, *_CALL_KEYS))
    if not named or not has_text:
        raise RowFault(
            f"{where} must be an object with role and content, or with from and value",
            BadRowReason.UNKNOWN_FORMAT,
        )
    names = [name.strip().lower() if isinstance(name, str) else name for _, name in named]
    for (key, given), name in zip(named, names, strict=True):
        if not isinstance(name, str) or (name not in ROLES and name not in _CALL_ROLES):
            known = ", ".join([*ROLES, *sorted(_CALL_ROLES)])
            raise RowFault(
                f"{where}.{key}: unknown role {given!r}; known are {known}", BadRowReason.UNKNOWN_ROLE
            )
    if len({ROLES.get(name, name) for name in names}) > 1:
        raise RowFault(f"{where}: role is {names[0]}, but from is {names[1]}", BadRowReason.AMBIGUOUS_FORMAT)
    return str(names[0])


def _message(turn: Mapping[str, Any], named: str, key: str, where: str, notes: Notes) -> Message | None:
    """The message of a turn; None for a system message without text."""
    role = ROLES[named]
    thoughts, content = _thoughts_and_text(turn, where)
    calls = _calls(turn, where)
    if not content.strip():
        if role is ChatRole.SYSTEM:
            return None
        if role is ChatRole.USER or (role is ChatRole.ASSISTANT and not calls):
            raise RowFault(f"{where}.{_text_key(turn)} is empty", BadRowReason.EMPTY_CONTENT)
    is_assistant = role is ChatRole.ASSISTANT
    supervised = is_supervised(turn, where)
    if supervised and not is_assistant:
        notes.remark("a turn that is not the assistant's is marked for training: it is not learnt")
    ignored = {"name", "tool_call_id"} if role is not ChatRole.TOOL else set()
    if not is_assistant:
        ignored |= {*REASONING_KEYS, *_CALL_KEYS}
    _note_unused(turn, key, ignored, where, notes)
    return Message(
        role=role,
        content=content,
        reasoning=thoughts if is_assistant else "",
        tool_calls=calls if is_assistant else (),
        tool_call_id=_name(turn, "tool_call_id", where) if role is ChatRole.TOOL else "",
        name=_name(turn, "name", where) if role is ChatRole.TOOL else "",
        supervised=supervised is not False or not is_assistant,
    )


def _call_turn(turn: Mapping[str, Any], key: str, where: str, notes: Notes) -> Message:
    text_key = _text_key(turn)
    calls = calls_of(turn.get(text_key), f"{where}.{text_key}") + _calls(turn, where)
    if not calls:
        raise RowFault(f"{where}.{text_key} is empty", BadRowReason.EMPTY_CONTENT)
    _note_unused(turn, key, {"name", "tool_call_id"}, where, notes)
    thoughts = _only({name: text_of(turn.get(name), f"{where}.{name}") for name in REASONING_KEYS}, where)
    return Message(
        role=ChatRole.ASSISTANT,
        content="",
        reasoning=thoughts,
        tool_calls=calls,
        supervised=is_supervised(turn, where) is not False,
    )


def _thoughts_and_text(turn: Mapping[str, Any], where: str) -> tuple[str, str]:
    """Reasoning and text of a turn. Reasoning may be a part of its content, of type thinking."""
    contents, thoughts = {}, {}
    for key in _TEXT_KEYS:
        value = turn.get(key)
        if isinstance(value, list | tuple):
            apart = [
                part for part in value if isinstance(part, Mapping) and part.get("type") in _THOUGHT_PARTS
            ]
            value = [part for part in value if part not in apart]
            thoughts[key] = "".join(
                text_of(part.get(part["type"], part.get("text")), f"{where}.{key}") for part in apart
            )
        contents[key] = text_of(value, f"{where}.{key}")
    thoughts |= {key: text_of(turn.get(key), f"{where}.{key}") for key in REASONING_KEYS}
    return _only(thoughts, where), _only(contents, where)


def _only(texts: Mapping[str, str], where: str) -> str:
    """The one text that is not blank; "" if all are. Raises RowFault if there are two different ones."""
    filled = {key: text for key, text in texts.items() if text.strip()}
    if len(set(filled.values())) > 1:
        raise RowFault(f"{where}: {' and '.join(filled)} differ: keep one", BadRowReason.AMBIGUOUS_FORMAT)
    return next(iter(filled.values()), "")


def _calls(turn: Mapping[str, Any], where: str) -> tuple[ToolCall, ...]:
    return tuple(call for key in _CALL_KEYS for call in calls_of(turn.get(key), f"{where}.{key}"))


def _name(turn: Mapping[str, Any], key: str, where: str) -> str:
    return text_of(turn.get(key), f"{where}.{key}")


def _text_key(turn: Mapping[str, Any]) -> str:
    return next((key for key in _TEXT_KEYS if key in turn), _TEXT_KEYS[0])


def _note_unused(turn: Mapping[str, Any], key: str, ignored: set[str], where: str, notes: Notes) -> None:
    for name, value in turn.items():
        if (name not in _KNOWN or name in ignored) and not is_blank(value):
            notes.unused(f"{key}[].{name}")
        elif name in MEDIA and not is_blank(value):
            raise RowFault(f"{where}.{name}: only text is learnt", BadRowReason.WRONG_TYPE)
