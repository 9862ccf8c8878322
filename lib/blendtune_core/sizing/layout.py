"""The layout of a training on its GPUs (ZeRO stage, micro-batch, activation checkpointing), and whether it
fits.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import ceil

from blendtune_api.contract import GpuPreset, Layout
from blendtune_api.v1alpha1 import ActivationCheckpointing, Attention, Kernels, Precision, Training
from blendtune_core.sizing.cost import (
    ASSUMED_MFU,
    communication_seconds,
    flops_per_token,
    recomputed_flops_per_token,
    sent_bytes,
)
from blendtune_core.sizing.memory import STAGES, element_bytes, memory, split_states
from blendtune_core.sizing.shape import ModelShape, needs_mask
from blendtune_core.sizing.weights import Weights, training_weights

USABLE_MEMORY = 0.92  # of a GPU; the rest goes to the CUDA context, NCCL, DeepSpeed's buckets, fragmentation
PRACTICAL_MEMORY = 0.85  # of a GPU: the limit for layouts that are chosen and for the practical minimum
LARGEST_MICRO_BATCH_TOKENS = 16_384  # a larger one takes memory and hides hardly more communication
_ONE_KERNEL = (Attention.VARLEN, Attention.FLASH_ATTENTION_2)  # for all examples of a row
_UNKNOWN_PEAK_FLOPS = 312e12  # an A100's peak; only used to weigh computation against communication


@dataclass(frozen=True, kw_only=True, slots=True)
class Gpus:
    """The GPUs of a training. All are of one type, and there is one rank per GPU."""

    preset: GpuPreset
    nodes: int
    per_node: int

    @property
    def count(self) -> int:
        return self.nodes * self.per_node


@dataclass(frozen=True, kw_only=True, slots=True)
class Setup:
    """Everything that decides the layout of a training. `attention` is never `auto` here."""

    shape: ModelShape
    training: Training
    gpus: Gpus
    attention: Attention
    fused: bool = False  # whether Liger's kernels compute norms and feed-forward networks
    adapter_parameters: int | None = None  # of a LoRA; None: counted by the shape

    @property
    def weights(self) -> Weights:
        return training_weights(self.shape, self.training, self.adapter_parameters)

    @property
    def element(self) -> int:
        return element_bytes(self.training.precision)

    @property
    def masked(self) -> bool:
        """Whether SDPA needs a mask over the bin, because it cannot attend to each example separately."""
        sequence_length = self.training.sequence_length
        return self.attention is Attention.SDPA and needs_mask(self.shape.attention_span, sequence_length)

    @property
    def bins_per_rank(self) -> int:
        """The most bins that one rank reads in a step."""
        return ceil(self.training.batch_tokens // self.training.sequence_length / self.gpus.count)

    def layout(self, stage: int, bins: int, *, checkpointing: bool) -> Layout:
        """The layout with micro-batches of `bins` bins, and its memory."""
        return Layout(
            zero_stage=stage,
            bins_per_micro_batch=bins,
            activation_checkpointing=checkpointing,
            memory=memory(
                self.shape,
                self.weights,
                bins * self.training.sequence_length,
                stage=stage,
                ranks=self.gpus.count,
                checkpointing=checkpointing,
                attention=self.attention,
                masked=self.masked,
                fused=self.fused,
                element=self.element,
            ),
        )


def attention_in_use(
    training: Training, *, on_gpu: bool, varlen: bool, flash_attention: bool = False
) -> Attention:
    """The attention that is used: `auto` is one kernel for all examples of a row if possible, else SDPA.

    `varlen` says whether torch's kernel serves the model, `flash_attention` whether flash-attn is installed
    and does. Both work on GPUs and in 16 bits only.
    """
    if training.attention is not Attention.AUTO:
        return training.attention
    if not on_gpu or training.precision is Precision.FP32:
        return Attention.SDPA
    if varlen:
        return Attention.VARLEN
    return Attention.FLASH_ATTENTION_2 if flash_attention else Attention.SDPA


def fuses_layers(training: Training, *, on_gpu: bool, fusable: bool) -> bool:
    """Whether Liger's kernels are used: `auto` takes them if possible, on GPUs and in 16 bits only.

    `fusable` says whether they are known to compute the model, and can be used.
    """
    if training.kernels is not Kernels.AUTO:
        return training.kernels is Kernels.LIGER
    return on_gpu and fusable and training.precision is not Precision.FP32


def choose_layout(setup: Setup) -> Layout:
    """The layout that the spec asks for; where it says `auto`, the fastest one within PRACTICAL_MEMORY.

    If none is within PRACTICAL_MEMORY, it is the layout that needs the least memory, whether it fits or not.
    If the memory of the GPUs is unknown, nothing is compared: micro-batches of one bin, activations kept, and
    stage 2, which is between the others in memory and in communication; on CPU stage 1.
    """
    capacity = setup.gpus.preset.memory_bytes
    if capacity is None:
        requested = setup.training.activation_checkpointing
        recompute = requested is ActivationCheckpointing.ENABLED
        return setup.layout(_stages(setup)[0], 1, checkpointing=recompute)
    comfortable = list(_fitting(setup, PRACTICAL_MEMORY * capacity))
    if comfortable:
        return min(comfortable, key=lambda layout: _slowness(setup, layout))
    smallest = (setup.layout(stage, 1, checkpointing=recompute) for stage, recompute in _candidates(setup))
    return min(smallest, key=lambda layout: layout.memory.total)


def fits(layout: Layout, preset: GpuPreset) -> bool:
    """Whether the layout fits in USABLE_MEMORY of a GPU; true if the memory is unknown."""
    return preset.memory_bytes is None or layout.memory.total <= USABLE_MEMORY * preset.memory_bytes


def fewest_gpus(setup: Setup, stage: int, share: float = USABLE_MEMORY) -> int | None:
    """The fewest GPUs of this type that can train at `stage` within `share` of their memory.

    It assumes micro-batches of one bin and, unless the spec forbids it, recomputed activations. None if no
    number is enough, or if the memory is unknown.
    """
    capacity = setup.gpus.preset.memory_bytes
    if capacity is None:
        return None
    recompute = setup.training.activation_checkpointing is not ActivationCheckpointing.DISABLED
    least = setup.layout(stage, 1, checkpointing=recompute).memory
    replicated, partitioned = split_states(setup.weights, stage, setup.element)
    room = int(share * capacity) - replicated - least.gathered_layer - least.activations - least.logits
    return max(1, ceil(partitioned / room)) if room > 0 else None


def whole_nodes(number: int, per_node: int) -> int:
    """`number` rounded up to an equal part of a node (a divisor of `per_node`) or to whole nodes."""
    if number > per_node:
        return ceil(number / per_node) * per_node
    return next(part for part in range(number, per_node + 1) if per_node % part == 0)


def with_stage(training: Training, stage: int | str) -> Training:
    """The same training at another ZeRO stage, or `auto`."""
    return replace(training, deepspeed=replace(training.deepspeed, stage=stage))


def _stages(setup: Setup) -> tuple[int, ...]:
    requested = setup.training.deepspeed.stage
    if requested != "auto":
        return (int(requested),)
    preset = setup.gpus.preset
    if setup.gpus.count == 1 or not preset.is_gpu:
        return (1,)  # nothing to partition, or the memory is not that of GPUs
    return (2,) if preset.memory_bytes is None else STAGES


def _candidates(setup: Setup) -> Iterator[tuple[int, bool]]:
    """Every combination of stage and recomputed activations (true or false) that the spec allows."""
    requested = setup.training.activation_checkpointing
    for stage in _stages(setup):
        if requested is not ActivationCheckpointing.ENABLED:
            yield stage, False
        if requested is not ActivationCheckpointing.DISABLED:
            yield stage, True


def _fitting(setup: Setup, room: float) -> Iterator[Layout]:
    """For each candidate the layout with the largest micro-batches that fit in `room` bytes, if any fit."""
    sizes = range(1, _most_bins(setup) + 1)
    for stage, recompute in _candidates(setup):

        def total(bins: int, stage: int = stage, recompute: bool = recompute) -> int:
            return setup.layout(stage, bins, checkpointing=recompute).memory.total

        largest = bisect_right(sizes, room, key=total)
        if largest:
            micro_batches = ceil(setup.bins_per_rank / largest)
            evened = ceil(setup.bins_per_rank / micro_batches)
            yield setup.layout(stage, evened, checkpointing=recompute)


def _most_bins(setup: Setup) -> int:
    """The most bins of a micro-batch. Only the kernels for a row of examples handle several bins at once.

    SDPA handles the examples one after another; with a mask, and in eager attention, scores between examples
    are computed too.
    """
    if setup.attention not in _ONE_KERNEL:
        return 1
    within = LARGEST_MICRO_BATCH_TOKENS // setup.training.sequence_length
    return max(1, min(within, setup.bins_per_rank))


def _slowness(setup: Setup, layout: Layout) -> tuple[float, int, bool, int]:
    """The sort key of layouts: seconds of a step (computation plus communication, no overlap), then number of
    micro-batches, then stage 3 last, because it sends layer by layer, then memory.
    """
    preset, sequence_length = setup.gpus.preset, setup.training.sequence_length
    micro_batches = ceil(setup.bins_per_rank / layout.bins_per_micro_batch)
    flops = flops_per_token(setup.shape, setup.weights, sequence_length)
    if layout.activation_checkpointing:
        flops += recomputed_flops_per_token(setup.shape, setup.weights, sequence_length)
    flops *= setup.bins_per_rank * sequence_length
    arithmetic = flops / (ASSUMED_MFU * (preset.peak_flops or _UNKNOWN_PEAK_FLOPS))
    sent = sent_bytes(
        setup.weights,
        setup.element,
        stage=layout.zero_stage,
        micro_batches=micro_batches,
        ranks=setup.gpus.count,
    )
    seconds = arithmetic + communication_seconds(sent, setup.gpus.nodes)
    return seconds, micro_batches, layout.zero_stage == 3, layout.memory.total
