"""Rows of examples on the CPU, as the training assembles them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from blendtune_trainer.blending.packed import Bin
from blendtune_trainer.model.attention import RowExamples
from blendtune_trainer.training.microbatch import MicroBatch, assemble

CPU = torch.device("cpu")


def row(token_ids: torch.Tensor, lengths: Sequence[int], labels: torch.Tensor | None = None) -> MicroBatch:
    """Examples of these lengths. Without `labels` every token is supervised but the first of the row."""
    contents = Bin(
        input_ids=token_ids.numpy(),
        labels=(token_ids if labels is None else labels).numpy(),
        position_ids=np.concatenate([np.arange(length) for length in lengths]),
        sources=np.zeros(len(token_ids), np.int16),
    )
    return assemble([contents], CPU)


def row_examples(lengths: Sequence[int]) -> RowExamples:
    boundaries = torch.tensor([0, *np.cumsum(lengths)], dtype=torch.int32)
    return RowExamples(lengths=tuple(lengths), boundaries=boundaries)
