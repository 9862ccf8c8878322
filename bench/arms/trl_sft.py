"""TRL's arm: SFTTrainer over the same examples, `packed` (best-fit decreasing) or `padded`, batch 8."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback
from trl import SFTConfig, SFTTrainer
from turns import Turns

PADDED_BATCH = 8


class InTurn(TrainerCallback):
    """Steps when it is its turn, and saves a checkpoint after the first step."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        self._turns.between_steps()

    def on_step_end(self, _: Any, state: Any, control: Any, **__: Any) -> None:
        control.should_save = state.global_step == 1
        self._turns.between_steps()


class CountingTrainer(SFTTrainer):
    """Counts what each micro-batch holds, and writes down the losses and the examples of the first step."""

    turns: Turns
    losses_file: Path
    examples_file: Path
    losses: dict[int, float]  # mean over the supervised tokens, by the number of steps before
    examples: list[tuple[list[int], list[int]]]  # of the first step

    def compute_loss(self, model: Any, inputs: dict[str, Any], *arguments: Any, **options: Any) -> Any:
        ids = inputs["input_ids"]
        mask = inputs.get("attention_mask")
        self.turns.count(ids.numel() if mask is None else int(mask.sum()), ids.numel())
        step = self.state.global_step
        if step == 0:
            self.examples += examples_of(inputs)
            self.examples_file.write_text(json.dumps(self.examples))
        loss = super().compute_loss(model, inputs, *arguments, **options)
        self.losses[step] = self.losses.get(step, 0.0) + float(loss)
        self.losses_file.write_text(json.dumps(self.losses))
        return loss


def examples_of(inputs: dict[str, Any]) -> list[tuple[list[int], list[int]]]:
    """Input ids and labels of each example of a micro-batch."""
    if "attention_mask" in inputs:
        lengths = inputs["attention_mask"].sum(dim=1).tolist()
        return [
            (ids[:length].tolist(), labels[:length].tolist())
            for ids, labels, length in zip(inputs["input_ids"], inputs["labels"], lengths, strict=True)
        ]
    starts = torch.nonzero(inputs["position_ids"][0] == 0).flatten().tolist()
    ends = [*starts[1:], inputs["input_ids"].shape[1]]
    return [
        (inputs["input_ids"][0, start:end].tolist(), inputs["labels"][0, start:end].tolist())
        for start, end in zip(starts, ends, strict=True)
    ]


def main() -> None:
    way, workdir, checkpoint = sys.argv[1], Path(sys.argv[2]), (sys.argv[3:] or [None])[0]
    turns = Turns()
    settings = json.loads((workdir / "settings.json").read_text())
    data = Dataset.from_json(str(workdir / "examples.jsonl"), cache_dir=str(workdir / f"{way}-cache"))
    packed = way == "packed"
    trainer = CountingTrainer(
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
    name = f"{way}-resumed" if checkpoint else way
    trainer.turns, trainer.losses, trainer.examples = turns, {}, []
    trainer.losses_file, trainer.examples_file = workdir / f"{name}.losses", workdir / f"{name}.examples"
    rows = trainer.train_dataset
    lengths = rows["seq_lengths"] if packed else [[len(ids)] for ids in rows["input_ids"]]
    (workdir / f"{way}.rows").write_text(json.dumps([list(row) for row in lengths]))
    trainer.train(resume_from_checkpoint=checkpoint)


if __name__ == "__main__":
    main()
