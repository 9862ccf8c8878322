"""Sizing in words: the layout of a training, and why a training does not fit and what would."""

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


def format_size(size: float) -> str:
    return f"{size / 1e9:,.1f} GB" if size >= 1e8 else f"{size / 1e6:,.1f} MB"


def format_count(parameters: int) -> str:
    """A number of parameters: 32.5 billion, 135 million, 26,880."""
    for unit, name in ((10**9, "billion"), (10**6, "million")):
        if parameters >= unit:
            return f"{parameters / unit:.3g} {name}"
    return f"{parameters:,}"


def describe_weights(weights: Weights) -> str:
    """32.5 billion parameters; with a LoRA: 32.5 billion frozen parameters and a LoRA of 97.6 million."""
    if not weights.frozen:
        return f"{format_count(weights.trained)} parameters"
    return f"{format_count(weights.frozen)} frozen parameters and a LoRA of {format_count(weights.trained)}"


def describe_layout(layout: Layout, sequence_length: int) -> str:
    """ZeRO stage 2, micro-batches of 4 x 2,048 tokens, activations kept."""
    activations = "recomputed" if layout.activation_checkpointing else "kept"
    return (
        f"ZeRO stage {layout.zero_stage}, micro-batches of {layout.bins_per_micro_batch} x "
        f"{sequence_length:,} tokens, activations {activations}"
    )


def describe_memory(memory: Memory) -> str:
    """Model states 83.4 GB, activations 2.8 GB, logits 1.0 GB."""
    parts = {
        "model states": memory.model_states,
        "gathered layer": memory.gathered_layer,
        "activations": memory.activations,
        "logits": memory.logits,
    }
    return ", ".join(f"{name} {format_size(size)}" for name, size in parts.items() if size)


def format_duration(seconds: float) -> str:
    """A duration with about two digits: 40 min, 3.2 h, 12 days."""
    if seconds < 5400:
        return f"{max(1, round(seconds / 60))} min"
    hours = seconds / 3600
    if hours < 100:
        return f"{hours:.1f} h" if hours < 10 else f"{hours:.0f} h"
    return f"{hours / 24:.0f} days"


def describe_sizing(
    weights: Weights, layout: Layout, gpus: Gpus, sequence_length: int, seconds: float | None
) -> str:
    """The memory, layout and, if `seconds` is known, the time of a training that fits."""
    words = (
        f"{describe_weights(weights)} need {format_size(layout.memory.total)} of "
        f"{format_size(gpus.preset.memory_bytes or 0)} on each of {gpus.count} x {gpus.preset.name} "
        f"({describe_memory(layout.memory)}): {describe_layout(layout, sequence_length)}"
    )
    if seconds is None:
        return words
    hours = seconds * gpus.count / 3600
    time = f"about {format_duration(seconds)}, {hours:,.1f} GPU-hours, at an assumed MFU of {ASSUMED_MFU}"
    return f"{words}; {time}"


def refusal(setup: Setup) -> str | None:
    """Why the training does not fit its GPUs, and each change that would make it fit. None if it fits."""
    layout, preset = choose_layout(setup), setup.gpus.preset
    if preset.memory_bytes is None or fits(layout, preset):
        return None
    usable = format_size(USABLE_MEMORY * preset.memory_bytes)
    return (
        f"{describe_weights(setup.weights)} do not fit on {setup.gpus.count} x "
        f"{preset.name} at ZeRO stage {layout.zero_stage}: each GPU needs {format_size(layout.memory.total)} "
        f"({describe_memory(layout.memory)}), and {usable} of its {format_size(preset.memory_bytes)} can be "
        f"used. What would fit: {'; '.join(_remedies(setup, layout))}"
    )


def _remedies(setup: Setup, layout: Layout) -> Iterator[str]:
    """Each change of one field that makes the training fit."""
    training, preset = setup.training, setup.gpus.preset
    free = training.deepspeed.stage == "auto"
    other = choose_layout(replace(setup, training=with_stage(training, "auto")))
    if not free and fits(other, preset):
        memory = format_size(other.memory.total)
        yield f"training.deepspeed.stage auto or {other.zero_stage} ({memory} per GPU)"
    if training.activation_checkpointing is ActivationCheckpointing.DISABLED:
        recomputing = replace(training, activation_checkpointing=ActivationCheckpointing.AUTO)
        lighter = choose_layout(replace(setup, training=recomputing))
        if fits(lighter, preset):
            yield f"training.activationCheckpointing auto ({format_size(lighter.memory.total)} per GPU)"
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
