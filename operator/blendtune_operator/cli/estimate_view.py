"""An estimate as a person reads it."""

from __future__ import annotations

from collections.abc import Iterator

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from blendtune_core.sizing.describe import describe_layout, format_duration, format_size
from blendtune_core.sizing.estimate import Estimate, StageEstimate
from blendtune_core.sizing.layout import USABLE_MEMORY


def print_estimate(console: Console, name: str, estimate: Estimate) -> None:
    """Whether it fits, time and disk, and the stages beside each other with the chosen one marked."""
    known = estimate.gpu_memory_bytes is not None
    verdict = ("fits", "bold green") if estimate.fits else ("does not fit", "bold red")
    console.print(Text.assemble(name, "  ", verdict if known else ("memory unknown", "yellow")))
    for title, words in _facts(estimate):
        console.print(f"{title:<11}{words}", highlight=False, soft_wrap=True)
    console.print(_table(estimate), highlight=False)
    if estimate.refusal:
        console.print(Text(estimate.refusal, "red"), soft_wrap=True)


def _facts(estimate: Estimate) -> Iterator[tuple[str, str]]:
    shape, cost = estimate.shape, estimate.training
    adapter = f", frozen, and a LoRA of {estimate.weights.trained:,}" if estimate.weights.frozen else ""
    yield (
        "model",
        f"{shape.parameters:,} parameters in {shape.layers} layers of {shape.hidden_size:,}{adapter}",
    )
    capacity = estimate.gpu_memory_bytes
    room = (
        "of unknown memory"
        if capacity is None
        else f"of {format_size(capacity)}, {format_size(USABLE_MEMORY * capacity)} usable"
    )
    yield "GPUs", f"{estimate.gpus} x {estimate.gpu_type} {room}"
    kernels = ", liger" if estimate.fused else ""
    layout = describe_layout(estimate.layout, estimate.sequence_length)
    yield "layout", f"{layout}, {estimate.attention}{kernels}"
    amount = "" if estimate.budget_known else "for every "
    duration = (
        "the peak of this GPU type is not known"
        if cost.seconds is None or cost.gpu_hours is None
        else f"{format_duration(cost.seconds)}, {cost.gpu_hours:,.1f} GPU-hours, "
        f"{cost.tokens_per_second:,.0f} tokens/s at an assumed MFU of {cost.assumed_mfu:g}"
    )
    yield "training", f"{amount}{cost.tokens:,} tokens, {cost.steps:,} steps: {duration}"
    if estimate.rehearsed_tokens:
        yield (
            "rehearsal",
            f"{amount}{cost.tokens:,} tokens, the base model writes {estimate.rehearsed_tokens:,}",
        )
    if estimate.candidates > 1:
        yield (
            "evaluation",
            f"{estimate.candidates + 1} models are asked instead of 2, by interpolation: so many times "
            "the time of one model's answers",
        )
    yield (
        "disk",
        f"{format_size(estimate.disk_bytes)} with checkpoints of "
        f"{format_size(estimate.checkpoint_bytes)} each",
    )


def _table(estimate: Estimate) -> Table:
    table = Table(
        title="GB per GPU, and numbers of GPUs",
        title_justify="left",
        box=SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
        show_edge=False,
    )
    table.add_column("ZeRO", no_wrap=True)
    for name in ("bins", "states", "activations", "other", "total", "fits", "fewest", "practical"):
        table.add_column(name, justify="right", no_wrap=True)
    for stage in estimate.stages:
        chosen = stage.layout == estimate.layout
        table.add_row(*_row(stage, chosen), style="bold" if chosen else None)
    return table


def _row(stage: StageEstimate, chosen: bool) -> Iterator[str]:
    layout, memory = stage.layout, stage.layout.memory
    yield f"{layout.zero_stage}{' <' if chosen else ''}"
    yield str(layout.bins_per_micro_batch)
    yield _gb(memory.model_states)
    yield f"{'recomputed' if layout.activation_checkpointing else 'kept'} {_gb(memory.activations):>5}"
    yield _gb(memory.gathered_layer + memory.logits)
    yield _gb(memory.total)
    yield "yes" if stage.fits else "no"
    yield _number(stage.fewest_gpus)
    yield _number(stage.practical_gpus)


def _gb(size: int) -> str:
    return f"{size / 1e9:,.1f}"


def _number(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"
