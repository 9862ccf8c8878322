"""Scaled dot-product attention within each example of a packed row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from blendtune_core.sizing.shape import SPANS, attention_span, needs_mask

OF_EACH_EXAMPLE = "sdpa_of_each_example"  # a name for transformers


def attention_of_each_example(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    example_lengths: Sequence[int] | None = None,
    **options: Any,
) -> tuple[Tensor, None]:
    """Causal attention of examples that follow one another in a row: [1, tokens, heads, width].

    `query` is [1, heads, tokens, width], and `example_lengths` add up to its tokens; without them, or with a
    mask of the model's own, the row is one example. A mask over the whole row would have the scores between
    examples computed, to be thrown away.
    """
    if attention_mask is not None or example_lengths is None:
        return sdpa_attention_forward(module, query, key, value, attention_mask, **options)[0], None
    lengths = list(example_lengths)
    examples = zip(*(torch.split(states, lengths, dim=2) for states in (query, key, value)), strict=True)
    outputs = [sdpa_attention_forward(module, *states, None, **options)[0] for states in examples]
    return torch.cat(outputs, dim=1), None


AttentionInterface.register(OF_EACH_EXAMPLE, attention_of_each_example)


def attend_within_examples(model: Any, longest: int) -> None:
    """Has a model that was loaded with SDPA use it, where a token sees all of its example before it.

    A sliding window that is shorter than the longest example, and layers of other kinds, need the mask.
    """
    config = model.config.get_text_config()
    span = attention_span({name: getattr(config, name, None) for name in SPANS})
    if not needs_mask(span, longest):
        model.set_attn_implementation(OF_EACH_EXAMPLE)


def attend_by_mask(model: Any) -> bool:
    """Has a model that attends within examples use a mask instead. Whether it was one."""
    if model.config._attn_implementation != OF_EACH_EXAMPLE:
        return False
    model.set_attn_implementation("sdpa")
    return True


def example_lengths(model: Any, position_ids: Tensor) -> dict[str, list[int]]:
    """What such a model is told of a row; positions, int64[1, tokens], begin anew at each example."""
    if model.config._attn_implementation != OF_EACH_EXAMPLE:
        return {}
    row = position_ids[0]
    starts = torch.nonzero(row == 0).squeeze(1)
    return {"example_lengths": torch.diff(starts, append=starts.new_tensor([len(row)])).tolist()}
