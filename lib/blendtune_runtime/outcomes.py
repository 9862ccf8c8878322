"""A model's predictions, reduced to the outcomes of which `blendtune_core.divergence` speaks."""

from __future__ import annotations

import torch
from torch import Tensor

from blendtune_core.divergence import LIKELIEST


def likeliest_tokens(logits: Tensor) -> Tensor:
    """Ids of each position's likeliest tokens, int64[positions, k], k at most LIKELIEST.

    `logits` are [positions, vocabulary].
    """
    return logits.topk(min(LIKELIEST, logits.shape[1]), dim=1).indices


def outcomes(logits: Tensor, token_ids: Tensor) -> Tensor:
    """Natural logarithms of probabilities: of the given tokens and, last, of all others together.

    `logits` are [positions, vocabulary], `token_ids` int64[positions, k]; the result is float32[positions,
    k + 1]. The sum over the others is their own, because one less the sum over the k tokens would be mostly
    rounding where they are almost certain. It holds two float32 copies of the logits.
    """
    logarithms = logits.float().log_softmax(1)
    given = logarithms.gather(1, token_ids)
    others = logarithms.scatter_(1, token_ids, -torch.inf).logsumexp(1, keepdim=True)
    return torch.cat([given, others], dim=1)
