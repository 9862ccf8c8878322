"""Conversations as tokens, and which tokens are supervised: those of the assistant's turns.

A template with `{% generation %}` markers, as all named templates have, marks the assistant's turns itself.
With any other template a turn begins where the rendering of the messages before it ends, including the
generation prompt; this is verified for every turn. In both cases the tokens of the text before an answer,
tokenized on its own, must be a prefix of the conversation's tokens, because that text is the model's prompt
at inference.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jinja2
import numpy as np
from numpy.typing import NDArray

from blendtune_runtime.chat.conversation import ChatRole, Conversation, of_texts
from blendtune_runtime.chat.rendering import NAMED_TEMPLATES, ChatRenderer, Span
from blendtune_runtime.errors import BadModel
from blendtune_trainer.rows.conversations import RowFault

_PROBE = of_texts(
    [
        (ChatRole.USER, "One?"),
        (ChatRole.ASSISTANT, "Yes."),
        (ChatRole.USER, "Two?"),
        (ChatRole.ASSISTANT, "No."),
    ]
)

_CACHED_TEXT_LENGTH = 64  # characters, at most
_CACHED_TEXTS = 1024  # at most


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class EncodedConversation:
    """The tokens of a conversation of n tokens."""

    input_ids: NDArray[np.int32]  # [n]
    supervised: NDArray[np.bool_]  # [n]; False for the first token, which nothing predicts


@dataclass(frozen=True, kw_only=True, slots=True)
class _Rendered:
    """A conversation as text, and the character spans of its assistant turns."""

    text: str
    turns: tuple[Span, ...]


class ChatEncoder:
    """Encodes conversations with the chat template of a tokenizer of transformers.

    Raises BadModel on construction if the tokenizer is not a fast one, has no chat template, or has one whose
    assistant turns cannot be located.
    """

    def __init__(self, tokenizer: Any) -> None:
        if not getattr(tokenizer, "is_fast", False):
            raise BadModel(
                "spec.model: the tokenizer has no fast version (tokenizer.json), which blending needs"
            )
        self._renderer = ChatRenderer(tokenizer)
        self._backend = tokenizer.backend_tokenizer
        self._backend.no_truncation()
        self._backend.no_padding()
        special = {index: token for index, token in tokenizer.added_tokens_decoder.items() if token.special}
        self._special_ids = frozenset(special) | frozenset(tokenizer.all_special_ids)
        self._special_tokens = tuple(
            {token.content for token in special.values()} | set(tokenizer.all_special_tokens)
        )
        begin = tokenizer.bos_token_id
        self._turn_end_ids = self._special_ids - ({begin} if begin != tokenizer.eos_token_id else set())
        self._cached_ids: dict[str, list[int]] = {}
        self._check_template()

    @property
    def template(self) -> str:
        """The Jinja text of the chat template."""
        return self._renderer.template

    def encode(self, conversations: Sequence[Conversation]) -> list[EncodedConversation | RowFault]:
        """The tokens of each conversation, never truncated, or why it cannot be learnt from."""
        rendered = self._render(conversations)
        texts = [item.text for item in rendered if isinstance(item, _Rendered)]
        encodings = iter(self._backend.encode_batch(texts, add_special_tokens=False))
        return [
            self._mask(item, next(encodings)) if isinstance(item, _Rendered) else item for item in rendered
        ]

    def _check_template(self) -> None:
        """Raises BadModel if a short conversation cannot be encoded."""
        (outcome,) = self.encode([_PROBE])
        if isinstance(outcome, RowFault):
            raise BadModel(
                f"spec.model: the chat template and the tokenizer cannot be trained with: {outcome}. Set "
                f"spec.model.chatTemplate to another of {NAMED_TEMPLATES}, or mark the assistant's turns "
                "with {% generation %} and {% endgeneration %} in the model's chat_template.jinja"
            )

    def _render(self, conversations: Sequence[Conversation]) -> list[_Rendered | RowFault]:
        render = self._render_marked if self._renderer.has_generation_markers else self._render_by_prefix
        rendered: list[_Rendered | RowFault] = []
        for conversation in conversations:
            try:
                rendered.append(render(conversation))
            except RowFault as fault:
                rendered.append(fault)
            except (jinja2.TemplateError, LookupError, TypeError, ValueError) as error:
                rendered.append(RowFault(f"the chat template refuses the conversation: {error}"))
        return rendered

    def _render_marked(self, conversation: Conversation) -> _Rendered:
        text, turns = self._renderer.marked_text(conversation)
        return _Rendered(text=text, turns=turns)

    def _render_by_prefix(self, conversation: Conversation) -> _Rendered:
        text = self._renderer.text(conversation)
        turns: list[Span] = []
        for index, message in enumerate(conversation.messages):
            if message.role is not ChatRole.ASSISTANT:
                continue
            prompt = self._renderer.text(conversation.before(index), add_generation_prompt=True)
            last = index + 1 == len(conversation.messages)
            turn = text if last else self._renderer.text(conversation.before(index + 1))
            if not (text.startswith(turn) and turn.startswith(prompt)):
                raise RowFault(
                    f"message {index}: the template renders what comes before an answer differently once the "
                    "answer stands, so the answer's tokens cannot be told apart"
                )
            turns.append((len(prompt), len(turn)))
        return _Rendered(text=text, turns=tuple(turns))

    def _mask(self, rendered: _Rendered, encoding: Any) -> EncodedConversation | RowFault:
        ids: list[int] = encoding.ids
        supervised = np.zeros(len(ids), np.bool_)
        for number, turn in enumerate(rendered.turns, start=1):
            start = self._start(rendered.text[: turn[0]], encoding)
            if start is None:
                return RowFault(
                    f"answer {number}: its first characters and the prompt's last share a token; strip the "
                    "white space at its start"
                )
            supervised[start : self._end(rendered.text, encoding, turn)] = True
        supervised[:1] = False
        if not supervised.any():
            return RowFault("the chat template leaves no token of an assistant turn to learn")
        return EncodedConversation(input_ids=np.array(ids, np.int32), supervised=supervised)

    def _start(self, prompt: str, encoding: Any) -> int | None:
        """Index of an answer's first token; None if a token spans the end of the prompt and the answer.

        A `{% generation %}` marker may follow a space, which many tokenizers join to the answer's first word.
        """
        start = self._prompt_length(prompt, encoding)
        if start is None and self._renderer.has_generation_markers:
            start = self._prompt_length(prompt.rstrip(" "), encoding)
        return start

    def _prompt_length(self, prompt: str, encoding: Any) -> int | None:
        """Number of the prompt's tokens; None if they are not a prefix of the conversation's tokens.

        Tokenizers split text at special tokens first, so only the tokens from the last special token on need
        to be compared.
        """
        ids = encoding.ids
        special = _last_token(encoding, (0, len(prompt)))
        while special > 0 and ids[special] not in self._special_ids:
            special -= 1
        special = max(special, 0)
        character = encoding.token_to_chars(special)[0] if ids[special] in self._special_ids else 0
        tail = self._tokens(prompt[character:])
        return special + len(tail) if ids[special : special + len(tail)] == tail else None

    def _tokens(self, text: str) -> list[int]:
        """Token ids of a text. Those of short texts are cached, since many recur in every conversation."""
        cached = self._cached_ids.get(text)
        if cached is not None:
            return cached
        ids: list[int] = self._backend.encode(text, add_special_tokens=False).ids
        if len(text) <= _CACHED_TEXT_LENGTH and len(self._cached_ids) < _CACHED_TEXTS:
            self._cached_ids[text] = ids
        return ids

    def _end(self, text: str, encoding: Any, turn: Span) -> int:
        """Index after a turn's last token: its end-of-turn token, without the white space after that."""
        start, end = turn
        stripped = text[start:end].rstrip()
        closed = stripped.endswith(self._special_tokens)
        token = _last_token(encoding, (start, start + len(stripped) if closed else end)) + 1
        if closed or not self._renderer.has_generation_markers or token >= len(encoding.ids):
            return token
        return token + (encoding.ids[token] in self._turn_end_ids)  # the marked span may end before it


def _last_token(encoding: Any, span: Span) -> int:
    """Index of the token of the last character in the span that belongs to a token; -1 if none does."""
    start, end = span
    for character in range(end - 1, start - 1, -1):
        token = encoding.char_to_token(character)
        if token is not None:
            return int(token)
    return -1
