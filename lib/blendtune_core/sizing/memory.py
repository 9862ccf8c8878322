"""Memory of one GPU: model states by ZeRO stage, and the activations and logits of a micro-batch."""

from __future__ import annotations

from blendtune_api.contract import Memory
from blendtune_api.v1alpha1 import Attention, Precision
from blendtune_core.sizing.shape import ModelShape
from blendtune_core.sizing.weights import Weights

STAGES = (1, 2, 3)
LOSS_CHUNK_BYTES = 256 * 2**20  # the most fp32 logits that the loss computes at a time

_MASTER_STATES = 16  # bytes per parameter, all fp32: gradient, master weight and Adam's two moments


def element_bytes(precision: Precision) -> int:
    """Bytes of a parameter and of an activation on a GPU. There `auto` is bf16."""
    return 4 if precision is Precision.FP32 else 2


def model_state_bytes(weights: Weights, stage: int, ranks: int, *, element: int = 2) -> int:
    """Bytes of the model states on one GPU: parameters, and gradients and Adam states of the trained ones.

    Without frozen parameters and with 2 bytes per element, stage 2 equals DeepSpeed's
    estimate_zero2_model_states_mem_needs without offload. Stage 1 is stage 2 with the gradients replicated on
    every GPU (arXiv 1910.02054, section 5).
    """
    replicated, partitioned = split_states(weights, stage, element)
    return replicated + partitioned // ranks


def split_states(weights: Weights, stage: int, element: int) -> tuple[int, int]:
    """(replicated, partitioned): bytes that every GPU holds, and bytes that are partitioned over the ranks.

    Raises ValueError for a stage other than 1, 2 and 3.
    """
    trained, frozen = weights.trained, element * weights.frozen
    if stage == 1:
        return frozen + 2 * element * trained, _MASTER_STATES * trained
    if stage == 2:
        return frozen + element * trained, (element + _MASTER_STATES) * trained
    if stage == 3:
        return 0, frozen + (element + _MASTER_STATES) * trained
    raise ValueError(f"there is no ZeRO stage {stage}: it must be 1, 2 or 3")


def gathered_layer_bytes(
    largest_layer_parameters: int, stage: int, *, frozen: bool = False, element: int = 2
) -> int:
    """Bytes of the largest layer's weights and gradients, which stage 3 gathers while it computes with them.

    A `frozen` layer has no gradients. With 2 bytes per trained element, this and the model states together
    equal DeepSpeed's estimate_zero3_model_states_mem_needs without offload.
    """
    if stage != 3:
        return 0
    return (1 if frozen else 2) * element * largest_layer_parameters


def activation_bytes(
    shape: ModelShape,
    tokens: int,
    *,
    checkpointing: bool,
    attention: Attention,
    masked: bool = False,
    fused: bool = False,
    element: int = 2,
) -> int:
    """Bytes that a forward pass over `tokens` keeps for the backward pass, without logits.

    `masked` means SDPA with a mask over all tokens, instead of attention to each example separately; `fused`
    that Liger's kernels compute norms and feed-forward networks. With `checkpointing` each layer's input is
    kept, and the activations of one layer at a time, recomputed.
    """
    layer = _layer_bytes(shape, tokens, attention, masked, fused, element)
    if checkpointing:
        return shape.layers * element * tokens * shape.hidden_size + layer
    return shape.layers * layer


def _layer_bytes(
    shape: ModelShape, tokens: int, attention: Attention, masked: bool, fused: bool, element: int
) -> int:
    """Bytes that one LLaMA layer keeps, as transformers computes it, or Liger's kernels if `fused`.

    The two norms keep their input in fp32 and their result, Liger's only their input as it is; the
    projections keep their two inputs; attention keeps queries, keys, values and output; the gated
    feed-forward network keeps four vectors of its own size, Liger's three.
    """
    repeats_shared_heads = masked or attention is Attention.EAGER
    copies = shape.query_size if repeats_shared_heads else shape.key_value_size
    norms = 2 * (element if fused else 4 + element) * shape.hidden_size
    inputs = 2 * element * shape.hidden_size
    attended = 2 * element * (shape.query_size + copies)
    feed_forward = (3 if fused else 4) * element * shape.intermediate_size
    return tokens * (
        norms + inputs + attended + feed_forward + _score_bytes(shape, tokens, attention, masked, element)
    )


def _score_bytes(shape: ModelShape, tokens: int, attention: Attention, masked: bool, element: int) -> int:
    """Bytes per token of the attention scores and what replaces them.

    Every implementation but eager keeps a normaliser per head. SDPA also keeps the output of each example
    before they are concatenated or, if masked, the mask. Eager attention keeps all scores, in fp32 and as the
    weights of the values.
    """
    normalisers = 4 * shape.attention_heads
    match attention:
        case Attention.EAGER:
            return tokens * shape.attention_heads * (4 if element == 4 else 4 + element)
        case Attention.SDPA:
            return normalisers + element * (tokens if masked else shape.query_size)
        case _:
            return normalisers


def logits_bytes(vocabulary_size: int, tokens: int, *, element: int = 2) -> int:
    """Bytes of the logits and their gradient if every token is supervised.

    The loss works on chunks in fp32, and holds the logits of a chunk, their log-softmax and its gradient.
    """
    logits = tokens * vocabulary_size
    return 2 * element * logits + 3 * min(4 * logits, LOSS_CHUNK_BYTES)


def memory(
    shape: ModelShape,
    weights: Weights,
    tokens: int,
    *,
    stage: int,
    ranks: int,
    checkpointing: bool,
    attention: Attention,
    masked: bool = False,
    fused: bool = False,
    element: int = 2,
) -> Memory:
    """The peak memory of one of `ranks` GPUs while it trains on micro-batches of `tokens`."""
    return Memory(
        model_states=model_state_bytes(weights, stage, ranks, element=element),
        gathered_layer=gathered_layer_bytes(
            shape.largest_layer_parameters, stage, frozen=weights.frozen > 0, element=element
        ),
        activations=activation_bytes(
            shape,
            tokens,
            checkpointing=checkpointing,
            attention=attention,
            masked=masked,
            fused=fused,
            element=element,
        ),
        logits=logits_bytes(shape.vocabulary_size, tokens, element=element),
    )
