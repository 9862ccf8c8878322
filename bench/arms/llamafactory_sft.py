"""LLaMA-Factory's arm: its `train` (stage sft) over the same examples, packed so that they stay apart.

It makes token ids of text itself, so the examples are given as text: the names of their tokens.
"""

from __future__ import annotations

import json
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from counted import Counted, InTurn
from llamafactory.train.sft import workflow
from llamafactory.train.sft.trainer import CustomSeq2SeqTrainer
from llamafactory.train.tuner import run_exp
from transformers import AutoTokenizer
from turns import Turns


class CountedTrainer(Counted, CustomSeq2SeqTrainer):
    """LLaMA-Factory's trainer as it is."""

    def rows(self) -> list[list[int]]:
        numbers = self.train_dataset["attention_mask"]  # of the example that a token is of, 0 for padding
        return [np.bincount(row)[1:].tolist() for row in numbers]


def write_dataset(workdir: Path) -> None:
    """The examples as LLaMA-Factory's: what is not supervised is the instruction, the rest the output."""
    tokenizer = AutoTokenizer.from_pretrained(workdir / "model")
    rows = []
    for line in (workdir / "examples.jsonl").read_text().splitlines():
        example = json.loads(line)
        ids = example["input_ids"]
        start = sum(label != token for label, token in zip(example["labels"], ids, strict=True))
        instruction, output = (as_text(tokenizer, part) for part in (ids[:start], ids[start:]))
        rows.append(json.dumps({"instruction": instruction, "input": "", "output": output}))
    (workdir / "llamafactory.jsonl").write_text("\n".join(rows))
    (workdir / "dataset_info.json").write_text(json.dumps({"bench": {"file_name": "llamafactory.jsonl"}}))


def as_text(tokenizer: Any, ids: list[int]) -> str:
    """Text that the tokenizer makes these ids of."""
    text = " ".join(tokenizer.convert_ids_to_tokens(ids))
    assert tokenizer.encode(text, add_special_tokens=False) == ids
    return text


def options(workdir: Path) -> dict[str, Any]:
    """What a file for `llamafactory-cli train` would say."""
    settings = json.loads((workdir / "settings.json").read_text())
    return {
        "stage": "sft",
        "do_train": True,
        "finetuning_type": "full",
        "model_name_or_path": str(workdir / "model"),
        "flash_attn": "sdpa",
        "disable_gradient_checkpointing": True,
        "cache_dir": str(workdir / "llamafactory-cache"),
        "dataset_dir": str(workdir),
        "dataset": "bench",
        "template": "empty",
        "cutoff_len": settings["sequenceLength"],
        "packing": True,
        "neat_packing": True,
        "output_dir": str(workdir / "llamafactory"),
        "per_device_train_batch_size": 1,
        "gradient_accumulation_steps": settings["binsPerStep"],
        "learning_rate": settings["learningRate"],
        "lr_scheduler_type": "cosine",
        "warmup_steps": settings["warmupSteps"],
        "weight_decay": settings["weightDecay"],
        "max_grad_norm": settings["maxGradNorm"],
        "optim": "adamw_torch_fused",
        "max_steps": settings["steps"],
        "bf16": settings["onGpu"],
        "use_cpu": not settings["onGpu"],
        "logging_steps": 1,
        "save_strategy": "no",
        "report_to": "none",
        "seed": settings["seed"],
    }


def main() -> None:
    workdir = Path(sys.argv[1])
    turns = Turns()
    write_dataset(workdir)
    workflow.CustomSeq2SeqTrainer = partial(CountedTrainer, turns, workdir / "llamafactory")
    run_exp(options(workdir), callbacks=[InTurn(turns)])


if __name__ == "__main__":
    main()
