"""One cell of the GPU bench: our engine and our loop over random bins. Prints its numbers as JSON."""

from __future__ import annotations

import gc
import json
import os
import sys
import time
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

from arms.gpu_workload import SHAPES, Cell, mean_context, random_blend, run_config, write_model
from blendtune_api.codec import decode
from blendtune_api.contract import Env, GpuPreset, RunConfig
from blendtune_api.v1alpha1 import Kernels
from blendtune_core.sizing.cost import flops_per_token
from blendtune_core.sizing.describe import describe_layout
from blendtune_core.sizing.layout import fits
from blendtune_trainer.blending.packed import PackedBlend
from blendtune_trainer.model.memory import sizing_setup
from blendtune_trainer.ranks.group import Ranks, init_process_group
from blendtune_trainer.training.batches import bins_of_step
from blendtune_trainer.training.checkpoint import Checkpoints, Identity
from blendtune_trainer.training.engine import load_engine, resumable_layout
from blendtune_trainer.training.loop import TrainingLoop
from blendtune_trainer.training.loss import SupervisedLoss
from blendtune_trainer.training.microbatch import assemble
from blendtune_trainer.training.plan import Plan
from blendtune_trainer.training.throughput import model_flops_utilisation

_ALONE = {
    "RANK": "0",
    "LOCAL_RANK": "0",
    "WORLD_SIZE": "1",
    Env.MASTER_ADDR: "127.0.0.1",
    Env.MASTER_PORT: "0",
}


def join(preset: GpuPreset) -> Ranks:
    """The only rank of a process group of its own."""
    os.environ.update(_ALONE)
    return init_process_group(os.environ, preset, timedelta(minutes=10))


def measure(cell: Cell, preset: GpuPreset, workdir: Path, ranks: Ranks) -> dict[str, Any]:
    """What the cell did; only its estimate if that does not fit."""
    base = workdir / cell.shape
    write_model(base, cell.shape)
    config = run_config(cell, base, preset)
    training = config.spec.training
    setup = sizing_setup(config.spec, base, preset, 1)
    layout = resumable_layout(setup, None)
    result: dict[str, Any] = {
        "name": cell.name,
        "layout": describe_layout(layout, cell.sequence_length),
        "attention": str(setup.attention),
        "kernels": str(Kernels.LIGER if setup.fused else Kernels.NONE),
        "estimateBytes": layout.memory.total,
    }
    if not fits(layout, preset):
        return result | {"left": "does not fit by the estimate"}
    bins_per_step = training.batch_tokens // cell.sequence_length
    vocabulary = SHAPES[cell.shape]["vocab_size"]
    blend = random_blend(vocabulary, cell.sequence_length, cell.total_steps * bins_per_step)

    started = time.monotonic()
    engine = load_engine(base, config, ranks, layout, None)
    result["loadSeconds"] = time.monotonic() - started
    plan = Plan(
        steps=cell.total_steps,
        bins_per_step=bins_per_step,
        bins_per_micro_batch=layout.bins_per_micro_batch,
        validate_at=frozenset(),
        epoch_models={},
    )
    if ranks.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    saves = Checkpoints(workdir / "checkpoints", Identity.of(config, blend.digest), 1)
    steps = take_steps(engine, blend, config, plan, ranks, range(cell.warm_up_steps))
    if cell.resume:
        result |= _save(saves, engine, ranks, cell)
    steps += take_steps(engine, blend, config, plan, ranks, range(cell.warm_up_steps, cell.total_steps))
    result |= _speed(steps[cell.warm_up_steps :], blend, setup, preset)
    result["losses"] = [step.loss for step in steps]
    result["peakBytes"] = steps[-1].gpu_memory_bytes
    if cell.parity:
        result["lossError"] = abs(steps[0].loss / _loss_in_fp32(base, blend, bins_per_step) - 1)
    if cell.resume:
        del engine
        gc.collect()
        result |= _resumed(saves, steps, blend, config, plan, ranks, base, layout, cell)
    return result


