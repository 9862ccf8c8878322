"""docs/sizing.md says what the sizing computes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from blendtune_api.v1alpha1 import Attention, Method, Training
from blendtune_core.sizing import layout
from blendtune_core.sizing.cost import ASSUMED_MFU, checkpoint_bytes
from blendtune_core.sizing.estimate import stage_estimate
from blendtune_core.sizing.known import LLAMA
from blendtune_core.sizing.layout import Gpus, Setup, choose_layout
from blendtune_core.sizing.memory import STAGES
from blendtune_core.sizing.shape import read_shape
from blendtune_operator.settings import GPU_PRESETS

DOCS = (Path(__file__).parents[2] / "docs/sizing.md").read_text()


def setup(size: str, method: Method = Method.FULL) -> Setup:
    gpus = Gpus(preset=GPU_PRESETS["a100-80gb"], nodes=4, per_node=8)
    return Setup(
        shape=read_shape(LLAMA[size]), training=Training(method=method), gpus=gpus, attention=Attention.VARLEN
    )


@pytest.mark.parametrize(("method", "suffix"), [(Method.FULL, ""), (Method.LORA, ", LoRA")])
@pytest.mark.parametrize("size", ["7B", "13B", "33B"])
def test_the_minimum(size: str, method: Method, suffix: str) -> None:
    numbers = []
    for stage in STAGES:
        estimate = stage_estimate(setup(size, method), stage)
        pair = f"{estimate.fewest_gpus}, {estimate.practical_gpus}"
        numbers.append("never" if estimate.fewest_gpus is None else pair)
    chosen = choose_layout(setup(size, method))
    activations = "recomputed" if chosen.activation_checkpointing else "kept"
    runs = (
        f"stage {chosen.zero_stage}, micro-batches of {chosen.bins_per_micro_batch}, "
        f"activations {activations}: {chosen.memory.total / 1e9:.1f} GB"
    )
    assert f"| LLaMA {size}{suffix} | {' | '.join(numbers)} | {runs} |" in DOCS


def test_the_constants() -> None:
    assert f"fits in {layout.PRACTICAL_MEMORY:.0%} of the GPU's memory" in DOCS
    assert f"refused above {layout.USABLE_MEMORY:.0%}" in DOCS
    assert f"at most {layout.LARGEST_MICRO_BATCH_TOKENS:,} tokens" in DOCS
    assert f"The assumed MFU is {ASSUMED_MFU:g}" in DOCS


def test_the_checkpoints() -> None:
    sizes = [round(checkpoint_bytes(setup(size).weights) / 1e9) for size in ("7B", "13B", "33B")]
    assert re.search("{}, {} and {} GB for 7B, 13B and 33B".format(*sizes), DOCS)
