"""TRL's arm: SFTTrainer over the same examples, `packed` (best-fit decreasing) or `padded`, batch 8."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
from counted import Counted, InTurn
from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import SFTConfig, SFTTrainer
from turns import Turns

PADDED_BATCH = 8


class CountedTrainer(Counted, SFTTrainer):
    """SFTTrainer as it is."""

    def rows(self) -> list[list[int]]:
        if self.args.packing:
            return [list(row) for row in self.train_dataset["seq_lengths"]]
        return [[len(ids)] for ids in self.train_dataset["input_ids"]]


def main() -> None:
    way, workdir, checkpoint = sys.argv[1], Path(sys.argv[2]), (sys.argv[3:] or [None])[0]
    turns = Turns()
    settings = json.loads((workdir / "settings.json").read_text())
    data = Dataset.from_json(str(workdir / "examples.jsonl"), cache_dir=str(workdir / f"{way}-cache"))
    packed = way == "packed"
    trainer = CountedTrainer(
        turns,
        workdir / (f"{way}-resumed" if checkpoint else way),
        model=AutoModelForCausalLM.from_pretrained(workdir / "model", dtype=torch.float32),
        processing_class=AutoTokenizer.from_pretrained(workdir / "model"),
        train_dataset=data,
        callbacks=[InTurn(turns)],
        args=SFTConfig(
            output_dir=str(workdir / way),
            max_length=settings["sequenceLength"],
            packing=packed,
            packing_strategy="bfd",
            per_device_train_batch_size=1 if packed else PADDED_BATCH,
            gradient_accumulation_steps=settings["binsPerStep" if packed else "paddedBatchesPerStep"],
            learning_rate=settings["learningRate"],
            lr_scheduler_type="cosine",
            warmup_steps=settings["warmupSteps"],
            weight_decay=settings["weightDecay"],
            max_grad_norm=settings["maxGradNorm"],
            optim="adamw_torch_fused",
            max_steps=settings["steps"],
            gradient_checkpointing=False,
            bf16=False,
            use_cpu=True,
            logging_steps=1,
            save_strategy="no",
            report_to="none",
            seed=settings["seed"],
        ),
    )
    trainer.train(resume_from_checkpoint=checkpoint)


if __name__ == "__main__":
    main()
