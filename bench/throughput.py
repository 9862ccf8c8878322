"""Real tokens per second of our training beside TRL's SFTTrainer and LLaMA-Factory's.

Same weights, examples and optimizer, one rank, fp32 on CPU. The arms take turns on the machine, in another
order each round. Prints a table, with what bench/plan_scale.py measured of the preparation, and writes
bench/results/throughput.json. TRL and LLaMA-Factory get environments of their own (arms/environments.py).
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import os
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from datasets import Dataset, interleave_datasets

from arms import workload
from arms.environments import LLAMAFACTORY_VERSION, TRL_VERSION, llamafactory_python, trl_python
from arms.losses import furthest_apart, our_losses, their_losses, unpacked_loss
from arms.rounds import interleave, interval, rates, ratio
from arms.turns import Arm
from blendtune_api.contract import Env, ExitCode, workspace
from blendtune_trainer.blending.packed import PackedBlend
from blendtune_trainer.training.schedule import warmup_steps

ROOT = Path(__file__).resolve().parent.parent
ARMS = ROOT / "bench" / "arms"
RESULTS = ROOT / "bench" / "results"
OURS, PACKED, PADDED = "Blendtune", "TRL packed (bfd)", "TRL padded, batch 8"
LLAMAFACTORY = "LLaMA-Factory packed (neat)"
THREADS = os.cpu_count() or 1
WARM_UP_STEPS = 2
COMPARED_STEPS = 3  # after the step that a resumed training goes on from


def prepare(workdir: Path) -> tuple[PackedBlend, float]:
    """Weights, blend and settings for all arms; the blend, and the achieved share of its first source."""
    base = workdir / "model"
    base.mkdir(parents=True)
    workload.write_model(base)
    workload.write_run(workdir, base)
    config = workload.spec(base)
    blend, achieved = workload.make_blend(workspace(workdir, config.storage, "bench", "bench").blend)
    examples = workload.blended_examples(blend)
    with (workdir / "examples.jsonl").open("w") as file:
        for ids, labels in examples:
            file.write(json.dumps({"input_ids": ids, "labels": labels}) + "\n")
    tokens = sum(len(ids) for ids, _ in examples)
    per_step = workload.BINS_PER_STEP * workload.SEQUENCE_LENGTH * len(examples) / tokens
    training = config.training
    steps = math.ceil(blend.num_bins / workload.BINS_PER_STEP)
    settings = {
        "sequenceLength": workload.SEQUENCE_LENGTH,
        "binsPerStep": workload.BINS_PER_STEP,
        "paddedBatchesPerStep": round(per_step / 8),
        "steps": steps,
        "learningRate": training.learning_rate,
        "warmupSteps": warmup_steps(training, steps),
        "weightDecay": training.weight_decay,
        "maxGradNorm": training.max_grad_norm,
        "seed": training.seed,
        "onGpu": False,
    }
    (workdir / "settings.json").write_text(json.dumps(settings))
    return blend, achieved[0].achieved_share


def make_arms(workdir: Path) -> list[Arm]:
    common = {
        **os.environ,
        "OMP_NUM_THREADS": str(THREADS),
        "HF_HUB_OFFLINE": "1",
        "TOKENIZERS_PARALLELISM": "false",
    }
    rank = {
        "RANK": "0",
        "LOCAL_RANK": "0",
        "WORLD_SIZE": "1",
        Env.MASTER_ADDR: "127.0.0.1",
        Env.MASTER_PORT: "0",
        Env.CONFIG: str(workdir / "config.json"),
        Env.CLAIMS: str(workdir),
        Env.TERMINATION_LOG: str(workdir / "message"),
    }
    on_cpu = {"CUDA_VISIBLE_DEVICES": ""}  # LLaMA-Factory loads a model onto a GPU that it sees
    trl = [trl_python(), ARMS / "trl_sft.py"]
    llamafactory = [llamafactory_python(), ARMS / "llamafactory_sft.py"]
    return [
        Arm(OURS, [sys.executable, ARMS / "ours.py"], common | rank, workdir / "ours.log"),
        Arm(PACKED, [*trl, "packed", workdir], common, workdir / "packed.log"),
        Arm(PADDED, [*trl, "padded", workdir], common, workdir / "padded.log"),
        Arm(LLAMAFACTORY, [*llamafactory, workdir], common | on_cpu, workdir / "llamafactory.log"),
    ]


def our_resumed_losses(workdir: Path) -> dict[int, float]:
    """Of a training that is stopped after its first step and goes on."""
    prepare(workdir)
    stopped, resumed = make_arms(workdir)[0], make_arms(workdir)[0]
    stopped.start()
    code = stopped.stop_after_one_step()
    if code != ExitCode.PREEMPTED:
        raise RuntimeError(f"stopped with code {code}:\n{stopped.log.read_text()}")
    take_compared_steps(resumed)
    return our_losses(workdir)


def their_resumed_losses(workdir: Path) -> dict[int, float]:
    """Of a training that goes on from the checkpoint that another left after its first step."""
    resumed = make_arms(workdir)[1]
    resumed.command.append(workdir / "packed" / "checkpoint-1")
    take_compared_steps(resumed)
    return their_losses(workdir, "packed-resumed")


def take_compared_steps(arm: Arm) -> None:
    arm.start()
    arm.take(COMPARED_STEPS)
    arm.end()


def share_by_examples(blend: PackedBlend) -> float:
    """Share of the first source's tokens where `datasets` interleaves the sources half and half."""
    lengths = np.diff(blend.example_offsets)
    sources = [
        Dataset.from_dict({"source": [index] * int(here.sum()), "tokens": lengths[here]})
        for index in range(2)
        if (here := blend.example_sources == index).any()
    ]
    mixed = interleave_datasets(sources, probabilities=[0.5, 0.5], seed=workload.SEED)
    tokens, source = np.array(mixed["tokens"]), np.array(mixed["source"])
    return float(tokens[source == 0].sum() / tokens.sum())


