"""Where the answers of a conversation stand in its text.

An answer begins where the prompt that inference sends ends, and ends with its end of turn. If the text of the
whole conversation begins with every prompt and its answer, it is one text. A template that renders a turn
differently once another follows makes one text of each answer: the prompt, then the answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from blendtune_runtime.chat.conversation import ChatRole, Conversation, Message, of_texts
from blendtune_runtime.chat.dialect import Carrier, probes
from blendtune_runtime.chat.jinja import TemplateRefusal
from blendtune_runtime.chat.rendering import ChatRenderer, Turn

Span = tuple[int, int]  # index of the first character, and of the one after the last


@dataclass(frozen=True, kw_only=True, slots=True)
class Located:
    """A text, and the spans of the answers to learn in it, each after a prompt as inference sends it."""

    text: str
    answers: tuple[Span, ...]


class AnswerLocator:
    """Locates answers: by the constant texts around them if it can, else by rendering every prompt."""

    def __init__(self, renderer: ChatRenderer) -> None:
        self._renderer = renderer
        remainder = renderer.remainder
        self._tail = remainder if any(renderer.control.tokens_in(remainder)) else ""
        self._asks = self._generation_prompt()
        self._constant = self._is_constant()

    def locate(self, conversation: Conversation) -> tuple[Located, ...]:
        """The texts to learn from. Raises TemplateRefusal if the template refuses or leaves something out."""
        whole = self._renderer.text(conversation)
        self._renderer.check_kept(conversation, whole)
        if (spans := self._between_constants(conversation, whole)) is not None:
            return (Located(text=self._trimmed(conversation, whole), answers=spans),)
        return self._by_prompts(conversation, whole)

    def _by_prompts(self, conversation: Conversation, whole: str) -> tuple[Located, ...]:
        turns = [
            self._renderer.turn(conversation, index)
            for index, message in enumerate(conversation.messages)
            if message.role is ChatRole.ASSISTANT and message.supervised
        ]
        if all(whole.startswith(turn.prompt + turn.answer) for turn in turns):
            return (Located(text=self._trimmed(conversation, whole), answers=tuple(map(_span, turns))),)
        return tuple(Located(text=turn.prompt + turn.answer, answers=(_span(turn),)) for turn in turns)

    def _between_constants(self, conversation: Conversation, text: str) -> tuple[Span, ...] | None:
        """The answers by the generation prompt before and the end after each; None if they cannot be told so.

        No content holds a control token, so if the generation prompt stands before each answer and nowhere
        else, each stands where inference would put it.
        """
        messages = conversation.messages
        answers = [message for message in messages if message.role is ChatRole.ASSISTANT]
        last_only = len(answers) == 1 and messages[-1] is answers[0]
        if not self._asks or not (self._constant or last_only) or conversation.tools:
            return None
        if any(message.reasoning or message.tool_calls for message in answers):
            return None
        if text.count(self._asks) != len(answers):
            return None
        spans, position = [], 0
        for message in answers:
            asks = text.find(self._asks, position)
            if asks < 0:  # it begins within the last answer, which this one follows at once
                return None
            start = asks + len(self._asks)
            position = self._end_of(message, text, start)
            if position < 0:
                return None
            if message.supervised:
                spans.append((start, position))
        return tuple(spans)

    def _end_of(self, message: Message, text: str, start: int) -> int:
        """The index after the answer that begins at `start`; -1 if another text stands there."""
        before, end = self._renderer.frame.before, self._closing
        for content in (message.content, message.content.strip()):
            answer = before + content + end
            if text.startswith(answer, start):
                return start + len(answer)
        return -1

    def _trimmed(self, conversation: Conversation, whole: str) -> str:
        """The whole text without a closing end of text, or a generation prompt, after the last answer."""
        ends = conversation.messages[-1].role is ChatRole.ASSISTANT
        return whole.removesuffix(self._tail) if ends and self._tail else whole

    @property
    def _closing(self) -> str:
        """What follows the words of an answer, up to its end of turn."""
        return self._renderer.frame.after.removesuffix(self._renderer.remainder)

    def _generation_prompt(self) -> str:
        """What stands before every answer; "" if answers cannot be told by it."""
        if self._renderer.adds_end or self._renderer.dialect.plain is not Carrier.FIELD:
            return ""
        one, other = (self._renderer.prompt(of_texts([(ChatRole.USER, text)])) for text in ("One", "Two!"))
        same = 0
        while same < min(len(one), len(other)) and one[-same - 1] == other[-same - 1]:
            same += 1
        return one[len(one) - same :]

    def _is_constant(self) -> bool:
        """Whether conversations of several answers are one text, with the same text before each answer."""
        return all(len(located) == 1 for located in self._located_probes())

    def _located_probes(self) -> Iterator[tuple[Located, ...]]:
        for system in (False, True):
            for conversation in probes(system):
                try:
                    yield self._by_prompts(conversation, self._renderer.text(conversation))
                except TemplateRefusal:
                    if not system:  # a template may do without a system prompt
                        raise


def _span(turn: Turn) -> Span:
    return len(turn.prompt), len(turn.prompt) + len(turn.answer)
