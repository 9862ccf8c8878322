"""The examples of one source: its rows as tokens, each once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from blendtune_api.v1alpha1 import OverLength, Unit
from blendtune_trainer.chat import ChatEncoder, EncodedConversation
from blendtune_trainer.collect import Row
from blendtune_trainer.conversations import RowFault, canonical_bytes
from blendtune_trainer.digests import row_key
from blendtune_trainer.faults import Faults

_BATCH_ROWS = 512


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
    input_ids: list[NDArray[np.int32]] = field(default_factory=list)
    supervised: list[NDArray[np.bool_]] = field(default_factory=list)
    keys: list[int] = field(default_factory=list)
    rows: int = 0
    dropped: int = 0

    def examples(self, digest: str) -> Examples:
        lengths = np.array([len(ids) for ids in self.input_ids], np.int64)
        return Examples(
            input_ids=np.concatenate([np.empty(0, np.int32), *self.input_ids]),
            supervised=np.concatenate([np.empty(0, np.bool_), *self.supervised]),
            offsets=np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)]),
            keys=np.array(self.keys, np.uint64),
            rows=self.rows,
            dropped=self.dropped,
            digest=digest,
        )


def encode_rows(
    rows: Iterable[Row],
    encoder: ChatEncoder,
    *,
    sequence_length: int,
    over_length: OverLength,
    seed: int,
    faults: Faults,
) -> Examples:
    """The examples of a source. Rows that cannot be learnt from are added to `faults` and left out.

    A row longer than the sequence length is dropped and counted, or a fault; it is never cut.
    """
    gathered = _Gathered()
    digest = hashlib.sha256()
    for batch in _batches(rows):
        gathered.rows += len(batch)
        outcomes = encoder.encode([row.conversation for row in batch])
        for row, outcome in zip(batch, outcomes, strict=True):
            try:
                content = canonical_bytes(row.conversation)
            except RowFault as fault:
                faults.add(row.place, str(fault))
                continue
            digest.update(len(content).to_bytes(8, "big") + content)
            if isinstance(outcome, RowFault):
                faults.add(row.place, str(outcome))
            elif len(outcome.input_ids) > sequence_length:
                gathered.dropped += 1
                if over_length is OverLength.ERROR:
                    faults.add(row.place, _too_long(outcome, sequence_length))
            else:
                gathered.input_ids.append(outcome.input_ids)
                gathered.supervised.append(outcome.supervised)
                gathered.keys.append(row_key(content, seed))
    return gathered.examples(digest.hexdigest())


def _too_long(conversation: EncodedConversation, sequence_length: int) -> str:
    return (
        f"{len(conversation.input_ids):,} tokens, over spec.training.sequenceLength {sequence_length:,}; "
        "shorten or split the conversation, raise sequenceLength, or set spec.blend.overLength: drop"
    )


def _batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    iterator = iter(rows)
    while batch := list(islice(iterator, _BATCH_ROWS)):
        yield batch
