"""What must hold of a base model for any training of it, whatever its rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from blendtune_api.v1alpha1 import BlendedFineTuneSpec
from blendtune_core.sizing.describe import refusal
from blendtune_core.sizing.layout import Setup
from blendtune_runtime.errors import DoesNotFit
from blendtune_trainer.model.kernels import require_kernels
from blendtune_trainer.model.load import require_attention
from blendtune_trainer.preflight.positions import require_positions
from blendtune_trainer.preflight.vocabulary import require_own_tokenizer
from blendtune_trainer.preflight.weights import require_weights


def require_fit(setup: Setup) -> None:
    """Raises DoesNotFit if the training does not fit its GPUs."""
    refused = refusal(setup)
    if refused is not None:
        raise DoesNotFit(f"spec.cluster: {refused}")


def require_trainable(spec: BlendedFineTuneSpec, base: Path, tokenizer: Any) -> Any:
    """The model in `base` on the meta device: weights, tokenizer, attention, kernels and positions will do.

    Raises as the functions it calls.
    """
    model = require_weights(base)
    require_own_tokenizer(tokenizer, model)
    require_attention(spec.training, model.config)
    require_kernels(spec.training, model.config)
    require_positions(spec.training.sequence_length, model)
    return model
