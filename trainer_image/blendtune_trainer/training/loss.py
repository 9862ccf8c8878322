"""The training loss: negative log-likelihood, in nats, summed over the supervised tokens of a bin."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from blendtune_core.sizing.memory import LOSS_CHUNK_BYTES
from blendtune_trainer.model.attention import RowExamples, example_arguments


class SupervisedLoss(nn.Module):
    """Wraps a causal language model so that its forward pass returns the loss.

    The head runs only on the positions that predict a supervised token, which saves most of its work and
    memory. It runs within the forward pass of the model, so that ZeRO-3 gathers its weights and the model can
    scale its logits.
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(
        self,
        input_ids: Tensor,
        position_ids: Tensor,
        predicting: Tensor,
        targets: Tensor,
        *,
        examples: RowExamples,
        read: Callable[[Tensor], None] | None = None,
    ) -> Tensor:
        """The summed negative log-likelihood, in nats. The arguments are those of a `MicroBatch`.

        The model gets the lengths of the examples, or detects the restarts of `position_ids`, which
        transformers does only without an attention mask and without a cache. `read` gets the logits that
        predict the supervised tokens, [m, vocabulary].
        """
        logits = self.model(
            input_ids=input_ids,
            position_ids=position_ids,
            logits_to_keep=predicting,
            use_cache=False,
            **example_arguments(self.model, position_ids, examples),
        ).logits
        if read is not None:
            read(logits[0])
        return summed_nll(logits[0], targets)


def summed_nll(logits: Tensor, targets: Tensor) -> Tensor:
    """Sum over the rows of -log softmax(logits)[target]. logits are [m, vocabulary], targets int64[m].

    The softmax is computed in float32 and in chunks. If there is more than one chunk, each is recomputed in
    the backward pass to save memory.
    """
    vocabulary = logits.shape[-1]
    if len(targets) <= _rows_of_chunk(vocabulary):
        return _chunk_nll(logits, targets)
    chunks = zip(split_rows(logits, vocabulary), split_rows(targets, vocabulary), strict=True)
    return torch.stack([checkpoint(_chunk_nll, *each, use_reentrant=False) for each in chunks]).sum()


def split_rows(rows: Tensor, vocabulary: int) -> tuple[Tensor, ...]:
    """Chunks of rows whose logits take at most LOSS_CHUNK_BYTES in float32."""
    return torch.split(rows, _rows_of_chunk(vocabulary))


def _rows_of_chunk(vocabulary: int) -> int:
    return max(1, LOSS_CHUNK_BYTES // (4 * vocabulary))


def _chunk_nll(logits: Tensor, targets: Tensor) -> Tensor:
    return functional.cross_entropy(logits.float(), targets, reduction="sum")
