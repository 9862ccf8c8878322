"""Attention within each example of a packed row: how a model is told where its examples begin.

Most models of transformers see the restarts of `position_ids` and mask by them. A mask over the whole row is
slow, though: the scores between examples are computed and discarded. So the lengths of the examples are
handed to the attention itself where the model passes them on: to one kernel for all of them (VARLEN) or to
one call for each (PER_EXAMPLE). Some models look at the restarts
nowhere: they are told the lengths, or are given a mask, whatever else they might be asked to use.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.models.gpt_oss.modeling_gpt_oss import eager_attention_forward as attention_with_sinks

from blendtune_core.sizing.shape import SPANS, attention_span, needs_mask
from blendtune_trainer.model.varlen import VARLEN

PER_EXAMPLE = "per_example"  # its name in transformers
# Model types whose own masks, and FlashAttention, do not see where an example begins (transformers 5.23).
BLIND_TO_RESTARTS = frozenset({"biogpt", "falcon", "gpt_oss", "opt", "xglm"})
_TAKE_A_MASK = frozenset({"falcon", "xglm"})  # of these: do not pass the lengths on, but use a given mask
_WITH_SINKS = "gpt_oss"  # its attention passes the sinks and the window of a layer on


@dataclass(frozen=True, kw_only=True, slots=True)
class RowExamples:
    """Where the examples of a row begin and end: on the host, and on the device."""

    lengths: tuple[int, ...]  # tokens of each example
    boundaries: Tensor  # int32[examples + 1]: the first token of each, and the end of the row


Attend = Callable[[Tensor, Tensor, Tensor], Tensor]  # one example's query, key and value -> its output


def per_example(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    example_lengths: Sequence[int] | None = None,
    **options: Any,
) -> tuple[Tensor, None]:
    """Causal attention within each example of a row. Returns [1, tokens, heads, width].

    `query` is [1, heads, tokens, width]; `key` and `value` may have fewer heads. `example_lengths` sum to the
    tokens. Without them, or if the model passes a mask of its own, the row is treated as one example.
    """
    if attention_mask is not None or example_lengths is None:
        return sdpa_attention_forward(module, query, key, value, attention_mask, **options)[0], None
    attend = _with_sinks(module, options) if "s_aux" in options else _sdpa(module, options)
    lengths = list(example_lengths)
    examples = zip(*(torch.split(states, lengths, dim=2) for states in (query, key, value)), strict=True)
    return torch.cat([attend(*states) for states in examples], dim=1), None


AttentionInterface.register(PER_EXAMPLE, per_example)


def attend_within_examples(model: Any, longest: int, *, one_kernel: bool = False) -> None:
    """Switches a model that was loaded without FlashAttention to VARLEN if `one_kernel`; else to PER_EXAMPLE,
    if it can and needs no mask.

    It needs a mask if its sliding window is shorter than `longest`, the tokens of the longest example, or if
    it has layers of other kinds.
    """
    if one_kernel:
        model.set_attn_implementation(VARLEN)
        return
    config = model.config.get_text_config()
    span = attention_span({name: getattr(config, name, None) for name in SPANS})
    can = model._supports_sdpa and config.model_type not in _TAKE_A_MASK
    if config.model_type == _WITH_SINKS or (can and not needs_mask(span, longest)):
        model.set_attn_implementation(PER_EXAMPLE)


def fall_back_to_mask(model: Any) -> bool:
    """Switches a model from PER_EXAMPLE or VARLEN to SDPA with a mask. Returns whether it was switched."""
    if (
        model.config._attn_implementation not in (PER_EXAMPLE, VARLEN)
        or model.config.model_type in BLIND_TO_RESTARTS
    ):
        return False
    model.set_attn_implementation("sdpa")
    return True


def example_arguments(model: Any, position_ids: Tensor, examples: RowExamples) -> dict[str, Any]:
    """The keyword arguments by which a model learns where the examples of a row are; empty if it sees it.

    `position_ids`, int64[1, tokens], restart at 0 in each example.
    """
    if model.config._attn_implementation == PER_EXAMPLE:
        return {"example_lengths": examples.lengths}
    if model.config._attn_implementation == VARLEN:
        return {"example_boundaries": examples.boundaries, "longest_example": max(examples.lengths)}
    if model.config.get_text_config().model_type in _TAKE_A_MASK:
        return {"attention_mask": _block_mask(position_ids[0], model.dtype)}
    return {}


def _block_mask(positions: Tensor, dtype: torch.dtype) -> Tensor:
    """[1, 1, tokens, tokens], added to the scores: 0 for earlier tokens of the same example, else -inf.

    The lowest finite number stands for -inf.
    """
    example = torch.cumsum(positions == 0, dim=0)
    seen = torch.ones(len(positions), len(positions), dtype=torch.bool, device=positions.device).tril()
    seen &= example[:, None] == example[None, :]
    return _added(seen, dtype)


def _added(seen: Tensor, dtype: torch.dtype) -> Tensor:
    """A mask to add to the scores, [1, 1, tokens, tokens], of a boolean one, [tokens, tokens]."""
    hidden = torch.finfo(dtype).min
    return torch.zeros(seen.shape, dtype=dtype, device=seen.device).masked_fill(~seen, hidden)[None, None]


def _sdpa(module: nn.Module, options: dict[str, Any]) -> Attend:
    def attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        output: Tensor = sdpa_attention_forward(module, query, key, value, None, **options)[0]
        return output

    return attend


def _with_sinks(module: nn.Module, options: dict[str, Any]) -> Attend:
    """The attention of gpt-oss: each head may attend to a sink, and some layers see only a window."""
    scaling, dropout, window = options["scaling"], options["dropout"], options.get("sliding_window")

    def attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        tokens = query.shape[2]
        seen = torch.ones(tokens, tokens, dtype=torch.bool, device=query.device).tril()
        if window is not None:
            seen = seen.triu(1 - window)
        mask = _added(seen, query.dtype)
        output: Tensor = attention_with_sinks(module, query, key, value, mask, scaling, dropout)[0]
        return output

    return attend
