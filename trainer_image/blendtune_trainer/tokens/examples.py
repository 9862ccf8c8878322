"""The examples of one source: its rows as tokens, each once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blendtune_api.v1alpha1 import OverLength, Unit
from blendtune_trainer.rows.collect import Row
from blendtune_trainer.rows.conversations import RowFault, canonical_bytes
from blendtune_trainer.rows.faults import Faults
from blendtune_trainer.tokens.digests import framed, row_key
from blendtune_trainer.tokens.token_cache import EncodedChunk
from blendtune_trainer.tokens.tokenise import Tokeniser, chunks_of


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Examples:
    """The rows that fit the sequence length, one after the other."""

    input_ids: NDArray[np.int32]  # [tokens]
    supervised: NDArray[np.bool_]  # [tokens]
    offsets: NDArray[np.int64]  # [examples + 1]
    keys: NDArray[np.uint64]  # [examples], equal for equal rows
    rows: int  # read, those left out counted
    dropped: int  # left out for their length
    digest: str  # of all rows in their order

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """[examples] tokens of each."""
        return np.diff(self.offsets)

    def sizes(self, unit: Unit) -> NDArray[np.int64]:
        """[examples] what each counts in a blend of this unit."""
        match unit:
            case Unit.TOKENS:
                return self.lengths
            case Unit.SUPERVISED_TOKENS:
                sums = np.concatenate([[0], np.cumsum(self.supervised, dtype=np.int64)])
                return np.diff(sums[self.offsets])
            case Unit.EXAMPLES:
                return np.ones(len(self), np.int64)


@dataclass(slots=True)
class _Gathered:
    chunks: list[EncodedChunk] = field(default_factory=list)
    keys: list[int] = field(default_factory=list)
    rows: int = 0
    dropped: int = 0

    def examples(self, digest: str) -> Examples:
        lengths = np.concatenate([np.empty(0, np.int64), *(chunk.lengths for chunk in self.chunks)])
        return Examples(
            input_ids=np.concatenate([np.empty(0, np.int32), *(chunk.input_ids for chunk in self.chunks)]),
            supervised=np.concatenate([np.empty(0, np.bool_), *(chunk.supervised for chunk in self.chunks)]),
            offsets=np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)]),
            keys=np.array(self.keys, np.uint64),
            rows=self.rows,
            dropped=self.dropped,
            digest=digest,
        )


def encode_rows(
    rows: Iterable[Row],
    tokeniser: Tokeniser,
    *,
    over_length: OverLength,
    seed: int,
    faults: Faults,
    progress: Callable[[int, int, float | None], None] = lambda *_: None,
) -> Examples:
    """The examples of a source. Rows that cannot be learnt from are added to `faults` and left out.

    A row longer than the sequence length is dropped and counted, or a fault; it is never cut. `progress` is
    told the rows and tokens so far, and the share of the source that they are, where it is known.
    """
    gathered = _Gathered()
    digest = hashlib.sha256()
    tokens = 0
    for chunk, encoded in tokeniser.encode(chunks_of(_with_contents(rows, gathered, digest, faults))):
        for row, message in encoded.faults:
            faults.add(chunk.rows[row].place, message)
        gathered.dropped += len(encoded.too_long)
        if over_length is OverLength.ERROR:
            for row, length in encoded.too_long:
                faults.add(chunk.rows[row].place, _too_long(length, tokeniser.sequence_length))
        gathered.chunks.append(encoded)
        gathered.keys.extend(row_key(chunk.contents[row], seed) for row in encoded.rows.tolist())
        tokens += len(encoded.input_ids)
        progress(gathered.rows, tokens, chunk.rows[-1].read)
    return gathered.examples(digest.hexdigest())


def _with_contents(
    rows: Iterable[Row], gathered: _Gathered, digest: Any, faults: Faults
) -> Iterator[tuple[Row, bytes]]:
    """Every row with its canonical bytes, of which the digest is made."""
    for row in rows:
        gathered.rows += 1
        try:
            content = canonical_bytes(row.conversation)
        except RowFault as fault:
            faults.add(row.place, str(fault))
            continue
        digest.update(framed(content))
        yield row, content


def _too_long(tokens: int, sequence_length: int) -> str:
    return (
        f"{tokens:,} tokens, over spec.training.sequenceLength {sequence_length:,}; "
        "shorten or split the conversation, raise sequenceLength, or set spec.blend.overLength: drop"
    )
