"""Conversations as tokens, and which tokens are supervised: those of the answers and their ends of turn.

The tokens of the text before an answer, tokenized on its own, must be the first tokens of the example,
because they are what inference sends. Where an answer melts into its prompt, such as a line break into the
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

_CACHED_TEXT_LENGTH = 64  # characters, at most
_CACHED_TEXTS = 1024  # at most


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
        self._special_ids = frozenset(
            index for index, token in tokenizer.added_tokens_decoder.items() if token.special
        ) | frozenset(tokenizer.all_special_ids)
        self._cached_ids: dict[str, list[int]] = {}
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
        encodings = iter(self._backend.encode_batch(texts, add_special_tokens=False))
        return [
            each if isinstance(each, RowFault) else self._examples([(text, next(encodings)) for text in each])
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

    def _examples(self, encoded: Sequence[tuple[Located, Any]]) -> Examples | RowFault:
        examples: list[EncodedExample] = []
        for located, encoding in encoded:
            if (forged := self._forged.find(located.text, encoding.ids)) is not None:
                return RowFault(
                    f"a text of the row becomes {forged}, a control token: write it in another way"
                )
            spans = [self._tokens_of(located.text, encoding, answer) for answer in located.answers]
            if None not in spans:
                examples.append(_example(encoding.ids, [span for span in spans if span]))
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

    def _tokens_of(self, text: str, encoding: Any, answer: Span) -> Span | None:
        """The span of an answer's tokens; None if its prompt's tokens are not those that inference sends."""
        first = self._prompt_length(text[: answer[0]], encoding)
        return None if first is None else (first, _last_token(encoding, answer) + 1)

    def _prompt_length(self, prompt: str, encoding: Any) -> int | None:
        """Number of the prompt's tokens; None if they are not a prefix of the conversation's tokens.

        Tokenizers split text at special tokens first, so mostly it is enough to compare the tokens from the
        last special token on.
        """
        ids = encoding.ids
        special = _last_token(encoding, (0, len(prompt)))
        while special > 0 and ids[special] not in self._special_ids:
            special -= 1
        special = max(special, 0)
        character = encoding.token_to_chars(special)[0] if ids[special] in self._special_ids else 0
        for first, text in ((special, prompt[character:]), (0, prompt)):
            tail = self._tokens(text)
            if ids[first : first + len(tail)] == tail:
                return first + len(tail)
        return None

    def _tokens(self, text: str) -> list[int]:
        """Token ids of a text. Those of short texts are cached, since many recur in every conversation."""
        cached = self._cached_ids.get(text)
        if cached is not None:
            return cached
        ids: list[int] = self._backend.encode(text, add_special_tokens=False).ids
        if len(text) <= _CACHED_TEXT_LENGTH and len(self._cached_ids) < _CACHED_TEXTS:
            self._cached_ids[text] = ids
        return ids


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


def _last_token(encoding: Any, span: Span) -> int:
    """Index of the token of the last character in the span that belongs to a token; -1 if none does."""
    start, end = span
    for character in range(end - 1, start - 1, -1):
        token = encoding.char_to_token(character)
        if token is not None:
            return int(token)
    return -1
