"""LLaMA-Factory's trainer, packed, over the examples of a cell of the GPU bench. Prints its numbers as JSON.

It runs in an environment of its own, whose packages are older than ours; bench/throughput.py makes it.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import torch

from arms.environments import llamafactory_at_hand
from arms.gpu_workload import SEED, SHAPES, Cell, random_blend, write_model
from arms.turns import Arm
from arms.workload import write_tokenizer
from blendtune_api.v1alpha1 import Training
from blendtune_trainer.blending.packed import IGNORED_LABEL

ARM = Path(__file__).parent / "llamafactory_sft.py"


def prepare(cell: Cell, workdir: Path) -> Path:
    """A folder with what the arm reads: weights, tokenizer, examples and settings."""
    folder, vocabulary = workdir / f"llamafactory-{cell.shape}", SHAPES[cell.shape]["vocab_size"]
    folder.mkdir(exist_ok=True)
    write_model(workdir / cell.shape, cell.shape)
    write_tokenizer(workdir / cell.shape, vocabulary)
    if not (folder / "model").exists():
        (folder / "model").symlink_to(workdir / cell.shape)
    bins_per_step = cell.tokens_per_step // cell.sequence_length
    bins = (cell.total_steps + 1) * bins_per_step  # it packs the examples itself, a little less tightly
    blend = random_blend(vocabulary, cell.sequence_length, bins)
    with (folder / "examples.jsonl").open("w") as file:
        for index in blend.bin_examples:
            ids = blend.input_ids[slice(*blend.example_offsets[index : index + 2])].tolist()
            labels = [IGNORED_LABEL, *ids[1:]]  # nothing predicts the first token
            file.write(json.dumps({"input_ids": ids, "labels": labels}) + "\n")
    training = Training()
    settings = {
        "sequenceLength": cell.sequence_length,
        "binsPerStep": bins_per_step,
        "steps": cell.total_steps,
        "learningRate": training.learning_rate,
        "warmupSteps": 1,
        "weightDecay": training.weight_decay,
        "maxGradNorm": training.max_grad_norm,
        "seed": SEED,
        "onGpu": torch.cuda.is_available(),
    }
    (folder / "settings.json").write_text(json.dumps(settings))
    return folder


def measure(cell: Cell, workdir: Path) -> dict[str, Any]:
    python = llamafactory_at_hand()
    if python is None:
        raise SystemExit("LLaMA-Factory's environment is not there: bench/throughput.py makes it")
    folder = prepare(cell, workdir)
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    arm = Arm("LLaMA-Factory", [python, ARM, folder], environment, folder / "log")
    arm.start()
    arm.take(cell.warm_up_steps)
    turn = arm.take(cell.steps)
    arm.end()
    return {
        "name": f"LLaMA-Factory packed: {cell.name}",
        "tokensPerSecond": turn["tokens"] / turn["seconds"],
    }


def main() -> None:
    cell = Cell(**json.loads(sys.argv[1]))
    print("\n" + json.dumps(measure(cell, Path(sys.argv[3]))), flush=True)


if __name__ == "__main__":
    main()
