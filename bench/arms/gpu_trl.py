"""TRL's SFTTrainer, packed, over the examples of a cell of the GPU bench. Prints its numbers as JSON."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast, TrainerCallback
from trl import SFTConfig, SFTTrainer

from arms.gpu_workload import SHAPES, Cell, random_blend, write_model
from blendtune_trainer.training.batches import bins_of_step


class Clock(TrainerCallback):
    """When each step ended, with the device's work done."""

    def __init__(self) -> None:
        self.ends: list[float] = []

    def on_step_end(self, *_: Any, **__: Any) -> None:
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        self.ends.append(time.monotonic())


def measure(cell: Cell, workdir: Path, tokenizer: PreTrainedTokenizerFast) -> dict[str, Any]:
    base = workdir / cell.shape
    write_model(base, cell.shape)
    bins_per_step = cell.tokens_per_step // cell.sequence_length
    blend = random_blend(
        SHAPES[cell.shape]["vocab_size"], cell.sequence_length, cell.total_steps * bins_per_step
    )
    offsets = blend.example_offsets
    examples = [blend.input_ids[offsets[index] : offsets[index + 1]].tolist() for index in blend.bin_examples]
    on_gpu = torch.cuda.is_available()
    clock = Clock()
    trainer = SFTTrainer(
        model=AutoModelForCausalLM.from_pretrained(
            base,
            dtype=torch.bfloat16 if on_gpu else torch.float32,
            attn_implementation="sdpa",
        ),
        processing_class=tokenizer,
        train_dataset=Dataset.from_dict({"input_ids": examples, "labels": examples}),
        callbacks=[clock],
        args=SFTConfig(
            output_dir=str(workdir / "trl"), max_length=cell.sequence_length, packing=True,
            packing_strategy="bfd", per_device_train_batch_size=1, gradient_accumulation_steps=bins_per_step,
            max_steps=cell.total_steps, optim="adamw_torch_fused", bf16=on_gpu, use_cpu=not on_gpu,
            logging_steps=1, save_strategy="no", report_to="none", gradient_checkpointing=False,
        ),
    )  # fmt: skip
    trainer.train()
    measured = range(cell.warm_up_steps, cell.total_steps)
    tokens = sum(
        blend.tokens(index)
        for step in measured
        for index in bins_of_step(step, bins_per_step, blend.num_bins)
    )
    seconds = clock.ends[-1] - clock.ends[cell.warm_up_steps - 1]
    peak = torch.cuda.max_memory_allocated() if on_gpu else None
    return {"name": f"TRL packed: {cell.name}", "tokensPerSecond": tokens / seconds, "peakBytes": peak}


def any_tokenizer() -> PreTrainedTokenizerFast:
    """The examples are token ids already; the trainer only asks for the padding token."""
    from tokenizers import Tokenizer, models

    words = Tokenizer(models.WordLevel({"<unk>": 0, "<pad>": 1, "<eos>": 2}, unk_token="<unk>"))
    return PreTrainedTokenizerFast(
        tokenizer_object=words, unk_token="<unk>", pad_token="<pad>", eos_token="<eos>"
    )


def main() -> None:
    cell = Cell(**json.loads(sys.argv[1]))
    print("\n" + json.dumps(measure(cell, Path(sys.argv[3]), any_tokenizer())), flush=True)


if __name__ == "__main__":
    main()
