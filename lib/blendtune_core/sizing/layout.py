"""How a training is laid out on its GPUs: ZeRO stage, micro-batch, activation checkpointing; and whether it
fits.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import ceil

from blendtune_api.contract import GpuPreset, Layout
from blendtune_api.v1alpha1 import ActivationCheckpointing, Attention, Precision, Training
from blendtune_core.sizing.cost import (
    ASSUMED_MFU,
    communication_seconds,
    flops_per_token,
    recomputed_flops_per_token,
)
from blendtune_core.sizing.memory import STAGES, element_bytes, memory, split_states
from blendtune_core.sizing.shape import ModelShape, needs_mask
from blendtune_core.sizing.weights import Weights, training_weights

USABLE_MEMORY = 0.92  # of a GPU; the rest goes to the CUDA context, NCCL, DeepSpeed's buckets, fragmentation
PRACTICAL_MEMORY = 0.85  # what the choice of a layout fills at most, and what a practical minimum leaves
LARGEST_MICRO_BATCH_TOKENS = 16_384  # more would fill memory and hardly hide more communication
_UNKNOWN_PEAK_FLOPS = 312e12  # an A100's; only to weigh arithmetic against communication


@dataclass(frozen=True, kw_only=True, slots=True)
class Gpus:
    """The GPUs of a training, all alike; a rank on each."""

    preset: GpuPreset
    nodes: int
    per_node: int

    @property
    def count(self) -> int:
        return self.nodes * self.per_node


@dataclass(frozen=True, kw_only=True, slots=True)
class Setup:
    """All that decides how a training is laid out. `attention` is the one in use, not `auto`."""

    shape: ModelShape
    training: Training
    gpus: Gpus
    attention: Attention
    adapter_parameters: int | None = None  # of a LoRA; unset, they are counted by the shape

    @property
    def weights(self) -> Weights:
        return training_weights(self.shape, self.training, self.adapter_parameters)

    @property
    def element(self) -> int:
        return element_bytes(self.training.precision)

    @property
    def masked(self) -> bool:
        """Whether SDPA needs a mask over the whole bin, and cannot attend to each example by itself."""
        sequence_length = self.training.sequence_length
        return self.attention is Attention.SDPA and needs_mask(self.shape.attention_span, sequence_length)

    @property
    def bins_per_rank(self) -> int:
        """Most bins that one rank reads in a step."""
        return ceil(self.training.batch_tokens // self.training.sequence_length / self.gpus.count)

    def layout(self, stage: int, bins: int, *, checkpointing: bool) -> Layout:
        """The layout with micro-batches of that many bins, and the memory it takes."""
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
                element=self.element,
            ),
        )


def attention_in_use(training: Training, *, on_gpu: bool, flash_attention: bool) -> Attention:
    """What `auto` means there; `flash_attention` tells whether the package is there, which knows no fp32."""
    if training.attention is not Attention.AUTO:
        return training.attention
    flash = on_gpu and flash_attention and training.precision is not Precision.FP32
    return Attention.FLASH_ATTENTION_2 if flash else Attention.SDPA


def choose_layout(setup: Setup) -> Layout:
    """What the spec asks for and, where it says `auto`, the fastest layout within PRACTICAL_MEMORY.

    Where none is within it, the layout that needs least, whether it fits or not. Where the GPUs' memory is
    not known nothing is weighed: micro-batches of one bin, activations kept, and stage 2, which communicates
    no more than 1; on CPU stage 1.
    """
    capacity = setup.gpus.preset.memory_bytes
    if capacity is None:
        requested = setup.training.activation_checkpointing
        recompute = requested is ActivationCheckpointing.ENABLED
        return setup.layout(_stages(setup)[0], 1, checkpointing=recompute)
    comfortable = list(_fitting(setup, PRACTICAL_MEMORY * capacity))
    if comfortable:
        return min(comfortable, key=lambda layout: _slowness(setup, layout))
    smallest = (setup.layout(stage, 1, checkpointing=recompute) for stage, recompute in _ways(setup))
    return min(smallest, key=lambda layout: layout.memory.total)


def fits(layout: Layout, preset: GpuPreset) -> bool:
    """Whether one GPU holds the layout; unknown memory does."""
    return preset.memory_bytes is None or layout.memory.total <= USABLE_MEMORY * preset.memory_bytes


def fewest_gpus(setup: Setup, stage: int, share: float = USABLE_MEMORY) -> int | None:
    """The fewest GPUs like these that train at `stage` within that share of their memory.

    With micro-batches of one bin, and with recomputed activations unless the spec forbids it. None where no
    number would do, or where the memory is not known.
    """
    capacity = setup.gpus.preset.memory_bytes
    if capacity is None:
        return None
    recompute = setup.training.activation_checkpointing is not ActivationCheckpointing.DISABLED
    least = setup.layout(stage, 1, checkpointing=recompute).memory
    whole, divided = split_states(setup.weights, stage, setup.element)
    room = int(share * capacity) - whole - least.gathered_layer - least.activations - least.logits
    return max(1, ceil(divided / room)) if room > 0 else None


def whole_nodes(number: int, per_node: int) -> int:
    """The next number of GPUs that is an equal part of a node, or whole nodes."""
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
        return (1,)  # nothing to divide, or memory that is not the GPUs'
    return (2,) if preset.memory_bytes is None else STAGES


def _ways(setup: Setup) -> Iterator[tuple[int, bool]]:
    """Stage, and whether activations are recomputed: every combination that the spec allows."""
    requested = setup.training.activation_checkpointing
    for stage in _stages(setup):
        if requested is not ActivationCheckpointing.ENABLED:
            yield stage, False
        if requested is not ActivationCheckpointing.DISABLED:
            yield stage, True


def _fitting(setup: Setup, room: float) -> Iterator[Layout]:
    """Of each way the layout with the largest micro-batches that `room` bytes hold, if there is one."""
    sizes = range(1, _most_bins(setup) + 1)
    for stage, recompute in _ways(setup):

        def total(bins: int, stage: int = stage, recompute: bool = recompute) -> int:
            return setup.layout(stage, bins, checkpointing=recompute).memory.total

        largest = bisect_right(sizes, room, key=total)
        if largest:
            micro_batches = ceil(setup.bins_per_rank / largest)
            evened = ceil(setup.bins_per_rank / micro_batches)
            yield setup.layout(stage, evened, checkpointing=recompute)


def _most_bins(setup: Setup) -> int:
    """Only FlashAttention takes a row of several bins at once: SDPA takes its examples one after another, and
    with a mask, as eager attention does, it computes between them.
    """
    if setup.attention is not Attention.FLASH_ATTENTION_2:
        return 1
    within = LARGEST_MICRO_BATCH_TOKENS // setup.training.sequence_length
    return max(1, min(within, setup.bins_per_rank))


def _slowness(setup: Setup, layout: Layout) -> tuple[float, int, int]:
    """What to keep low: seconds of a step, arithmetic and communication one after the other; then
    micro-batches; then memory.
    """
    preset, sequence_length = setup.gpus.preset, setup.training.sequence_length
    micro_batches = ceil(setup.bins_per_rank / layout.bins_per_micro_batch)
    flops = flops_per_token(setup.shape, setup.weights, sequence_length)
    if layout.activation_checkpointing:
        flops += recomputed_flops_per_token(setup.shape, setup.weights, sequence_length)
    flops *= setup.bins_per_rank * sequence_length
    arithmetic = flops / (ASSUMED_MFU * (preset.peak_flops or _UNKNOWN_PEAK_FLOPS))
    communication = communication_seconds(
        setup.weights,
        setup.element,
        stage=layout.zero_stage,
        micro_batches=micro_batches,
        ranks=setup.gpus.count,
        nodes=setup.gpus.nodes,
    )
    return arithmetic + communication, micro_batches, layout.memory.total
