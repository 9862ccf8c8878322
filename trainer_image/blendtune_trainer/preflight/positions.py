"""Whether the model has a position for each token of an example."""

from __future__ import annotations

from typing import Any

from torch import nn

from blendtune_runtime.errors import BadConfiguration

_EXTRA_ROWS = 2  # that some models keep before the first position


def require_positions(sequence_length: int, model: Any) -> None:
    """Raises BadConfiguration if examples may be longer than a model with learned positions reads.

    Rotary and relative positions are computed: they go on beyond `max_position_embeddings`, if less well.
    """
    most: int | None = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    if most is not None and sequence_length > most and _learned(model, most):
        raise BadConfiguration(
            f"spec.training.sequenceLength: {sequence_length:,} is more than the {most:,} positions that the "
            f"model has learned: set it to {most} at most, or use a model that reads longer texts"
        )


def _learned(model: Any, most: int) -> bool:
    """Whether an embedding other than that of tokens has a row for each position (OPT's has two more)."""
    tokens = model.get_input_embeddings()
    others = (each for each in model.modules() if isinstance(each, nn.Embedding) and each is not tokens)
    return any(0 <= each.num_embeddings - most <= _EXTRA_ROWS for each in others)
