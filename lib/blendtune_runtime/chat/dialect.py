"""How a chat template takes messages, found once by rendering a few words of our own.

Templates agree on `role` and `content` and on little else: where thoughts stand, whether a content is a text
or a list of parts, whether the arguments of a call are an object or JSON text.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from itertools import product
from typing import Any

from blendtune_runtime.chat.conversation import ChatRole, Conversation, Message
from blendtune_runtime.chat.jinja import CompiledTemplate, TemplateRefusal
from blendtune_runtime.chat.reasoning import CLOSE, OPEN, block

_ASKED, _SAID, _THOUGHT = "Weatherquestion", "Sunnyanswer", "Longthought"
_TOOL, _TOWN = "townweather", "Bonn"
_CALL = {"type": "function", "id": "call00001", "function": {"name": _TOOL, "arguments": {"town": _TOWN}}}
_SCHEMA = {
    "type": "function",
    "function": {
        "name": _TOOL,
        "description": "Weather",
        "parameters": {"type": "object", "properties": {"town": {"type": "string", "description": "Town"}}},
    },
}


class Carrier(Enum):
    """How the last answer and its thoughts are handed to the template."""

    FIELD = "in fields of their own"
    INLINE = "in a think block before the words"
    OPENED = "written by us after a prompt that ends with <think>"  # the template strikes thoughts out


@dataclass(frozen=True, kw_only=True, slots=True)
class Frame:
    """What the template writes around an answer: `before` [thoughts `between`] words `after`."""

    before: str
    between: str  # "" if there are no thoughts
    after: str

    def holds(self, answer: str, message: Message) -> bool:
        """Whether an answer is this frame around the message, white space around its texts aside."""
        if not (answer.startswith(self.before) and answer.endswith(self.after)):
            return False
        inner = answer[len(self.before) : len(answer) - len(self.after)].strip()
        thoughts, words = message.reasoning.strip(), message.content.strip()
        if not thoughts:
            return inner == words
        middle = inner[len(thoughts) : len(inner) - len(words)]
        return inner.startswith(thoughts) and inner.endswith(words) and middle.strip() == self.between.strip()


@dataclass(frozen=True, kw_only=True, slots=True)
class Dialect:
    """The forms of messages that a template takes."""

    parts: bool = False  # a content is a list of parts
    arguments_as_text: bool = False
    empty_as_none: bool = False  # the content of an answer that only calls tools
    calls: bool = False  # answers may call tools
    plain: Carrier = Carrier.FIELD  # of an answer without thoughts
    reasoned: Carrier | None = None  # of one with thoughts; None: the template has no place for them

    def messages(self, conversation: Conversation) -> list[dict[str, Any]]:
        """The messages for the template, the last answer as its carrier says.

        Raises TemplateRefusal for arguments that are no JSON object where the template needs one.
        """
        last = len(conversation.messages) - 1
        return [self._message(message, index == last) for index, message in enumerate(conversation.messages)]

    def _message(self, message: Message, last: bool) -> dict[str, Any]:
        form = message.for_template()
        if message.role is ChatRole.ASSISTANT:
            if message.reasoning:
                carrier = self.reasoned or Carrier.FIELD
            else:
                carrier = self.plain if last else Carrier.FIELD
            if carrier is Carrier.FIELD and message.reasoning:
                form["thinking"] = message.reasoning  # the name that gpt-oss reads
            elif carrier is not Carrier.FIELD:
                form.pop("reasoning_content", None)
            if carrier is Carrier.INLINE:
                form["content"] = block(message.reasoning) + message.content
            if message.tool_calls:
                form["tool_calls"] = [self._call(call) for call in message.tool_calls]
                form["content"] = form["content"] or (None if self.empty_as_none else "")
        if self.parts and form["content"] is not None:
            form["content"] = [{"type": "text", "text": form["content"]}]
        return form

    def _call(self, call: Mapping[str, Any]) -> dict[str, Any]:
        function = dict(call.get("function") or {})
        arguments = function.get("arguments", {})
        if self.arguments_as_text and not isinstance(arguments, str):
            arguments = json.dumps(arguments, ensure_ascii=False)
        elif not self.arguments_as_text and isinstance(arguments, str):
            try:
                arguments = json.loads(arguments or "{}")
            except ValueError as error:
                raise TemplateRefusal(f"the arguments of the call are not JSON: {error}") from error
        return {"type": "function", **call, "function": {**function, "arguments": arguments}}


def rendered_answer(
    template: CompiledTemplate, dialect: Dialect, conversation: Conversation
) -> tuple[str, str]:
    """What inference sends before the last message, an answer, and what the model then ought to write.

    Raises TemplateRefusal if the template refuses, or writes another text before the answer than inference
    sends.
    """
    earlier = conversation.before(len(conversation.messages) - 1)
    answer = conversation.messages[-1]
    prompt = template.render(dialect.messages(earlier), conversation.tools, True)
    text = template.render(dialect.messages(conversation), conversation.tools, False)
    if text.startswith(prompt):
        return prompt, text[len(prompt) :]
    opening = prompt.rfind(OPEN)
    opened = prompt[opening:]
    carrier = dialect.reasoned if answer.reasoning else dialect.plain
    if carrier is Carrier.OPENED and opened.strip() == OPEN and text.startswith(prompt[:opening]):
        rest = text[opening:]
        line = "\n" if opened.endswith("\n") else ""
        closing = "" if rest.startswith(CLOSE) else f"{CLOSE}{line}{line}"
        return prompt, f"{answer.reasoning.strip()}{line}{closing}{rest}"
    raise TemplateRefusal("it writes another text before an answer than it sends to ask for one")


def find_dialect(template: CompiledTemplate, thinks: bool) -> tuple[Dialect, Frame, Frame | None]:
    """The dialect, and the frames of an answer without thoughts and, if the template has a place, with them.

    `thinks`: tokenizer or template know the marks of a think block. Raises TemplateRefusal if no form
    of an answer follows the prompt that inference sends.
    """
    found = None
    refusal: TemplateRefusal | None = None
    for parts, carrier in product((False, True), (Carrier.FIELD, Carrier.INLINE, Carrier.OPENED)):
        if carrier is Carrier.INLINE and not thinks:
            continue
        dialect = Dialect(parts=parts, plain=carrier)
        try:
            plain = _frame(template, dialect, "")
        except TemplateRefusal as error:
            refusal = refusal or error
            continue
        found = (dialect, plain)
        break
    if found is None:
        raise refusal or TemplateRefusal("it leaves the words of an answer out")
    dialect, plain = found
    reasoned, with_thoughts = _reasoned(template, dialect, thinks)
    dialect = replace(dialect, reasoned=reasoned)
    return _with_calls(template, dialect), plain, with_thoughts


def probes(system: bool) -> Iterator[Conversation]:
    """Conversations of two and three answers, from which the constancy of a template can be read."""
    for count in (2, 3):
        messages = [Message(role=ChatRole.SYSTEM, content="Briefsystem")] if system else []
        for number in range(count):
            messages.append(Message(role=ChatRole.USER, content=f"{_ASKED} {number}"))
            messages.append(Message(role=ChatRole.ASSISTANT, content=f"{_SAID} {number}"))
        yield Conversation(messages=tuple(messages))


def _frame(template: CompiledTemplate, dialect: Dialect, thought: str) -> Frame:
    asked = Message(role=ChatRole.USER, content=_ASKED)
    said = Message(role=ChatRole.ASSISTANT, content=_SAID, reasoning=thought)
    prompt, answer = rendered_answer(template, dialect, Conversation(messages=(asked, said)))
    before, found, after = answer.partition(_SAID)
    if _ASKED not in prompt:
        raise TemplateRefusal("it leaves the words of a question out")
    if not found or _SAID in after:
        raise TemplateRefusal("it leaves the words of an answer out")
    if (prompt.partition(_ASKED)[2] + answer).count(CLOSE) > 1:
        raise TemplateRefusal("it writes a think block twice")
    if not thought:
        return Frame(before=before, between="", after=after)
    opening, found, between = before.partition(thought)
    if not found or thought in between or thought in after:
        raise TemplateRefusal("it leaves the thoughts of an answer out")
    return Frame(before=opening, between=between, after=after)


def _reasoned(
    template: CompiledTemplate, dialect: Dialect, thinks: bool
) -> tuple[Carrier | None, Frame | None]:
    carriers: Sequence[Carrier] = tuple(Carrier) if thinks else (Carrier.FIELD,)
    for carrier in carriers:
        try:
            return carrier, _frame(template, replace(dialect, reasoned=carrier), _THOUGHT)
        except TemplateRefusal:
            continue
    return None, None


def _with_calls(template: CompiledTemplate, dialect: Dialect) -> Dialect:
    asked = Message(role=ChatRole.USER, content=_ASKED)
    calling = Message(role=ChatRole.ASSISTANT, content="", tool_calls=(_CALL,))
    conversation = Conversation(messages=(asked, calling), tools=(_SCHEMA,))
    for as_text, as_none in product((False, True), repeat=2):
        tried = replace(dialect, calls=True, arguments_as_text=as_text, empty_as_none=as_none)
        try:
            _, answer = rendered_answer(template, tried, conversation)
        except TemplateRefusal:
            continue
        printed = f"'{_TOWN}'" in answer or f'\\"{_TOWN}' in answer  # by Python, or as JSON within JSON
        if _TOOL in answer and _TOWN in answer and not printed:
            return tried
    return dialect
