"""Checks on the loaded model that examples of one bin do not attend to each other."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from blendtune_runtime.errors import BadModel
from blendtune_trainer.blending.packed import IGNORED_LABEL, Bin
from blendtune_trainer.model.attention import fall_back_to_mask
from blendtune_trainer.ranks.group import Ranks
from blendtune_trainer.training.loss import SupervisedLoss
from blendtune_trainer.training.microbatch import assemble, evaluating, forward

_TOKENS = 24  # of each example
_TOLERANCE = 1e-4  # of the loss, relative; without attention across examples the losses are equal
_TOLERANCE_OF_EXPERTS = 1e-2  # the rounding of experts in 16 bits depends on the other tokens of the row


def require_separation(engine: Any, ranks: Ranks, dtype: torch.dtype, vocabulary_size: int) -> bool:
    """Raises BadModel if the loss of an example depends on the example before it in the bin.

    Some models mask only padding, others have recurrent state: their examples would see unrelated rows. A
    model that does not pass the lengths of the examples on to its attention falls back to a mask. Returns
    whether it did. Every rank calls it, and all reach the same decision.
    """
    model = engine.module.model
    experts = any("expert" in name for name, _ in model.named_modules())
    tolerance = _TOLERANCE_OF_EXPERTS if experts and dtype is not torch.float32 else _TOLERANCE
    after_same, after_other = _losses(engine, ranks.device, vocabulary_size)
    masked = ranks.any(_differ(after_same, after_other, tolerance)) and fall_back_to_mask(model)
    if masked:
        if ranks.is_first:
            print("the model does not hand the lengths of examples on: its attention gets a mask", flush=True)
        after_same, after_other = _losses(engine, ranks.device, vocabulary_size)
    _check(after_same, after_other, ranks.any(_differ(after_same, after_other, tolerance)))
    return masked


def require_separation_on_cpu(model: Any, vocabulary_size: int) -> None:
    """The same for a model in float32 on this machine, without ranks."""
    loss, device = SupervisedLoss(model), torch.device("cpu")
    losses = _losses(loss, device, vocabulary_size)
    if _differ(*losses, _TOLERANCE) and fall_back_to_mask(model):
        losses = _losses(loss, device, vocabulary_size)
    _check(*losses, _differ(*losses, _TOLERANCE))


def _check(after_same: float, after_other: float, differ: bool) -> None:
    """Raises BadModel if the two losses of an example differ."""
    if differ:
        raise BadModel(
            "spec.model.uri: examples of one bin see one another in this model: the loss of an example is "
            f"{after_same:.4f} behind its like and {after_other:.4f} behind another. Set "
            "spec.training.attention: sdpa where it is another, or choose a model whose attention begins "
            "anew where position_ids do"
        )


def _differ(one: float, other: float, tolerance: float) -> bool:
    """Whether two losses differ. False if one is not a number, which the first step reports as divergence."""
    return abs(one - other) > tolerance * max(one, other)


def _losses(engine: Any, device: torch.device, vocabulary_size: int) -> tuple[float, float]:
    """Mean loss of an example in a bin, first after a copy of itself, then after another example."""
    example, other = np.random.default_rng(0).integers(0, vocabulary_size, (2, _TOKENS))
    with evaluating(engine):
        same, different = (
            float(forward(engine, assemble([_bin(before, example)], device))) / (_TOKENS - 1)
            for before in (example, other)
        )
    return same, different


def _bin(before: NDArray[np.int64], example: NDArray[np.int64]) -> Bin:
    """A bin of two examples, of which only the second is supervised."""
    ignored = np.full(_TOKENS + 1, IGNORED_LABEL, np.int64)  # nothing predicts the first token of an example
    return Bin(
        input_ids=np.concatenate([before, example]),
        labels=np.concatenate([ignored, example[1:]]),
        position_ids=np.tile(np.arange(_TOKENS), 2),
        sources=np.zeros(2 * _TOKENS, np.int16),
    )
