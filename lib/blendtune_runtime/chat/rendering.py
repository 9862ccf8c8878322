"""Renders conversations to text, for training and for the questions of an evaluation."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from blendtune_api.contract import UNKNOWN_DATE
from blendtune_runtime.chat.control_text import ControlText, control_tokens, plain_marks
from blendtune_runtime.chat.conversation import ChatRole, Conversation, of_texts
from blendtune_runtime.chat.dialect import Carrier, Dialect, Frame, find_dialect, probes, rendered_answer
from blendtune_runtime.chat.jinja import CompiledTemplate, TemplateRefusal
from blendtune_runtime.chat.reasoning import CLOSE, OPEN
from blendtune_runtime.chat.templates import NAMED_TEMPLATES, usable_templates
from blendtune_runtime.errors import BadModel

# Variables with which templates turn thinking on and off. gpt-oss cannot turn it off, only down.
_SWITCHES: Mapping[str, Mapping[bool, Any]] = {
    "enable_thinking": {True: True, False: False},
    "thinking": {True: True, False: False},
    "reasoning_effort": {False: "low"},
}
_WORD, _OTHER = "answerword", "otherwise"


@dataclass(frozen=True, kw_only=True, slots=True)
class Rendering:
    """What decides a text besides the template and the conversation."""

    date: date = field(
        default_factory=lambda: date.fromisoformat(UNKNOWN_DATE)
    )  # what a template takes for today
    thinking: bool = False  # whether answers begin with thoughts, where the template knows a switch


PLAIN = Rendering()


@dataclass(frozen=True, kw_only=True, slots=True)
class Turn:
    """One answer: the prompt that inference sends, and what the model ought to write, its end included."""

    prompt: str
    answer: str


class ChatRenderer:
    """Applies the chat template of a tokenizer of transformers.

    `field` is the model's path in the spec. Raises BadModel on construction if there is no template, or if
    there are several and no default. One whose answers do not follow the prompt that inference sends is
    `untrainable`.
    """

    def __init__(self, tokenizer: Any, rendering: Rendering = PLAIN, field: str = "spec.model") -> None:
        if not tokenizer.chat_template:
            raise BadModel(
                f"{field}: the tokenizer has no chat template. Set {field}.chatTemplate to one of "
                f"{NAMED_TEMPLATES}, use a chat or instruct model, or add a chat_template.jinja file to the "
                "model's folder"
            )
        if isinstance(tokenizer.chat_template, dict) and "default" not in tokenizer.chat_template:
            raise BadModel(
                f"{field}: the tokenizer has the chat templates {', '.join(sorted(tokenizer.chat_template))} "
                f"and none that is named default. Rename one of them in the model's folder, or set "
                f"{field}.chatTemplate to one of {NAMED_TEMPLATES}"
            )
        self._tokenizer = tokenizer
        try:
            self._open(tokenizer.get_chat_template(), rendering)
        except TemplateRefusal as refusal:
            raise BadModel(
                f"{field}: the chat template cannot be used: {refusal}. {advice(tokenizer, field)}"
            ) from refusal

    def _open(self, text: str, rendering: Rendering) -> None:
        tokens: dict[str, Any] = dict(self._tokenizer.special_tokens_map)
        template = CompiledTemplate(text, tokens, rendering.date)
        switches = {name: values for name, values in _SWITCHES.items() if template.knows(name)}
        self.knows_thinking = bool(switches)
        self.switches = {
            name: values[rendering.thinking]
            for name, values in switches.items()
            if rendering.thinking in values
        }
        self._template = CompiledTemplate(text, tokens | self.switches, rendering.date)
        self._date = rendering.date.isoformat() if template.uses_date else ""
        self.knows_marks = OPEN in text or CLOSE in text or CLOSE in self._tokenizer.get_added_vocab()
        self.untrainable = ""  # why the template can be asked with, but not trained with
        try:
            self.dialect, self.frame, self.reasoned_frame = find_dialect(self._template, self.knows_marks)
        except TemplateRefusal as refusal:
            self.untrainable = str(refusal)
            self.dialect, self.reasoned_frame = Dialect(), None
            self.frame = self._closing_frame()
        tokens_only = ControlText(control_tokens(self._tokenizer, template.literals))
        self.control = ControlText(tokens_only.tokens, plain_marks(self._pieces(), tokens_only))
        self._find_end()

    def _find_end(self) -> None:
        """Sets the end of a turn, and what the template writes after it at the end of a conversation."""
        if not self.untrainable and any(self.control.tokens_in(self.frame.before)) and not self._asks():
            self.untrainable = (
                f"it writes {self.frame.before!r} before an answer, but has no generation prompt that ends so"
            )
        self.end = next(self.control.tokens_in(self.frame.after), "")
        self.adds_end = not self.end
        self.remainder = self.frame.after.partition(self.end)[2] if self.end else ""
        if self.adds_end:
            self.end = self._tokenizer.eos_token or ""
        if not self.end:
            self.untrainable = "it ends an answer with no token, and the tokenizer has no end-of-text token"

    def _closing_frame(self) -> Frame:
        """What an untrainable template writes after the words of an answer, as far as that can be told."""
        question_and_answer = [(ChatRole.USER, "Question"), (ChatRole.ASSISTANT, _WORD)]
        try:
            after = self.text(of_texts(question_and_answer)).rpartition(_WORD)[2]
        except TemplateRefusal:
            after = ""
        return Frame(before="", between="", after=after)

    def _asks(self) -> bool:
        """Whether a generation prompt is added to a question."""
        question = of_texts([(ChatRole.USER, "Question")])
        return self.prompt(question) != self.text(question)

    def _pieces(self) -> list[str]:
        """The texts that the template writes between the contents of messages."""
        for system in (True, False):
            conversation = next(probes(system))
            try:
                rest = self.text(conversation)
            except TemplateRefusal:
                continue
            pieces = []
            for message in conversation.messages:
                piece, found, rest = rest.partition(message.content)
                if not found:
                    break
                pieces.append(piece)
            return pieces if system else pieces[1:]
        return []

    @property
    def template(self) -> str:
        """The Jinja text of the template."""
        return self._template.text

    @property
    def digest(self) -> str:
        """sha256 of what decides a text beside tokenizer and conversation: template, switches and date."""
        canonical = json.dumps([self.template, self.switches, self._date], sort_keys=True)
        return hashlib.sha256(canonical.encode()).hexdigest()

    @property
    def opens_thoughts(self) -> bool:
        """Whether a prompt opens a think block."""
        return self.dialect.plain is not Carrier.FIELD

    def text(self, conversation: Conversation) -> str:
        """The whole conversation. Raises TemplateRefusal."""
        return self._template.render(self.dialect.messages(conversation), conversation.tools, False)

    def prompt(self, conversation: Conversation) -> str:
        """What inference sends to get the next answer. Raises TemplateRefusal."""
        return self._template.render(self.dialect.messages(conversation), conversation.tools, True)

    def turn(self, conversation: Conversation, index: int) -> Turn:
        """The answer that is message `index`. Raises TemplateRefusal if its texts are not all in it."""
        message = conversation.messages[index]
        prompt, answer = rendered_answer(self._template, self.dialect, conversation.before(index + 1))
        if message.tool_calls:
            self._check_calls(conversation, index, answer)
            return Turn(prompt=prompt, answer=self._ended(answer))
        frame = self.reasoned_frame if message.reasoning else self.frame
        if frame is None or not frame.holds(answer, message):
            raise TemplateRefusal(f"message {index}: it does not write the answer as it stands")
        return Turn(prompt=prompt, answer=self._ended(answer))

    def _ended(self, answer: str) -> str:
        if self.adds_end:
            return answer.rstrip() + self.end
        if answer.endswith(self.end + self.remainder):
            return answer.removesuffix(self.remainder)
        answer = answer.rstrip()
        added = self._tokenizer.added_tokens_decoder.values()
        if not answer.endswith(tuple(token.content for token in added if token.special)):
            raise TemplateRefusal("it writes no end of turn after a call of tools")
        return answer

    def _check_calls(self, conversation: Conversation, index: int, answer: str) -> None:
        """Raises TemplateRefusal if an answer lacks one of its calls, or the texts beside them."""
        message = conversation.messages[index]
        calls = message.tool_calls
        names = [str((call.get("function") or {}).get("name", "")) for call in calls]
        texts = (message.content.strip(), message.reasoning.strip(), *names)
        lacks = not self.dialect.calls or any(text not in answer for text in texts)
        for number in range(len(calls)) if len(calls) > 1 and not lacks else ():
            fewer = replace(message, tool_calls=calls[:number] + calls[number + 1 :])
            earlier = conversation.before(index)
            shorter = replace(earlier, messages=(*earlier.messages, fewer))
            lacks = lacks or rendered_answer(self._template, self.dialect, shorter)[1] == answer
        if lacks:
            raise TemplateRefusal(f"message {index}: it leaves out a call of tool_calls, or the words beside")

    def check_kept(self, conversation: Conversation, text: str) -> None:
        """Raises TemplateRefusal if the rendered `text` lacks the tools or the words of a message."""
        if not _has_each(text, [message.content.strip() for message in conversation.messages]):
            for index, message in enumerate(conversation.messages):
                other = replace(message, content=f"{message.content} {_OTHER}")
                messages = (*conversation.messages[:index], other, *conversation.messages[index + 1 :])
                if _OTHER not in self.text(replace(conversation, messages=messages)):
                    raise TemplateRefusal(f"message {index}: it leaves out what {message.role} says")
        if conversation.tools and self.text(replace(conversation, tools=())) == self.text(conversation):
            raise TemplateRefusal("tools: it leaves out the tools")

    def stop_token_ids(self) -> frozenset[int]:
        """The tokens that end a text or an answer."""
        end = self._tokenizer.convert_tokens_to_ids(self.end) if self.end else None
        return frozenset(int(token) for token in {self._tokenizer.eos_token_id, end} - {None})


def _has_each(text: str, contents: Sequence[str]) -> bool:
    """Whether each of the contents stands in a place of its own: in their order, as in most templates, or in
    another; then the longest take theirs first.
    """
    end = 0
    for content in contents:
        begin = text.find(content, end)
        if begin < 0:
            break
        end = begin + len(content)
    else:
        return True
    for content in sorted(filter(None, contents), key=len, reverse=True):
        before, found, after = text.partition(content)
        if not found:
            return False
        text = f"{before}\0{after}"
    return True


def advice(tokenizer: Any, field: str) -> str:
    """What to do about a template that cannot be used with a tokenizer."""
    named = " or ".join(usable_templates(tokenizer))
    return (f"Set {field}.chatTemplate to {named}" if named else "Use another model") + (
        ", or mend the model's chat_template.jinja"
    )
