"""Attention within each example of a packed row, without a mask over the whole row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from blendtune_core.sizing.shape import SPANS, attention_span, needs_mask

SDPA_PER_EXAMPLE = "sdpa_per_example"  # its name in transformers


def sdpa_per_example(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    example_lengths: Sequence[int] | None = None,
    **options: Any,
) -> tuple[Tensor, None]:
    """Causal SDPA within each example of a row. Returns [1, tokens, heads, width].

    `query` is [1, heads, tokens, width]; `key` and `value` may have fewer heads. `example_lengths` sum to the
    tokens. Without them, or if the model passes a mask of its own, the row is treated as one example.
    A mask over the whole row would be slower: the scores between examples would be computed and discarded.
    """
    if attention_mask is not None or example_lengths is None:
        return sdpa_attention_forward(module, query, key, value, attention_mask, **options)[0], None
    lengths = list(example_lengths)
    examples = zip(*(torch.split(states, lengths, dim=2) for states in (query, key, value)), strict=True)
    outputs = [sdpa_attention_forward(module, *states, None, **options)[0] for states in examples]
    return torch.cat(outputs, dim=1), None


AttentionInterface.register(SDPA_PER_EXAMPLE, sdpa_per_example)


def attend_within_examples(model: Any, longest: int) -> None:
    """Switches a model that was loaded with SDPA to SDPA_PER_EXAMPLE, if it needs no mask.

    It needs a mask if its sliding window is shorter than `longest`, the tokens of the longest example, or if
    it has layers of other kinds.
    """
    config = model.config.get_text_config()
    span = attention_span({name: getattr(config, name, None) for name in SPANS})
    if not needs_mask(span, longest):
        model.set_attn_implementation(SDPA_PER_EXAMPLE)


def fall_back_to_mask(model: Any) -> bool:
    """Switches a model from SDPA_PER_EXAMPLE to SDPA with a mask. Returns whether it was switched."""
    if model.config._attn_implementation != SDPA_PER_EXAMPLE:
        return False
    model.set_attn_implementation("sdpa")
    return True


def example_lengths(model: Any, position_ids: Tensor) -> dict[str, list[int]]:
    """The keyword argument with the lengths of a row's examples; empty for a model that does not use it.

    `position_ids`, int64[1, tokens], restart at 0 in each example.
    """
    if model.config._attn_implementation != SDPA_PER_EXAMPLE:
        return {}
    row = position_ids[0]
    starts = torch.nonzero(row == 0).squeeze(1)
    return {"example_lengths": torch.diff(starts, append=starts.new_tensor([len(row)])).tolist()}