def take_steps(
    engine: Any, blend: PackedBlend, config: RunConfig, plan: Plan, ranks: Ranks, steps: range
) -> list[Any]:
    """Takes steps with the loop of a training, and returns its report of each."""
    taken: list[Any] = []
    report: Any = SimpleNamespace(log_step=taken.append)
    stop: Any = SimpleNamespace(requested=False)
    watchdog: Any = SimpleNamespace(beat=lambda: None)
    unused: Any = None  # by a step
    loop = TrainingLoop(
        engine=engine,
        blend=blend,
        training=config.spec.training,
        plan=plan,
        ranks=ranks,
        stage=unused,
        checkpoints=unused,
        report=report,
        stop=stop,
        watchdog=watchdog,
        epoch_models=unused,
        compared=None,
    )
    engine.train()
    for step in steps:
        loop._take_step(step)
    return taken


def _speed(steps: list[Any], blend: PackedBlend, setup: Any, preset: GpuPreset) -> dict[str, Any]:
    """Tokens per second of the measured steps, and the MFU: tokens/s x FLOPs per token / peak.

    FLOPs per token are 6N + 12 L q s (4N for frozen weights) with s the length of the example that a token is
    of, on average; recomputed activations are not counted. Every token is supervised.
    """
    rate = sum(step.tokens for step in steps) / sum(step.seconds for step in steps)
    flops = flops_per_token(setup.shape, setup.weights, round(mean_context(blend)))
    mfu = model_flops_utilisation(rate, flops, preset.peak_flops)
    return {"tokensPerSecond": rate, "flopsPerToken": flops, "mfu": mfu}


def _save(saves: Checkpoints, engine: Any, ranks: Ranks, cell: Cell) -> dict[str, Any]:
    started = time.monotonic()
    size = saves.save(engine, ranks, cell.warm_up_steps, cell.stage)
    return {"saveSeconds": time.monotonic() - started, "checkpointBytes": size}


def _resumed(
    saves: Checkpoints,
    before: list[Any],
    blend: PackedBlend,
    config: RunConfig,
    plan: Plan,
    ranks: Ranks,
    base: Path,
    layout: Any,
    cell: Cell,
) -> dict[str, Any]:
    """How far the losses after a checkpoint are from those of the training that went on."""
    pointer = saves.latest()
    assert pointer is not None
    engine = load_engine(base, config, ranks, layout, pointer)
    started = time.monotonic()
    saves.load(engine, ranks, pointer)
    seconds = time.monotonic() - started
    steps = take_steps(engine, blend, config, plan, ranks, range(cell.warm_up_steps, cell.total_steps))
    apart = max(
        abs(one.loss - other.loss) for one, other in zip(before[cell.warm_up_steps :], steps, strict=True)
    )
    return {"resumedApart": apart, "loadCheckpointSeconds": seconds}


def _loss_in_fp32(base: Path, blend: PackedBlend, bins_per_step: int) -> float:
    """The first step's loss by the same weights in fp32 on the CPU, bin by bin."""
    from transformers import AutoModelForCausalLM

    from blendtune_trainer.model.attention import attend_within_examples
    from blendtune_trainer.training.microbatch import forward

    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32, attn_implementation="sdpa")
    attend_within_examples(model, blend.sequence_length)
    loss, cpu = SupervisedLoss(model.eval()), torch.device("cpu")
    bins = bins_of_step(0, bins_per_step, blend.num_bins)
    with torch.no_grad():
        total = sum(float(forward(loss, assemble([blend.bin(index)], cpu))) for index in bins)
    return total / sum(blend.supervised_tokens(index) for index in bins)


def main() -> None:
    """Arguments: the cell and the preset, as JSON, and the folder of models."""
    cell, preset = Cell(**json.loads(sys.argv[1])), _preset(json.loads(sys.argv[2]))
    result = measure(cell, preset, Path(sys.argv[3]), join(preset))
    print("\n" + json.dumps(result), flush=True)


def _preset(document: Mapping[str, Any]) -> GpuPreset:
    preset = decode(GpuPreset, dict(document))
    assert isinstance(preset, GpuPreset)
    return preset


if __name__ == "__main__":
    main()
