"""A trial on the model itself, before the first step: examples of one bin must not see one another."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from blendtune_runtime.errors import BadModel
from blendtune_trainer.blending.packed import IGNORED_LABEL, Bin
from blendtune_trainer.model.attention import attend_by_mask
from blendtune_trainer.ranks.group import Ranks
from blendtune_trainer.training.microbatch import evaluating, forward

_TOKENS = 24  # of each example
_TOLERANCE = 1e-4  # of the loss; where nothing is seen, not a bit differs
_TOLERANCE_OF_EXPERTS = 1e-2  # in 16 bits they round otherwise in other company


def require_separation(engine: Any, ranks: Ranks, dtype: torch.dtype, vocabulary_size: int) -> None:
    """Raises StageError where the loss of an example depends on the one before it in the bin.

    Some models mask by padding alone, others carry a state along: they would learn from rows that have
    nothing to do with each other. A model that does not hand the lengths of examples on to its attention gets
    a mask. Every rank calls it, and all decide alike.
    """
    model = engine.module.model
    experts = any("expert" in name for name, _ in model.named_modules())
    tolerance = _TOLERANCE_OF_EXPERTS if experts and dtype is not torch.float32 else _TOLERANCE
    like, behind = _losses(engine, ranks.device, vocabulary_size)
    if ranks.any(_differ(like, behind, tolerance)) and attend_by_mask(model):
        if ranks.is_first:
            print("the model does not hand the lengths of examples on: its attention gets a mask", flush=True)
        like, behind = _losses(engine, ranks.device, vocabulary_size)
    if ranks.any(_differ(like, behind, tolerance)):
        raise BadModel(
            "spec.model.uri: examples of one bin see one another in this model: the loss of an example is "
            f"{like:.4f} behind its like and {behind:.4f} behind another. Set spec.training.attention: "
            "sdpa where it is another, or choose a model whose attention begins anew where position_ids do"
        )


def _differ(one: float, other: float, tolerance: float) -> bool:
    """False for what is not a number: a damaged model is told of by its first step."""
    return abs(one - other) > tolerance * max(one, other)


def _losses(engine: Any, device: torch.device, vocabulary_size: int) -> tuple[float, float]:
    """Loss of an example in a bin behind the same one, and behind another."""
    example, other = np.random.default_rng(0).integers(0, vocabulary_size, (2, _TOKENS))
    with evaluating(engine):
        same, different = (
            float(forward(engine, [_bin(before, example)], device)) / (_TOKENS - 1)
            for before in (example, other)
        )
    return same, different


def _bin(before: NDArray[np.int64], example: NDArray[np.int64]) -> Bin:
    """Two examples, of which the second is learnt from."""
    ignored = np.full(_TOKENS + 1, IGNORED_LABEL, np.int64)  # nothing predicts the second's first token
    return Bin(
        input_ids=np.concatenate([before, example]),
        labels=np.concatenate([ignored, example[1:]]),
        position_ids=np.tile(np.arange(_TOKENS), 2),
        sources=np.zeros(2 * _TOKENS, np.int16),
    )
