"""The shape of a decoder: the sizes in its config.json on which memory and computation depend."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any


class ShapeError(ValueError):
    """A config.json from which the model's shape cannot be read. The message says what to do."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelShape:
    """The sizes of a decoder-only language model."""

    parameters: int  # tied weights count once
    largest_layer_parameters: int  # of one module, without its children
    layers: int
    hidden_size: int
    intermediate_size: int  # of the feed-forward network
    attention_heads: int
    query_size: int  # of all heads together
    key_value_size: int  # of the keys of all heads; the values have the same size
    vocabulary_size: int
    attention_span: int | None = None  # tokens that every layer attends to; None: all
    plain_scores: bool = True  # of attention: neither capped nor dropped at random
    fusable: bool = False  # whether Liger's kernels are known to compute its layers


@dataclass(frozen=True, kw_only=True, slots=True)
class _Family:
    """What the config.json of a model type does not state. The defaults are those of transformers."""

    query_key_value_bias: bool = False
    norms_per_layer: int = 2
    normalises_heads: bool = False
    fuses_gate_and_up: bool = False
    ties_embeddings: bool = False
    head_size: int | None = None  # None: hidden size / heads


_FAMILIES: Mapping[str, _Family] = {
    "llama": _Family(),
    "mistral": _Family(),
    "qwen2": _Family(query_key_value_bias=True),
    "qwen3": _Family(normalises_heads=True, head_size=128),
    "phi3": _Family(fuses_gate_and_up=True),
    "gemma": _Family(ties_embeddings=True, head_size=256),
    "gemma2": _Family(ties_embeddings=True, head_size=256, norms_per_layer=4),
}

# Model types whose loss and gradients with Liger's kernels a test compares with those without.
FUSABLE = frozenset({"gemma", "llama", "mistral", "phi3", "qwen2", "qwen3"})

SIZES = (
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "head_dim",
    "intermediate_size",
    "vocab_size",
)
SPANS = ("layer_types", "sliding_window", "use_sliding_window")
SCORES = ("attn_logit_softcapping", "attention_dropout", "attn_pdrop")
_LARGEST_HEAD = 256  # of FlashAttention's kernels, whose heads are multiples of 8
_OTHER_NAMES: Mapping[str, tuple[str, ...]] = {  # of GPT-2 and OPT
    "hidden_size": ("n_embd",),
    "num_hidden_layers": ("n_layer",),
    "num_attention_heads": ("n_head",),
    "intermediate_size": ("n_inner", "ffn_dim"),
}


def read_shape(config: Mapping[str, Any], parameters: int | None = None) -> ModelShape:
    """The shape of the model with this config.json.

    Without `parameters` the parameters are counted, which works for the known model types. Raises ShapeError
    if a size is missing or the parameters cannot be counted.
    """
    nested = config.get("text_config")
    if isinstance(nested, Mapping) and "hidden_size" not in config:
        config = nested
    family = _FAMILIES.get(str(config.get("model_type")))
    hidden, heads = _size(config, "hidden_size"), _size(config, "num_attention_heads")
    default_head_size = family.head_size if family else None
    head_size = _size(config, "head_dim", default_head_size or hidden // heads)
    shape = ModelShape(
        parameters=parameters or 0,
        largest_layer_parameters=0,
        layers=_size(config, "num_hidden_layers"),
        hidden_size=hidden,
        intermediate_size=_size(config, "intermediate_size", 4 * hidden),
        attention_heads=heads,
        query_size=heads * head_size,
        key_value_size=_size(config, "num_key_value_heads", heads) * head_size,
        vocabulary_size=_size(config, "vocab_size"),
        attention_span=attention_span(config),
        plain_scores=not any(config.get(name) for name in SCORES),
        fusable=config.get("model_type") in FUSABLE,
    )
    if parameters is None:
        if family is None:
            known = ", ".join(sorted(_FAMILIES))
            raise ShapeError(
                f"the parameters of model type {config.get('model_type')!r} are not counted here, only those "
                f"of {known}: give their number"
            )
        shape = replace(shape, parameters=_count(shape, config, family))
    return replace(shape, largest_layer_parameters=_largest_layer(shape, family))


def attention_span(config: Mapping[str, Any]) -> int | None:
    """The number of tokens that every layer attends to, including the token itself. None means all tokens,
    0 means unknown.
    """
    kinds = set(config.get("layer_types") or ())
    window = config.get("sliding_window")
    if kinds - {"full_attention", "sliding_attention"}:
        return 0
    if not window or config.get("use_sliding_window") is False or kinds == {"full_attention"}:
        return None
    return int(window)


def needs_mask(span: int | None, tokens: int) -> bool:
    """Whether some layer may not see the whole of an example of `tokens` tokens, by its attention `span`."""
    return span is not None and span < tokens


def varlen_serves(shape: ModelShape) -> bool:
    """Whether one kernel for a row of examples (torch's varlen_attn) computes the attention of this shape.

    Heads are multiples of 8 up to 256 in even groups; each layer sees all earlier tokens, or a window.
    """
    head = shape.query_size // shape.attention_heads
    even = shape.query_size % shape.key_value_size == 0
    return (
        head % 8 == 0 and head <= _LARGEST_HEAD and even and shape.attention_span != 0 and shape.plain_scores
    )


def _size(config: Mapping[str, Any], name: str, default: int | None = None) -> int:
    for key in (name, *_OTHER_NAMES.get(name, ())):
        value = config.get(key)
        if value is None:
            continue
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise ShapeError(f"{key} must be a whole number above 0, not {value!r}")
        return value
    if default is None:
        raise ShapeError(f"there is no {name}: is it the config.json of a language model?")
    return default


def _count(shape: ModelShape, config: Mapping[str, Any], family: _Family) -> int:
    """The number of parameters of a decoder with a gated feed-forward network."""
    hidden, intermediate = shape.hidden_size, shape.intermediate_size
    projected = shape.query_size + 2 * shape.key_value_size
    attention = hidden * (projected + shape.query_size)
    if family.query_key_value_bias:
        attention += projected
    elif config.get("attention_bias"):
        attention += projected + hidden
    if family.normalises_heads:
        attention += 2 * (shape.query_size // shape.attention_heads)
    feed_forward = 3 * hidden * intermediate
    if config.get("mlp_bias"):
        feed_forward += 2 * intermediate + hidden
    layer = attention + feed_forward + family.norms_per_layer * hidden
    tied = config.get("tie_word_embeddings", family.ties_embeddings)
    return shape.layers * layer + hidden + (1 if tied else 2) * shape.vocabulary_size * hidden


def _largest_layer(shape: ModelShape, family: _Family | None) -> int:
    fused = 2 if family and family.fuses_gate_and_up else 1
    return shape.hidden_size * max(shape.vocabulary_size, fused * shape.intermediate_size, shape.query_size)
