"""Rows as tokens, chunk by chunk: large sources on all cores, and nothing twice.

What a chunk's rows became is kept under the digest of rows, tokenizer, template and sequence length: an
interrupted blend goes on behind its last chunk, and another ratio of the same rows needs no new pass.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from multiprocessing import get_context
from typing import Any

import numpy as np

from blendtune_api.contract import digest_of
from blendtune_trainer.rows.collect import Row
from blendtune_trainer.rows.conversations import Conversation, RowFault
from blendtune_trainer.tokens.chat import ChatEncoder
from blendtune_trainer.tokens.digests import bytes_digest, text_digest
from blendtune_trainer.tokens.token_cache import EncodedChunk, TokenCache

CHUNK_ROWS = 2048
_CHUNKS_ALONE = 8  # what one process encodes in about the time that the others take to start


@dataclass(frozen=True, kw_only=True, slots=True)
class Chunk:
    """Consecutive rows of a source, each with its canonical bytes."""

    rows: tuple[Row, ...]
    contents: tuple[bytes, ...]


class Tokeniser:
    """Encodes chunks in this process, and from the ninth on in one process for each core. Close it."""

    def __init__(
        self, tokenizer: Any, sequence_length: int, cache: TokenCache, processes: int | None = None
    ) -> None:
        self.encoder = ChatEncoder(tokenizer)
        self.tokenizer_digest = text_digest(tokenizer.backend_tokenizer.to_str())
        self._tokenizer = tokenizer
        self.sequence_length = sequence_length
        self._cache = cache
        self._processes = processes or len(os.sched_getaffinity(0))
        self._pool: ProcessPoolExecutor | None = None
        self._encoded = 0
        self._identity = digest_of([self.tokenizer_digest, self.encoder.template, sequence_length])

    def __enter__(self) -> Tokeniser:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def encode(self, chunks: Iterable[Chunk]) -> Iterator[tuple[Chunk, EncodedChunk]]:
        """Each chunk with what its rows became, in their order, a few chunks ahead of the reader."""
        pending: deque[tuple[Chunk, Callable[[], EncodedChunk]]] = deque()
        for chunk in chunks:
            pending.append((chunk, self._start(chunk)))
            if len(pending) > self._ahead:
                first, result = pending.popleft()
                yield first, result()
        for first, result in pending:
            yield first, result()

    @property
    def _ahead(self) -> int:
        return 2 * self._processes if self._pool else 0

    def _start(self, chunk: Chunk) -> Callable[[], EncodedChunk]:
        key = bytes_digest([self._identity.encode(), *chunk.contents])
        if (known := self._cache.find(key)) is not None:
            return lambda: known
        conversations = [row.conversation for row in chunk.rows]
        self._encoded += 1
        if self._processes == 1 or self._encoded <= _CHUNKS_ALONE:
            encoded = encode_chunk(self.encoder, self.sequence_length, conversations)
            self._cache.keep(key, encoded)
            return lambda: encoded
        if self._pool is None:
            self._pool = ProcessPoolExecutor(
                self._processes,
                mp_context=get_context("forkserver"),
                initializer=_be_worker,
                initargs=(self._tokenizer, self.sequence_length),
            )
        return partial(self._take, key, self._pool.submit(_encode_in_worker, conversations))

    def _take(self, key: str, future: Future[EncodedChunk]) -> EncodedChunk:
        encoded = future.result()
        self._cache.keep(key, encoded)
        return encoded


def chunks_of(rows: Iterable[tuple[Row, bytes]]) -> Iterator[Chunk]:
    iterator = iter(rows)
    while batch := list(islice(iterator, CHUNK_ROWS)):
        taken, contents = zip(*batch, strict=True)
        yield Chunk(rows=taken, contents=contents)


def encode_chunk(
    encoder: ChatEncoder, sequence_length: int, conversations: Sequence[Conversation]
) -> EncodedChunk:
    """The conversations that fit the sequence length, whole, and what became of the others."""
    kept, too_long, faults = [], [], []
    for index, outcome in enumerate(encoder.encode(conversations)):
        if isinstance(outcome, RowFault):
            faults.append((index, str(outcome)))
        elif len(outcome.input_ids) > sequence_length:
            too_long.append((index, len(outcome.input_ids)))
        else:
            kept.append((index, outcome))
    return EncodedChunk(
        input_ids=np.concatenate([np.empty(0, np.int32), *(each.input_ids for _, each in kept)]),
        supervised=np.concatenate([np.empty(0, np.bool_), *(each.supervised for _, each in kept)]),
        lengths=np.array([len(each.input_ids) for _, each in kept], np.int64),
        rows=np.array([index for index, _ in kept], np.int64),
        too_long=tuple(too_long),
        faults=tuple(faults),
    )


_encode_in_this_worker: Callable[[Sequence[Conversation]], EncodedChunk]


def _be_worker(tokenizer: Any, sequence_length: int) -> None:
    global _encode_in_this_worker
    os.environ["TOKENIZERS_PARALLELISM"] = "false"  # the other cores have workers of their own
    _encode_in_this_worker = partial(encode_chunk, ChatEncoder(tokenizer), sequence_length)


def _encode_in_worker(conversations: Sequence[Conversation]) -> EncodedChunk:
    return _encode_in_this_worker(conversations)
