"""What a training costs: arithmetic, communication, time and disk."""

from __future__ import annotations

from dataclasses import dataclass

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


@dataclass(frozen=True, kw_only=True, slots=True)
class Sent:
    """Bytes that one GPU sends in an optimizer step, by rings."""

    among_all: float  # in collectives of all ranks
    within_node: float = 0.0  # in collectives of the ranks of a node, by hpZ

    @property
    def total(self) -> float:
        return self.among_all + self.within_node


def sent_bytes(
    weights: Weights, element: int, *, stage: int, micro_batches: int, ranks: int, hpz: int = 1
) -> Sent:
    """What one of `ranks` GPUs sends in an optimizer step of DeepSpeed; bench/nodes.py compares.

    By a ring of R ranks a GPU sends (R-1)/R of what is gathered, or reduced to a part for each rank, and
    twice as much of what is reduced to all. Stages 1 and 2 reduce gradients to all ranks, where arXiv
    1910.02054, section 7, has each keep a part: stage 1 once in a step, stage 2 in every micro-batch; then
    they gather the weights. Stage 3 reduces the gradients to parts and gathers the weights twice, in every
    micro-batch; only then frozen weights are sent too. If `hpz` ranks hold the weights together (arXiv
    2306.10209), all ranks gather them once in a step, and from then on only these.
    """
    trained = element * weights.trained
    gathered = element * (weights.trained + weights.frozen)
    if stage == 1:
        return Sent(among_all=_by_ring(3 * trained, ranks))
    if stage == 2:
        return Sent(among_all=_by_ring((2 * micro_batches + 1) * trained, ranks))
    if hpz == 1:
        return Sent(among_all=_by_ring(micro_batches * (trained + 2 * gathered), ranks))
    return Sent(
        among_all=_by_ring(micro_batches * trained + gathered, ranks),
        within_node=_by_ring((2 * micro_batches - 1) * gathered, hpz),
    )


def _by_ring(size: int, ranks: int) -> float:
    """What each of `ranks` sends of `size` bytes that are gathered, or reduced to parts."""
    return size * (ranks - 1) / ranks


def communication_seconds(sent: Sent, nodes: int) -> float:
    """Seconds that sending takes, if nothing is computed meanwhile."""
    return sent.among_all / (_WITHIN_NODE if nodes == 1 else _BETWEEN_NODES) + sent.within_node / _WITHIN_NODE


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
