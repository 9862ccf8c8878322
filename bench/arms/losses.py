"""The losses that the arms of the throughput bench wrote down, and what they are compared with."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import torch
from torch.nn import functional
from transformers import AutoModelForCausalLM

from blendtune_trainer.blending.packed import IGNORED_LABEL


def unpacked_loss(base: Path, examples: Sequence[tuple[Sequence[int], Sequence[int]]]) -> float:
    """Mean loss over the supervised tokens, with one forward pass for each example."""
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    total, supervised = 0.0, 0
    for ids, labels in examples:
        targets = torch.as_tensor(labels[1:])
        with torch.no_grad():
            logits = model(input_ids=torch.as_tensor(ids, dtype=torch.int64)[None]).logits[0, :-1]
        total += functional.cross_entropy(logits, targets, ignore_index=IGNORED_LABEL, reduction="sum").item()
        supervised += int((targets != IGNORED_LABEL).sum())
    return total / supervised


def our_losses(workdir: Path) -> dict[int, float]:
    """The loss of each step, by the number of steps before it."""
    (log,) = workdir.rglob("steps.jsonl")
    lines = map(json.loads, log.read_text().splitlines())
    return {line["step"] - 1: line["loss"] for line in lines}


def their_losses(workdir: Path, name: str) -> dict[int, float]:
    return {int(step): loss for step, loss in json.loads((workdir / f"{name}.losses").read_text()).items()}


def furthest_apart(losses: dict[int, float], resumed: dict[int, float], steps: int) -> float:
    """Over so many steps after the first."""
    return max(abs(losses[step] - resumed[step]) for step in range(1, 1 + steps))
