"""Texts as tokens, and where a stretch of a text stands among its tokens.

A prompt, tokenized on its own, must give the first tokens of the text that begins with it, because they are
what inference sends.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from blendtune_trainer.tokens.answers import Span

_CACHED_TEXT_LENGTH = 64  # characters, at most
_CACHED_TEXTS = 1024  # at most


class TokenizedText(Protocol):
    """A text and its tokens."""

    @property
    def ids(self) -> Sequence[int]:
        """The tokens."""

    def tokens_of(self, answer: Span) -> Span | None:
        """The span of the tokens of an answer; None if its prompt's tokens are not the first of the text."""


class TextTokenizer(Protocol):
    """Tokenizes texts, in which special tokens are read as such and none is added."""

    def tokenize(self, texts: Sequence[str]) -> Sequence[TokenizedText]:
        """Each text with its tokens."""


class WholeTexts:
    """Tokenizes each text as a whole, with any tokenizer."""

    def __init__(self, tokenizer: Any) -> None:
        self._backend = tokenizer.backend_tokenizer
        self.special_ids = frozenset(
            index for index, token in tokenizer.added_tokens_decoder.items() if token.special
        ) | frozenset(tokenizer.all_special_ids)
        self._cached_ids: dict[str, list[int]] = {}

    def tokenize(self, texts: Sequence[str]) -> list[WholeText]:
        """Each text with its tokens."""
        encodings = self._backend.encode_batch(texts, add_special_tokens=False)
        return [WholeText(self, text, encoding) for text, encoding in zip(texts, encodings, strict=True)]

    def ids_of(self, text: str) -> list[int]:
        """Token ids of a text. Those of short texts are cached, since many recur in every conversation."""
        cached = self._cached_ids.get(text)
        if cached is not None:
            return cached
        ids: list[int] = self._backend.encode(text, add_special_tokens=False).ids
        if len(text) <= _CACHED_TEXT_LENGTH and len(self._cached_ids) < _CACHED_TEXTS:
            self._cached_ids[text] = ids
        return ids


class WholeText:
    """A text that was tokenized as a whole."""

    def __init__(self, tokenizer: WholeTexts, text: str, encoding: Any) -> None:
        self.ids: list[int] = encoding.ids
        self._tokenizer = tokenizer
        self._text = text
        self._encoding = encoding

    def tokens_of(self, answer: Span) -> Span | None:
        """The span of the tokens of an answer; None if its prompt's tokens are not the first of the text."""
        first = self._prompt_length(self._text[: answer[0]])
        return None if first is None else (first, self._last_token(answer) + 1)

    def _prompt_length(self, prompt: str) -> int | None:
        """Number of the prompt's tokens; None if they are not a prefix of the text's tokens.

        Tokenizers split text at special tokens first, so mostly it is enough to compare the tokens from the
        last special token on.
        """
        ids, special_ids = self.ids, self._tokenizer.special_ids
        special = self._last_token((0, len(prompt)))
        while special > 0 and ids[special] not in special_ids:
            special -= 1
        special = max(special, 0)
        character = self._encoding.token_to_chars(special)[0] if ids[special] in special_ids else 0
        for first, text in ((special, prompt[character:]), (0, prompt)):
            tail = self._tokenizer.ids_of(text)
            if ids[first : first + len(tail)] == tail:
                return first + len(tail)
        return None

    def _last_token(self, span: Span) -> int:
        """Index of the token of the last character in the span that belongs to a token; -1 if none does."""
        start, end = span
        for character in range(end - 1, start - 1, -1):
            token = self._encoding.char_to_token(character)
            if token is not None:
                return int(token)
        return -1
