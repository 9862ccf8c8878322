"""The forward pass over a micro-batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor

from blendtune_trainer.blending.packed import IGNORED_LABEL, Bin

# Two tokens, neither supervised: a rank without a bin still takes part in every collective.
_EMPTY = Bin(
    input_ids=np.zeros(2, np.int64),
    labels=np.full(2, IGNORED_LABEL, np.int64),
    position_ids=np.arange(2, dtype=np.int64),
    sources=np.zeros(2, np.int16),
)


@contextmanager
def evaluating(engine: Any) -> Iterator[None]:
    """Evaluation mode during the block: no gradients and no dropout."""
    engine.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        engine.train()


def forward(
    engine: Any, bins: Sequence[Bin], device: torch.device, read: Callable[[Tensor], None] | None = None
) -> Tensor:
    """The summed negative log-likelihood of the bins' supervised tokens; 0 with a gradient of 0 for no bins.

    The bins are concatenated to a single row, as the examples are within a bin. `read` gets the logits, as in
    `SupervisedLoss`.
    """
    rows = bins or (_EMPTY,)
    columns = zip(*((row.input_ids, row.labels, row.position_ids) for row in rows), strict=True)
    tensors = (torch.from_numpy(np.concatenate(column))[None].to(device) for column in columns)
    loss: Tensor = engine(*tensors, read=read)
    return loss
