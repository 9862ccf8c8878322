"""What the arms whose trainer is of transformers have in common: taking turns, telling what they trained."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback
from turns import Turns


class InTurn(TrainerCallback):
    """Steps when it is its turn, and saves a checkpoint after the first step."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        self._turns.between_steps()

    def on_step_end(self, _: Any, state: Any, control: Any, **__: Any) -> None:
        control.should_save = state.global_step == 1
        self._turns.between_steps()


class Counted:
    """A first base beside a Trainer: counts what each micro-batch holds, and writes down for the bench
    the lengths of the examples by row, the loss of each step, and the examples of the first step."""

    def __init__(self, turns: Turns, files: Path, **options: Any) -> None:
        super().__init__(**options)
        self._turns, self._files = turns, files
        self._losses: dict[int, float] = {}  # mean over the supervised tokens, by the number of steps before
        self._examples: list[tuple[list[int], list[int]]] = []  # of the first step
        self._write("rows", self.rows())

    def rows(self) -> list[list[int]]:
        """Lengths of the examples in each row of the training data."""
        raise NotImplementedError

    def compute_loss(self, model: Any, inputs: dict[str, Any], *arguments: Any, **options: Any) -> Any:
        self._turns.count(int(are_real(inputs).sum()), inputs["input_ids"].numel())
        step = self.state.global_step  # type: ignore[attr-defined]
        if step == 0:
            self._examples += examples_of(inputs)
            self._write("examples", self._examples)
        loss = super().compute_loss(model, inputs, *arguments, **options)  # type: ignore[misc]
        self._losses[step] = self._losses.get(step, 0.0) + float(loss.detach())
        self._write("losses", self._losses)
        return loss

    def _write(self, what: str, value: Any) -> None:
        self._files.with_suffix(f".{what}").write_text(json.dumps(value))


def are_real(inputs: dict[str, Any]) -> torch.Tensor:
    """Which positions of a micro-batch are tokens of examples, not padding."""
    mask = inputs.get("attention_mask")
    if mask is None:
        return torch.ones_like(inputs["input_ids"], dtype=torch.bool)
    if mask.dim() == 4:  # added to the scores: a token sees itself, padding does not
        return mask[:, 0].diagonal(dim1=1, dim2=2) == 0
    return mask.bool()


def examples_of(inputs: dict[str, Any]) -> list[tuple[list[int], list[int]]]:
    """Input ids and labels of each example of a micro-batch."""
    ids, labels = inputs["input_ids"], inputs["labels"]
    positions = inputs.get("position_ids", torch.arange(ids.shape[1]).expand_as(ids))
    examples: list[tuple[list[int], list[int]]] = []
    for row, real in enumerate(are_real(inputs)):
        starts = torch.nonzero(positions[row, real] == 0).flatten().tolist()
        parts = (values[row, real].tensor_split(starts[1:]) for values in (ids, labels))
        examples += [(some.tolist(), theirs.tolist()) for some, theirs in zip(*parts, strict=True)]
    return examples
