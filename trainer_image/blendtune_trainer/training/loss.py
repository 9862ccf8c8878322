"""The training loss: negative log-likelihood, in nats, summed over the supervised tokens of a bin."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from blendtune_core.sizing.memory import LOSS_CHUNK_BYTES
from blendtune_trainer.blending.packed import IGNORED_LABEL
from blendtune_trainer.model.attention import example_lengths


class SupervisedLoss(nn.Module):
    """Wraps a causal language model so that its forward pass is the loss.

    The head runs on the positions that predict a supervised token and on no other, which spares most of its
    work and memory. It runs within the model's own forward pass, so ZeRO-3 gathers it and a model's own
    scaling of its logits is kept.
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: Tensor, labels: Tensor, position_ids: Tensor) -> Tensor:
        """Sum of the negative log-likelihoods. All arguments are int64[1, n]; labels are not shifted.

        `position_ids` restart at each example. The model is told the lengths, or finds the restarts, which it
        looks for only where there is neither an attention mask nor a cache.
        """
        predicting = torch.nonzero(labels[0, 1:] != IGNORED_LABEL).squeeze(1)  # [m]
        logits = self.model(
            input_ids=input_ids,
            position_ids=position_ids,
            logits_to_keep=predicting,
            use_cache=False,
            **example_lengths(self.model, position_ids),
        ).logits
        return summed_nll(logits[0], labels[0, predicting + 1])


def summed_nll(logits: Tensor, targets: Tensor) -> Tensor:
    """Sum over the rows of -log softmax(logits)[target]; logits are [m, vocabulary], targets int64[m].

    The softmax is taken in float32, chunk by chunk; with more than one chunk, each is computed again in the
    backward pass instead of being kept.
    """
    chunk = max(1, LOSS_CHUNK_BYTES // (4 * logits.shape[-1]))
    if len(targets) <= chunk:
        return _chunk_nll(logits, targets)
    parts = zip(torch.split(logits, chunk), torch.split(targets, chunk), strict=True)
    return torch.stack([checkpoint(_chunk_nll, *part, use_reentrant=False) for part in parts]).sum()


def _chunk_nll(logits: Tensor, targets: Tensor) -> Tensor:
    return functional.cross_entropy(logits.float(), targets, reduction="sum")
