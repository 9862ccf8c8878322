"""Attention to all examples of a row in one kernel: torch's own, in 16 bits on CUDA."""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn.attention.varlen import varlen_attn
from transformers import MODEL_FOR_CAUSAL_LM_MAPPING, AttentionInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from blendtune_api.v1alpha1 import Attention
from blendtune_runtime.errors import BadModel

VARLEN = str(Attention.VARLEN)  # its name in transformers
_LEAST_CAPABILITY = (8, 0)  # FlashAttention's kernels in torch are for Ampere and later
_CHANGE_SCORES = ("softcap", "s_aux")  # arguments of models whose scores are capped or meet a sink


class VarlenKernel(Protocol):
    """What torch.nn.attention.varlen.varlen_attn takes, as it is used here.

    query is [tokens, heads, width]; key and value may have fewer heads. cu_seq, int32[examples + 1], is where
    the examples begin and the row ends. window_size is how many tokens before and after its own a token sees,
    -1 being all. Returns [tokens, heads, width].
    """

    def __call__(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        cu_seq_q: Tensor,
        cu_seq_k: Tensor,
        max_q: int,
        max_k: int,
        *,
        scale: float | None,
        window_size: tuple[int, int],
        enable_gqa: bool,
    ) -> Any: ...


kernel: VarlenKernel = varlen_attn


def varlen(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    example_boundaries: Tensor | None = None,
    longest_example: int = 0,
    scaling: float | None = None,
    sliding_window: int | None = None,
    dropout: float = 0.0,
    **options: Any,
) -> tuple[Tensor, None]:
    """Causal attention within each example of a row. Returns [1, tokens, heads, width].

    `query` is [1, heads, tokens, width]. Without the boundaries, or if the model passes a mask of its own,
    the row is treated as one example. Raises BadModel for what the kernel does not compute.
    """
    if attention_mask is not None or example_boundaries is None:
        return sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **options
        )[0], None
    if dropout or any(options.get(name) is not None for name in _CHANGE_SCORES):
        raise BadModel(
            "spec.training.attention: varlen knows neither dropout nor a cap on the scores nor sinks, and "
            "this model has one of them: set sdpa"
        )
    queries, keys, values = (states[0].transpose(0, 1) for states in (query, key, value))
    hidden = sliding_window is not None and sliding_window < longest_example
    output: Tensor = kernel(
        queries,
        keys,
        values,
        example_boundaries,
        example_boundaries,
        longest_example,
        longest_example,
        scale=scaling,
        window_size=(sliding_window - 1 if hidden and sliding_window else -1, 0),
        enable_gqa=query.shape[1] != key.shape[1],
    )
    return output[None], None


AttentionInterface.register(VARLEN, varlen)


def varlen_knows(config: Any) -> bool:
    """Whether a model with this config hands its attention over: without a mask, in heads of one size."""
    model = MODEL_FOR_CAUSAL_LM_MAPPING.get(type(config), None)
    latent = getattr(config.get_text_config(), "v_head_dim", None) is not None
    return bool(model and model._supports_sdpa and model._supports_flash_attn and not latent)


def varlen_runs(device: torch.device) -> bool:
    """Whether the kernel is there for this GPU."""
    return device.type == "cuda" and torch.cuda.get_device_capability(device) >= _LEAST_CAPABILITY