def speed_of(arm: Arm, rows: list[list[int]], whole: list[int]) -> dict[str, Any]:
    """What an arm did in its turns. `rows` has the lengths of the examples by bin, `whole` all lengths."""
    room = len(rows) * workload.SEQUENCE_LENGTH
    tokens, computed = (sum(turn[key] for turn in arm.turns) for key in ("tokens", "computed"))
    held = sorted(length for row in rows for length in row)
    measured = rates(arm)
    return {
        "tokensPerSecond": statistics.median(measured),
        "slowest": min(measured),
        "fastest": max(measured),
        "padding": 1 - tokens / computed,
        "unfilled": 1 - sum(held) / room if len(rows) < len(held) else None,
        "cutSequences": sum(a != b for a, b in zip(held, sorted(whole), strict=True)),
        "peakBytes": max(turn["peakBytes"] for turn in arm.turns),
    }


def table(result: dict[str, Any]) -> str:
    """The result as Markdown."""
    lines = [
        "| Arm | Real tokens/s, median (range) | Ours by it (95%) | by CPU time | Padding computed "
        "| Bins unfilled | Cut sequences | Peak memory | Loss error, step 1 | Resumed losses apart "
        "| Blend-share error |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, arm in result["arms"].items():
        by_wall, by_cpu = (interval(arm.get(key)) for key in ("ratio", "ratioOfCpuTime"))
        cells = [
            name,
            f"{arm['tokensPerSecond']:,.0f} ({arm['slowest']:,.0f} to {arm['fastest']:,.0f})",
            by_wall,
            by_cpu,
            f"{arm['padding']:.1%}",
            "" if arm["unfilled"] is None else f"{arm['unfilled']:.2%}",
            str(arm["cutSequences"]),
            f"{arm['peakBytes'] / 2**30:.2f} GiB",
            f"{arm['lossError']:.1e}",
            f"{arm['resumedApart']:.1e}" if "resumedApart" in arm else "",
            f"{100 * arm['shareError']:.3f} points",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    planned = result["preparation"]
    seconds = planned["blend_seconds"] + planned["pack_seconds"]
    lines += [
        "",
        f"{result['examples']:,} examples of {result['meanLength']:.0f} tokens on average, bins of "
        f"{result['sequenceLength']}, {result['tokensPerStep']:,} tokens a step, {result['rounds']} rounds.",
        f"Preparation: {planned['examples']:,} examples are blended and packed in {seconds:.1f} s and "
        f"{planned['peak_gib']:.2f} GiB, with {planned['waste']:.2%} of the bins of 2,048 unfilled.",
    ]
    return "\n".join(lines)


def measure(workdir: Path, rounds: int, steps: int) -> dict[str, Any]:
    blend, share = prepare(workdir)
    base = workdir / "model"
    arms = make_arms(workdir)
    ours, packed, padded, llamafactory = arms
    interleave(arms, rounds, steps, WARM_UP_STEPS)
    torch.set_num_threads(THREADS)

    examples = workload.blended_examples(blend)
    whole = [len(ids) for ids, _ in examples]
    rows = [whole[start:end] for start, end in itertools.pairwise(blend.bin_offsets)]
    first_step = examples[: blend.bin_offsets[workload.BINS_PER_STEP]]
    losses = our_losses(workdir)
    result: dict[str, Any] = {
        ours.name: {
            **speed_of(ours, rows, whole),
            "lossError": abs(losses[0] - unpacked_loss(base, first_step)),
            "resumedApart": furthest_apart(losses, our_resumed_losses(workdir / "resumed"), COMPARED_STEPS),
            "shareError": abs(share - 0.5),
        }
    }
    for arm, way in ((packed, "packed"), (padded, "padded"), (llamafactory, "llamafactory")):
        losses = their_losses(workdir, way)
        first_step = json.loads((workdir / f"{way}.examples").read_text())
        result[arm.name] = {
            **speed_of(arm, json.loads((workdir / f"{way}.rows").read_text()), whole),
            "ratio": ratio(ours, arm),
            "ratioOfCpuTime": ratio(ours, arm, "cpuSeconds"),
            "lossError": abs(losses[0] - unpacked_loss(base, first_step)),
            "shareError": abs(share_by_examples(blend) - 0.5),
        }
        if arm is packed:
            apart = furthest_apart(losses, their_resumed_losses(workdir), COMPARED_STEPS)
            result[arm.name]["resumedApart"] = apart
    return {
        "arms": result,
        "examples": len(whole),
        "meanLength": statistics.mean(whole),
        "sequenceLength": workload.SEQUENCE_LENGTH,
        "tokensPerStep": workload.BINS_PER_STEP * workload.SEQUENCE_LENGTH,
        "rounds": rounds,
        "stepsPerRound": steps,
        "threads": THREADS,
        "trl": TRL_VERSION,
        "llamafactory": LLAMAFACTORY_VERSION,
        "preparation": json.loads((RESULTS / "plan_scale.json").read_text())[-1],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=1, help="optimizer steps of an arm in a round")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as workdir:
        result = measure(Path(workdir), arguments.rounds, arguments.steps)
    print(table(result))
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "throughput.json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
