"""Which of the rows that a base model has written are learnt from: a row in, a kept row or a reason out."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass

from blendtune_api.v1alpha1 import RejectedBecause, RejectedRows
from blendtune_runtime.chat.conversation import ChatRole, Conversation, Message
from blendtune_trainer.rehearsing.batches import WrittenRow
from blendtune_trainer.rehearsing.near_duplicates import NearDuplicates
from blendtune_trainer.rows.contamination import PromptSearch, Words, normalised_words
from blendtune_trainer.tokens.chat import Examples

Encode = Callable[[Conversation], Examples | RejectedBecause]
"""The examples of a conversation, or why it cannot become one."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class KeptRow:
    """A row to learn from."""

    conversation: Conversation
    examples: Examples


class AskedQuestions:
    """The questions of all rows that it has searched, as their keys."""

    def __init__(self) -> None:
        self.keys: set[int] = set()

    def search(self, place: str, conversation: Conversation) -> None:
        """Adds the questions of one row."""
        del place
        for message in conversation.messages:
            if message.role is ChatRole.USER:
                self.keys.add(words_key(normalised_words(message.content)))


class RowFilter:
    """Judges rows one after the other: each is compared with those kept before it.

    `rubric` finds what the rubric asks; `asked` are the keys of the questions of the other sources.
    """

    def __init__(self, rubric: PromptSearch, asked: Collection[int], encode: Encode) -> None:
        self._rubric = rubric
        self._asked = asked
        self._encode = encode
        self._kept: set[int] = set()
        self._near = NearDuplicates()

    def judge(self, row: WrittenRow) -> KeptRow | RejectedBecause:
        """The row to learn from, or why it is left out."""
        if row.fault:
            return RejectedBecause(row.fault)
        if not row.finished:
            return RejectedBecause.UNFINISHED
        words = normalised_words(row.question)
        if not words or not row.answer.strip():
            return RejectedBecause.EMPTY
        reason = self._asked_before(words)
        if reason is not None:
            return reason
        conversation = _conversation(row)
        examples = self._encode(conversation)
        if isinstance(examples, RejectedBecause):
            return examples
        self._kept.add(words_key(words))
        self._near.add(words)
        return KeptRow(conversation=conversation, examples=examples)

    def _asked_before(self, words: Words) -> RejectedBecause | None:
        key = words_key(words)
        if key in self._kept:
            return RejectedBecause.DUPLICATE
        if key in self._asked:
            return RejectedBecause.IN_DOMAIN
        if self._rubric.holds(words):
            return RejectedBecause.NEAR_RUBRIC
        return RejectedBecause.NEAR_DUPLICATE if words in self._near else None


def told(rejected: Counter[RejectedBecause]) -> tuple[RejectedRows, ...]:
    """The reasons with their numbers of rows, the most frequent first, those of one number by name."""
    ordered = sorted(rejected.items(), key=lambda each: (-each[1], each[0]))
    return tuple(RejectedRows(reason=reason, rows=rows) for reason, rows in ordered)


def words_key(words: Words) -> int:
    """A 64-bit hash of a question's words."""
    content = " ".join(words).encode(errors="surrogatepass")
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "big")


def _conversation(row: WrittenRow) -> Conversation:
    asked = Message(role=ChatRole.USER, content=row.question)
    said = Message(role=ChatRole.ASSISTANT, content=row.answer, reasoning=row.reasoning)
    return Conversation(messages=(asked, said))
