"""What a training costs: arithmetic, communication, time and disk."""

from __future__ import annotations

from blendtune_core.sizing.shape import ModelShape
from blendtune_core.sizing.weights import Weights

# Published trainings of 7B to 33B on A100-80GB reach 0.47 to 0.64: llm-foundry's benchmarks (MPT-7B 0.64, 13B
# 0.60, 30B with recomputed activations 0.55) and the GPU hours of LLaMA (arXiv 2302.13971, table 15). This
# value is below all of them, so a run ends earlier than estimated rather than later.
ASSUMED_MFU = 0.40

# Bytes per second and direction of one GPU: NVLink 3 within a node, and one 200 Gb/s InfiniBand port between
# nodes (NVIDIA's data sheet of the DGX A100). They only serve to rank layouts.
_WITHIN_NODE = 300e9
_BETWEEN_NODES = 25e9


def flops_per_token(shape: ModelShape, weights: Weights, sequence_length: int) -> float:
    """FLOPs per token, forward and backward: 6N + 12 L h s (arXiv 2204.02311, appendix B).

    A frozen parameter costs 4 instead of 6, because its own gradient is not computed. Since s is the length
    of a bin, attention is overstated if bins hold several examples. Recomputed activations are not counted.
    """
    attention = 12 * shape.layers * shape.query_size * sequence_length
    return 6 * weights.trained + 4 * weights.frozen + attention


def recomputed_flops_per_token(shape: ModelShape, weights: Weights, sequence_length: int) -> float:
    """FLOPs per token of the second forward pass, which recomputes the activations."""
    attention = 4 * shape.layers * shape.query_size * sequence_length
    return 2 * (weights.trained + weights.frozen) + attention


def communication_seconds(
    weights: Weights, element: int, *, stage: int, micro_batches: int, ranks: int, nodes: int
) -> float:
    """Seconds of an optimizer step that one of `ranks` GPUs spends on sending (arXiv 1910.02054, section 7).

    ZeRO stage 1 reduces the gradients and gathers the weights once per step. Stage 2 reduces the gradients in
    every micro-batch. Stage 3 also gathers the weights twice per micro-batch; only then frozen weights are
    sent too.
    """
    times = {1: 2, 2: micro_batches + 1, 3: 3 * micro_batches}[stage]
    gathered = 2 * micro_batches if stage == 3 else 0
    sent = element * (times * weights.trained + gathered * weights.frozen)
    bandwidth = _WITHIN_NODE if nodes == 1 else _BETWEEN_NODES
    return sent * (ranks - 1) / ranks / bandwidth


def training_seconds(tokens: int, token_flops: float, gpus: int, peak_flops: float, mfu: float) -> float:
    """Seconds of the optimizer steps over `tokens`, without loading, validation, checkpoints and export."""
    return tokens * token_flops / (gpus * peak_flops * mfu)


def checkpoint_bytes(weights: Weights, element: int = 2) -> int:
    """Bytes of a checkpoint: weights, fp32 master weights and Adam's two moments of what is trained."""
    return (element + 12) * weights.trained


def disk_bytes(
    weights: Weights,
    keep: int,
    *,
    downloaded: bool,
    epoch_models: int = 0,
    interpolated: int = 0,
    element: int = 2,
) -> int:
    """The most bytes that a run needs in its workspace: base model, `keep` checkpoints and one being written,
    the tuned model, the models of earlier epochs and those between it and the base model.

    The base model counts, in 16 bits, only if it is downloaded. A LoRA leaves the merged model and the
    adapter. The blend is not included: about 6 bytes per token of the sources.
    """
    base = 2 * weights.base if downloaded else 0
    tuned = element * (weights.trained + weights.frozen)
    return base + (keep + 1) * checkpoint_bytes(weights, element) + (1 + epoch_models + interpolated) * tuned
