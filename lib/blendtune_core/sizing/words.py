"""What a person is told: the layout of a training, and why one does not fit and what would."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from blendtune_api.contract import Layout, Memory
from blendtune_api.v1alpha1 import ActivationCheckpointing
from blendtune_core.sizing.cost import ASSUMED_MFU
from blendtune_core.sizing.layout import (
    USABLE_MEMORY,
    Gpus,
    Setup,
    choose_layout,
    fewest_gpus,
    fits,
    whole_nodes,
    with_stage,
)
from blendtune_core.sizing.memory import STAGES
from blendtune_core.sizing.weights import Weights


def size_words(size: float) -> str:
    return f"{size / 1e9:,.1f} GB" if size >= 1e8 else f"{size / 1e6:,.1f} MB"


def count_words(parameters: int) -> str:
    """32.5 billion, 135 million, 26,880"""
    for unit, name in ((10**9, "billion"), (10**6, "million")):
        if parameters >= unit:
            return f"{parameters / unit:.3g} {name}"
    return f"{parameters:,}"


def weights_words(weights: Weights) -> str:
    """32.5 billion parameters; with a LoRA, 32.5 billion frozen parameters and a LoRA of 97.6 million"""
    if not weights.frozen:
        return f"{count_words(weights.trained)} parameters"
    return f"{count_words(weights.frozen)} frozen parameters and a LoRA of {count_words(weights.trained)}"


def layout_words(layout: Layout, sequence_length: int) -> str:
    """ZeRO stage 2, micro-batches of 4 x 2,048 tokens, activations kept"""
    activations = "recomputed" if layout.activation_checkpointing else "kept"
    return (
        f"ZeRO stage {layout.zero_stage}, micro-batches of {layout.bins_per_micro_batch} x "
        f"{sequence_length:,} tokens, activations {activations}"
    )


def memory_words(memory: Memory) -> str:
    """model states 83.4 GB, activations 2.8 GB, logits 1.0 GB"""
    parts = {
        "model states": memory.model_states,
        "gathered layer": memory.gathered_layer,
        "activations": memory.activations,
        "logits": memory.logits,
    }
    return ", ".join(f"{name} {size_words(size)}" for name, size in parts.items() if size)


def time_words(seconds: float) -> str:
    """Two digits or so: 40 min, 3.2 h, 12 days."""
    if seconds < 5400:
        return f"{max(1, round(seconds / 60))} min"
    hours = seconds / 3600
    if hours < 100:
        return f"{hours:.1f} h" if hours < 10 else f"{hours:.0f} h"
    return f"{hours / 24:.0f} days"


def sized_words(
    weights: Weights, layout: Layout, gpus: Gpus, sequence_length: int, seconds: float | None
) -> str:
    """What a training that fits takes of its GPUs, and for how long where `seconds` are known."""
    words = (
        f"{weights_words(weights)} need {size_words(layout.memory.total)} of "
        f"{size_words(gpus.preset.memory_bytes or 0)} on each of {gpus.count} x {gpus.preset.name} "
        f"({memory_words(layout.memory)}): {layout_words(layout, sequence_length)}"
    )
    if seconds is None:
        return words
    hours = seconds * gpus.count / 3600
    return f"{words}; about {time_words(seconds)}, {hours:,.1f} GPU-hours, at an assumed MFU of {ASSUMED_MFU}"


def refusal(setup: Setup) -> str | None:
    """Why the training does not fit its GPUs, and every change of one thing that would do; None when it
    fits.
    """
    layout, preset = choose_layout(setup), setup.gpus.preset
    if preset.memory_bytes is None or fits(layout, preset):
        return None
    usable = size_words(USABLE_MEMORY * preset.memory_bytes)
    return (
        f"{weights_words(setup.weights)} do not fit on {setup.gpus.count} x "
        f"{preset.name} at ZeRO stage {layout.zero_stage}: each GPU needs {size_words(layout.memory.total)} "
        f"({memory_words(layout.memory)}), and {usable} of its {size_words(preset.memory_bytes)} can be "
        f"used. What would fit: {'; '.join(_remedies(setup, layout))}"
    )


def _remedies(setup: Setup, layout: Layout) -> Iterator[str]:
    training, preset = setup.training, setup.gpus.preset
    free = training.deepspeed.stage == "auto"
    other = choose_layout(replace(setup, training=with_stage(training, "auto")))
    if not free and fits(other, preset):
        memory = size_words(other.memory.total)
        yield f"training.deepspeed.stage auto or {other.zero_stage} ({memory} per GPU)"
    if training.activation_checkpointing is ActivationCheckpointing.DISABLED:
        recomputing = replace(training, activation_checkpointing=ActivationCheckpointing.AUTO)
        lighter = choose_layout(replace(setup, training=recomputing))
        if fits(lighter, preset):
            yield f"training.activationCheckpointing auto ({size_words(lighter.memory.total)} per GPU)"
    numbers = (fewest_gpus(setup, stage) for stage in (STAGES if free else (layout.zero_stage,)))
    enough = [number for number in numbers if number is not None]
    if enough:
        yield _more_gpus(min(enough), setup.gpus.per_node)
    yield "GPUs with more memory, a smaller model or a smaller training.sequenceLength"


def _more_gpus(number: int, per_node: int) -> str:
    enough = whole_nodes(number, per_node)
    if enough <= per_node:
        return f"cluster.gpusPerNode {enough}"
    return f"cluster.nodes {enough // per_node} with gpusPerNode {per_node} ({enough} GPUs)"
