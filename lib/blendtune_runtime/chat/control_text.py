"""Text that a message must not hold, because it would forge a turn: control tokens and the marks of turns."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from blendtune_runtime.chat.conversation import Conversation

_TAG = re.compile(r"</?([^<>/]+)>")
_WORDS = re.compile(r"[^\W\d_]{2}")  # a mark of a turn has letters: a full stop after each answer is none


class ControlText:
    """Finds in a text the tokens and marks with which a template tells turns apart.

    `tokens` become single tokens wherever they stand. `marks` are plain words, such as `USER:` of a template
    that marks its turns so; within a longer word, as in `SUPERUSER:`, they mark nothing.
    """

    def __init__(self, tokens: Collection[str], marks: Collection[str] = ()) -> None:
        self.tokens = frozenset(filter(None, tokens))
        self._lengths = sorted({len(token) for token in self.tokens}, reverse=True)
        first = "".join(sorted({token[0] for token in self.tokens}))
        self._first = re.compile(f"[{re.escape(first)}]") if first else None
        longest_first = sorted(marks, key=lambda mark: (-len(mark), mark))
        words = (
            rf"(?<!\w){re.escape(mark)}" if mark[0].isalnum() else re.escape(mark) for mark in longest_first
        )
        self._marks = re.compile("|".join(words))
        self._plain = tuple(marks)  # a plain search rules most texts out faster

    def find(self, text: str) -> str | None:
        """The first control token in a text, else the first mark; None if there is neither."""
        if (token := next(self.tokens_in(text), None)) is not None:
            return token
        if not any(mark in text for mark in self._plain):
            return None
        found = self._marks.search(text)
        return found[0] if found else None

    def tokens_in(self, text: str) -> Iterator[str]:
        """The control tokens in a text, from left to right; of two at one place, the longer."""
        end = 0
        for found in self._first.finditer(text) if self._first else ():
            start = found.start()
            if start < end:
                continue
            for length in self._lengths:
                if text[start : start + length] in self.tokens:
                    end = start + length
                    yield text[start:end]
                    break

    def find_in(self, conversation: Conversation) -> tuple[str, str] | None:
        """Where in a conversation it stands, and what; tools and calls included. None if nothing does."""
        for index, message in enumerate(conversation.messages):
            texts = (message.content, message.reasoning, message.name, message.tool_call_id)
            for text in (*texts, *_strings(message.tool_calls)):
                if text and (found := self.find(text)) is not None:
                    return f"message {index}", found
        for text in _strings(conversation.tools):
            if (found := self.find(text)) is not None:
                return "tools", found
        return None


def control_tokens(tokenizer: Any, literals: Iterable[str]) -> frozenset[str]:
    """The added tokens of a tokenizer of transformers that must not come from the text of a message.

    They are its special tokens, and those that the template writes, of which `literals` are the texts. Pairs
    such as `<think>` and `</think>` stand within a turn and forge none: unless special, they are text.
    """
    added = tokenizer.added_tokens_decoder.values()
    special = {token.content for token in added if token.special} | set(tokenizer.all_special_tokens)
    others = {token.content for token in added} - special
    pairs = {
        token
        for token in others
        if (tag := _TAG.fullmatch(token)) and {f"<{tag[1]}>", f"</{tag[1]}>"} <= others
    }
    written = ControlText({token for token in others - pairs if token.strip()})
    return frozenset(special.union(*(written.tokens_in(text) for text in literals)))


def plain_marks(pieces: Sequence[str], tokens: ControlText) -> frozenset[str]:
    """The marks of a template that tells turns apart by plain words.

    `pieces` are the texts that it writes between the contents of messages. Where each has a control token,
    nobody can forge it without that token, and there are no marks.
    """
    fragments: set[str] = set()
    plain = False
    for piece in pieces:
        found = list(tokens.tokens_in(piece))
        plain = plain or bool(not found and piece.strip())
        for token in found:
            piece = piece.replace(token, "\n")
        fragments |= {line.strip() for line in piece.splitlines()}
    return frozenset(filter(_WORDS.search, fragments)) if plain else frozenset()


def _strings(value: Any) -> Iterator[str]:
    """Every text in a JSON value, keys included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield str(key)
            yield from _strings(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _strings(item)
