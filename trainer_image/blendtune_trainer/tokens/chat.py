"""Conversations as tokens, and which tokens are supervised: those of the answers and their ends of turn.

The tokens of the text before an answer must be the first tokens of the example, because they are what
inference sends. Where an answer melts into its prompt, such as a line break into the
one before it, the tokens of the two are put one after the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blendtune_runtime.chat.conversation import ChatRole, Conversation
from blendtune_runtime.chat.jinja import TemplateRefusal
from blendtune_runtime.chat.reasoning import ReasoningFault, apart, without
from blendtune_runtime.chat.rendering import PLAIN, ChatRenderer, Rendering, advice
from blendtune_runtime.errors import BadModel
from blendtune_trainer.rows.conversations import RowFault
from blendtune_trainer.tokens.answers import AnswerLocator, Located, Span
from blendtune_trainer.tokens.pieces import text_tokenizer
from blendtune_trainer.tokens.tokenized import TokenizedText


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class EncodedExample:
    """The tokens of an example of n tokens: of a conversation, or of one of its answers."""

    input_ids: NDArray[np.int32]  # [n]
    supervised: NDArray[np.bool_]  # [n]; False for the first token, which nothing predicts


Examples = tuple[EncodedExample, ...]


class ChatEncoder:
    """Encodes conversations with the chat template of a tokenizer of transformers.

    `keeps_reasoning` is False if the thoughts of answers are to be left out. Raises BadModel on construction
    if the tokenizer is not a fast one, has no chat template, or has one that cannot be trained with.
    """

    def __init__(self, tokenizer: Any, rendering: Rendering = PLAIN, keeps_reasoning: bool = True) -> None:
        if not getattr(tokenizer, "is_fast", False):
            raise BadModel(
                "spec.model: the tokenizer has no fast version (tokenizer.json), which blending needs"
            )
        self.renderer = ChatRenderer(tokenizer, rendering)
        self._keeps_reasoning = keeps_reasoning
        self._tokenizer = tokenizer
        self._backend = tokenizer.backend_tokenizer
        self._backend.no_truncation()
        self._backend.no_padding()
        self._texts = text_tokenizer(tokenizer)
        self._forged = _ForgedTokens(self.renderer, tokenizer)
        try:
            if self.renderer.untrainable:
                raise TemplateRefusal(self.renderer.untrainable)
            self._locator = AnswerLocator(self.renderer)
        except TemplateRefusal as refusal:
            raise BadModel(
                f"spec.model: the chat template cannot be trained with: {refusal}. "
                + advice(tokenizer, "spec.model")
            ) from refusal

    def encode(self, conversations: Sequence[Conversation]) -> list[Examples | RowFault]:
        """The examples of each conversation, never truncated, or why it cannot be learnt from."""
        located = [self._locate(conversation) for conversation in conversations]
        texts = [text.text for each in located if not isinstance(each, RowFault) for text in each]
        tokenized = iter(self._texts.tokenize(texts))
        return [
            each if isinstance(each, RowFault) else self._examples([(text, next(tokenized)) for text in each])
            for each in located
        ]

    def _locate(self, conversation: Conversation) -> tuple[Located, ...] | RowFault:
        try:
            prepared = self._prepared(conversation)
            if (found := self.renderer.control.find_in(prepared)) is not None:
                place, token = found
                return RowFault(
                    f"{place} holds {token}, with which the model's chat template tells turns apart: "
                    "write it in another way, or remove the row"
                )
            return self._locator.locate(prepared) or RowFault("no answer of this row is to be learnt")
        except TemplateRefusal as refusal:
            return RowFault(
                f"the chat template refuses the conversation: {refusal}{self._hint(conversation)}"
            )
        except ReasoningFault as fault:
            return RowFault(str(fault))

    def _hint(self, conversation: Conversation) -> str:
        """What to do about a conversation that the template refuses only for its system message."""
        if conversation.messages[0].role is not ChatRole.SYSTEM:
            return ""
        try:
            self.renderer.text(replace(conversation, messages=conversation.messages[1:]))
        except TemplateRefusal:
            return ""
        try:
            self.renderer.text(conversation)
        except TemplateRefusal:
            return ". It takes no system message: put its words into the first question"
        return ""

    def _prepared(self, conversation: Conversation) -> Conversation:
        """The conversation with its thoughts where the template takes them. Raises TemplateRefusal."""
        takes_thoughts = self.renderer.knows_marks or self.renderer.dialect.reasoned is not None
        if takes_thoughts or not self._keeps_reasoning:
            conversation = apart(conversation)
        if not self._keeps_reasoning:
            return without(conversation)
        if self.renderer.dialect.reasoned is None and any(each.reasoning for each in conversation.messages):
            raise TemplateRefusal(
                "it has no place for the reasoning of an answer: use a model that thinks, or leave it out "
                "with spec.model.thinking: off"
            )
        return conversation

    def _examples(self, tokenized: Sequence[tuple[Located, TokenizedText]]) -> Examples | RowFault:
        examples: list[EncodedExample] = []
        for located, tokens in tokenized:
            if (forged := self._forged.find(located.text, tokens.ids)) is not None:
                return RowFault(
                    f"a text of the row becomes {forged}, a control token: write it in another way"
                )
            spans = [tokens.tokens_of(answer) for answer in located.answers]
            if None not in spans:
                examples.append(_example(tokens.ids, [span for span in spans if span]))
                continue
            for answer in located.answers:
                example = self._apart(located.text, answer)
                if example is None:
                    return RowFault(
                        "the first characters of an answer and the last of its prompt share a token; strip "
                        "the white space at the answer's start"
                    )
                examples.append(example)
        if not any(example.supervised.any() for example in examples):
            return RowFault("the chat template leaves no token of an answer to learn")
        return tuple(examples)

    def _apart(self, text: str, answer: Span) -> EncodedExample | None:
        """The tokens of the prompt, then those of the answer; None if together they are another text."""
        start, end = answer
        prompt = self._backend.encode(text[:start], add_special_tokens=False).ids
        ids = prompt + self._backend.encode(text[start:end], add_special_tokens=False).ids
        whole = self._backend.encode(text[:end], add_special_tokens=False).ids
        if self._text(ids) != self._text(whole):
            return None
        return _example(ids, [(len(prompt), len(ids))])

    def _text(self, ids: list[int]) -> str:
        return str(self._backend.decode(ids, skip_special_tokens=False))


class _ForgedTokens:
    """Finds control tokens that a tokenizer makes of text which only normalises to them."""

    def __init__(self, renderer: ChatRenderer, tokenizer: Any) -> None:
        self._control = renderer.control
        self._ids = {
            index: token.content
            for index, token in tokenizer.added_tokens_decoder.items()
            if token.content in renderer.control.tokens
        }
        normalized = any(token.normalized for token in tokenizer.added_tokens_decoder.values())
        self._possible = normalized and tokenizer.backend_tokenizer.normalizer is not None

    def find(self, text: str, ids: Sequence[int]) -> str | None:
        """A control token among the ids of a rendered text that does not stand in it; None without one."""
        if not self._possible:
            return None
        written = list(self._control.tokens_in(text))
        made = [self._ids[token] for token in ids if token in self._ids]
        return (
            None
            if len(made) <= len(written)
            else next(token for token in made if made.count(token) > written.count(token))
        )


def _example(ids: Sequence[int], answers: Sequence[Span]) -> EncodedExample:
    supervised = np.zeros(len(ids), np.bool_)
    for start, end in answers:
        supervised[start:end] = True
    supervised[:1] = False
    return EncodedExample(input_ids=np.array(ids, np.int32), supervised=supervised)
