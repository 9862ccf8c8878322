"""A micro-batch: its bins as one row, assembled on the host, and the forward pass over it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from blendtune_trainer.blending.packed import IGNORED_LABEL, Bin, PackedBlend
from blendtune_trainer.model.attention import RowExamples
from blendtune_trainer.ranks.transfer import send

# Two tokens, neither supervised: a rank without a bin still takes part in every collective.
_EMPTY = Bin(
    input_ids=np.zeros(2, np.int64),
    labels=np.full(2, IGNORED_LABEL, np.int64),
    position_ids=np.arange(2, dtype=np.int64),
    sources=np.zeros(2, np.int16),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class MicroBatch:
    """A row of n tokens on the training's device, of which m are supervised.

    Its lengths are known on the host, so that no pass has to wait for the device to ask for them.
    """

    input_ids: Tensor  # int64[1, n]
    position_ids: Tensor  # int64[1, n], from 0 in each example
    predicting: Tensor  # int64[m], the positions before the supervised tokens
    targets: Tensor  # int64[m], the supervised tokens
    examples: RowExamples


def assemble(bins: Sequence[Bin], device: torch.device) -> MicroBatch:
    """The bins, one after the other as the examples are within a bin, on their way to `device`.

    No bins give a row without a supervised token.
    """
    rows = bins or (_EMPTY,)
    columns = zip(*((row.input_ids, row.labels, row.position_ids) for row in rows), strict=True)
    input_ids, labels, position_ids = map(np.concatenate, columns)
    predicting = np.flatnonzero(labels[1:] != IGNORED_LABEL)
    boundaries = np.append(np.flatnonzero(position_ids == 0), len(position_ids))
    lengths = np.diff(boundaries).tolist()

    def sent(values: np.ndarray[Any, Any]) -> Tensor:
        return send(torch.from_numpy(values), device)

    return MicroBatch(
        input_ids=sent(input_ids)[None],
        position_ids=sent(position_ids)[None],
        predicting=sent(predicting),
        targets=sent(labels[predicting + 1]),
        examples=RowExamples(lengths=tuple(lengths), boundaries=sent(boundaries.astype(np.int32))),
    )


class Lookahead:
    """The micro-batches of a blend's training bins, one of which can be assembled before it is asked for."""

    def __init__(self, blend: PackedBlend, device: torch.device) -> None:
        self._blend = blend
        self._device = device
        self._ahead: tuple[tuple[int, ...], MicroBatch] | None = None

    def prepare(self, indices: tuple[int, ...]) -> None:
        """Assembles the micro-batch of these bins: to be called while the device still works on another."""
        self._ahead = indices, self._assemble(indices)

    def take(self, indices: tuple[int, ...]) -> MicroBatch:
        """The micro-batch of these bins, which need not have been prepared."""
        ahead, self._ahead = self._ahead, None
        return ahead[1] if ahead and ahead[0] == indices else self._assemble(indices)

    def _assemble(self, indices: tuple[int, ...]) -> MicroBatch:
        return assemble([self._blend.bin(index) for index in indices], self._device)


@contextmanager
def evaluating(engine: Any) -> Iterator[None]:
    """Evaluation mode during the block: no gradients and no dropout."""
    engine.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        engine.train()


def forward(engine: Any, batch: MicroBatch, read: Callable[[Tensor], None] | None = None) -> Tensor:
    """The summed negative log-likelihood of the supervised tokens; 0 with a gradient of 0 if there are none.

    `read` gets the logits, as in `SupervisedLoss`.
    """
    loss: Tensor = engine(
        batch.input_ids,
        batch.position_ids,
        batch.predicting,
        batch.targets,
        examples=batch.examples,
        read=read,
    )
    return loss
