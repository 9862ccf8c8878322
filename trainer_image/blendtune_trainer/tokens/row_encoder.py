"""Encodes rows chunk by chunk, large sources on all cores, and caches the result of each chunk.

The cache key is the digest of rows, tokenizer, chat template with its variables, and sequence length. So an
interrupted blend resumes after its last chunk, and a blend of the same rows in another ratio encodes nothing
again.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from enum import Enum
from functools import partial
from multiprocessing import get_context
from multiprocessing.context import BaseContext
from typing import Any

import numpy as np

from blendtune_api.contract import digest_of
from blendtune_runtime.chat.conversation import Conversation, from_canonical
from blendtune_runtime.chat.reasoning import has_reasoning
from blendtune_runtime.chat.rendering import PLAIN, Rendering
from blendtune_trainer.rows.conversations import RowFault
from blendtune_trainer.tokens.chat import ChatEncoder, EncodedExample
from blendtune_trainer.tokens.chunks import Chunk
from blendtune_trainer.tokens.digests import bytes_digest, text_digest
from blendtune_trainer.tokens.token_cache import EncodedChunk, TokenCache


class OnReasoning(Enum):
    """What to do with the thoughts of answers."""

    KEEP = "keep"
    LEAVE_OUT = "leave out"
    REPORT = "report"  # raise ReasoningMet


class ReasoningMet(Exception):
    """A row holds the thoughts of an answer."""


_CHUNKS_BEFORE_POOL = 8  # one process encodes them in about the time that worker processes take to start


class RowEncoder:
    """Encodes chunks of rows: in this process at first, then in one worker process per core.

    A context manager: leaving it stops the workers. Raises BadModel on construction if the tokenizer or its
    chat template cannot be trained with.
    """

    def __init__(
        self,
        tokenizer: Any,
        sequence_length: int,
        cache: TokenCache,
        processes: int | None = None,
        rendering: Rendering = PLAIN,
        on_reasoning: OnReasoning = OnReasoning.KEEP,
    ) -> None:
        self._chat_of = (tokenizer, rendering, on_reasoning is not OnReasoning.LEAVE_OUT)
        self.chat = ChatEncoder(*self._chat_of)
        self.reasoned_rows = 0  # with thoughts, among those read so far
        self._on_reasoning = on_reasoning
        self.tokenizer_digest = text_digest(tokenizer.backend_tokenizer.to_str())
        self.sequence_length = sequence_length
        self._cache = cache
        self._processes = processes or len(os.sched_getaffinity(0))
        self._pool: ProcessPoolExecutor | None = None
        self._encoded_chunks = 0
        self._identity = digest_of([self.tokenizer_digest, self.rendering_digest, sequence_length])

    @property
    def rendering_digest(self) -> str:
        """Digest of all but the conversation that decides the text of an example."""
        return digest_of([self.chat.renderer.digest, self._on_reasoning is OnReasoning.LEAVE_OUT])

    def __enter__(self) -> RowEncoder:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def encode(self, chunks: Iterable[Chunk]) -> Iterator[tuple[Chunk, EncodedChunk]]:
        """Each chunk with its encoding, in order. Raises ReasoningMet if that is what to do with thoughts.

        Once worker processes run, up to two chunks per process are read ahead of the consumer.
        """
        pending: deque[tuple[Chunk, Callable[[], EncodedChunk]]] = deque()
        for chunk in chunks:
            pending.append((chunk, self._start(chunk)))
            if len(pending) > self._look_ahead:
                first, result = pending.popleft()
                yield first, result()
        for first, result in pending:
            yield first, result()

    @property
    def _look_ahead(self) -> int:
        return 2 * self._processes if self._pool else 0

    def _start(self, chunk: Chunk) -> Callable[[], EncodedChunk]:
        """Looks a chunk up in the cache or starts to encode it. Returns a function that waits for it."""
        conversations = [row.conversation for row in chunk.rows]
        self.reasoned_rows += sum(map(has_reasoning, conversations))
        if self.reasoned_rows and self._on_reasoning is OnReasoning.REPORT:
            raise ReasoningMet
        key = bytes_digest([self._identity.encode(), *chunk.contents])
        if (cached := self._cache.get(key)) is not None:
            return lambda: cached
        self._encoded_chunks += 1
        if self._processes == 1 or self._encoded_chunks <= _CHUNKS_BEFORE_POOL:
            encoded = encode_chunk(self.chat, self.sequence_length, conversations)
            self._cache.put(key, encoded)
            return lambda: encoded
        if self._pool is None:
            self._pool = ProcessPoolExecutor(
                self._processes,
                mp_context=_worker_context(),
                initializer=_init_worker,
                initargs=(self._chat_of, self.sequence_length),
            )
        return partial(self._collect, key, self._pool.submit(_encode_in_worker, chunk.contents))

    def _collect(self, key: str, future: Future[EncodedChunk]) -> EncodedChunk:
        encoded = future.result()
        self._cache.put(key, encoded)
        return encoded


def encode_chunk(
    encoder: ChatEncoder, sequence_length: int, conversations: Sequence[Conversation]
) -> EncodedChunk:
    """The conversations that fit the sequence length, never cut, and why each of the others is left out.

    A conversation fits if all of its examples do.
    """
    examples: list[tuple[int, EncodedExample]] = []
    too_long, faults = [], []
    for index, outcome in enumerate(encoder.encode(conversations)):
        if isinstance(outcome, RowFault):
            faults.append((index, str(outcome)))
            continue
        longest = max(len(example.input_ids) for example in outcome)
        if longest > sequence_length:
            too_long.append((index, longest))
        else:
            examples += [(index, example) for example in outcome]
    return EncodedChunk(
        input_ids=np.concatenate([np.empty(0, np.int32), *(each.input_ids for _, each in examples)]),
        supervised=np.concatenate([np.empty(0, np.bool_), *(each.supervised for _, each in examples)]),
        lengths=np.array([len(each.input_ids) for _, each in examples], np.int64),
        rows=np.array([index for index, _ in examples], np.int64),
        too_long=tuple(too_long),
        faults=tuple(faults),
    )


def _worker_context() -> BaseContext:
    """Worker processes that begin with this module imported, once for all of them."""
    context = get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return context


_worker_encode: Callable[[Sequence[Conversation]], EncodedChunk]  # set in each worker process


def _init_worker(chat_of: tuple[Any, Rendering, bool], sequence_length: int) -> None:
    global _worker_encode
    os.environ["TOKENIZERS_PARALLELISM"] = "false"  # each core has a worker already
    _worker_encode = partial(encode_chunk, ChatEncoder(*chat_of), sequence_length)


def _encode_in_worker(contents: Sequence[bytes]) -> EncodedChunk:
    return _worker_encode([from_canonical(content) for content in contents])
