"""The examples of one source: where each of its rows stands among the tokens of a run."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from blendtune_api.v1alpha1 import OverLength, Unit
from blendtune_trainer.rows.collect import Row
from blendtune_trainer.rows.console import ReportProgress
from blendtune_trainer.rows.faults import RowFault, SourceFaults
from blendtune_trainer.tokens.chunks import Chunk, canonical_rows, chunks_of
from blendtune_trainer.tokens.digests import framed, row_key
from blendtune_trainer.tokens.row_encoder import RowEncoder
from blendtune_trainer.tokens.token_cache import EncodedChunk, Repeats
from blendtune_trainer.tokens.token_files import TokenFiles


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Examples:
    """The examples of a source, one after the other: those of the rows that fit the sequence length."""

    offsets: NDArray[np.int64]  # [examples + 1], into the tokens of the run
    supervised_tokens: NDArray[np.int64]  # [examples]
    keys: NDArray[np.uint64]  # [examples], equal for equal rows
    rows: int  # rows read, including those left out
    dropped: int  # rows left out because of their length
    repeats: Repeats  # of rows with several examples
    digest: str  # SHA-256 of all rows, in order
    bad_rows: int = 0  # rows left out because they cannot be learnt from

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """[examples] tokens of each example."""
        return np.diff(self.offsets)

    def sizes(self, unit: Unit) -> NDArray[np.int64]:
        """[examples] size of each example in the unit of the blend."""
        match unit:
            case Unit.TOKENS:
                return self.lengths
            case Unit.SUPERVISED_TOKENS:
                return self.supervised_tokens
            case Unit.EXAMPLES:
                return np.ones(len(self), np.int64)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _ChunkExamples:
    """The examples of one chunk, without their tokens."""

    lengths: NDArray[np.int64]  # [examples]
    supervised_tokens: NDArray[np.int64]  # [examples]
    keys: NDArray[np.uint64]  # [examples]
    rows: int  # of the chunk that are not bad
    dropped: int
    repeats: Repeats


def encode_rows(
    rows: Iterable[Row],
    encoder: RowEncoder,
    tokens: TokenFiles,
    *,
    over_length: OverLength,
    seed: int,
    faults: SourceFaults,
    progress: ReportProgress = lambda *_: None,
) -> Examples:
    """The examples of a source, whose tokens are appended to `tokens`.

    Rows that cannot be learnt from are added to `faults` as bad, and left out.

    A row that is longer than the sequence length is never cut: it is dropped and counted, or it is a fault,
    as `over_length` says. `seed` decides the keys of the examples. Rows are read a few chunks ahead of their
    encoding at most; `progress` is called after each chunk.
    """
    digest = hashlib.sha256()
    parts: list[_ChunkExamples] = []
    row_count, first = 0, tokens.count
    earlier_bad_rows = faults.bad_rows
    for chunk, encoded in encoder.encode(chunks_of(canonical_rows(rows, faults))):
        for content in chunk.contents:
            digest.update(framed(content))
        _add_faults(chunk, encoded, over_length, encoder.sequence_length, faults)
        tokens.append(encoded.input_ids, encoded.supervised)
        parts.append(_chunk_examples(chunk, encoded, seed))
        row_count += len(chunk.rows)
        progress(row_count, tokens.count - first, chunk.rows[-1].fraction_read)
    return _concatenate(parts, first, faults.bad_rows - earlier_bad_rows, digest.hexdigest())


def _add_faults(
    chunk: Chunk, encoded: EncodedChunk, over_length: OverLength, sequence_length: int, faults: SourceFaults
) -> None:
    """Adds the rows of a chunk that the template refuses, and those that are too long if that is an error."""
    for row, message in encoded.faults:
        faults.add_row(chunk.rows[row].place, RowFault(message))
    if over_length is OverLength.ERROR:
        for row, tokens in encoded.too_long:
            faults.add(chunk.rows[row].place, _too_long(tokens, sequence_length))


def _chunk_examples(chunk: Chunk, encoded: EncodedChunk, seed: int) -> _ChunkExamples:
    keys = [row_key(chunk.contents[row], seed) for row in encoded.rows.tolist()]
    ends = np.cumsum(encoded.lengths)
    sums = np.concatenate([[0], np.cumsum(encoded.supervised, dtype=np.int64)])
    return _ChunkExamples(
        lengths=encoded.lengths,
        supervised_tokens=sums[ends] - sums[ends - encoded.lengths],
        keys=np.array(keys, np.uint64),
        rows=len(chunk.rows) - len(encoded.faults),
        dropped=len(encoded.too_long),
        repeats=encoded.repeats,
    )


def _concatenate(parts: Sequence[_ChunkExamples], first: int, bad_rows: int, digest: str) -> Examples:
    """The examples of all chunks, in order, from the token `first` on, under the digest of all rows."""
    none = np.empty(0, np.int64)
    lengths = np.concatenate([none, *(part.lengths for part in parts)])
    return Examples(
        offsets=first + np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)]),
        supervised_tokens=np.concatenate([none, *(part.supervised_tokens for part in parts)]),
        keys=np.concatenate([np.empty(0, np.uint64), *(part.keys for part in parts)]),
        rows=sum(part.rows for part in parts) + bad_rows,
        dropped=sum(part.dropped for part in parts),
        repeats=sum((part.repeats for part in parts), Repeats()),
        digest=digest,
        bad_rows=bad_rows,
    )


def _too_long(tokens: int, sequence_length: int) -> str:
    return (
        f"{tokens:,} tokens, over spec.training.sequenceLength {sequence_length:,}; "
        "shorten or split the conversation, raise sequenceLength, or set spec.blend.overLength: drop"
    )
