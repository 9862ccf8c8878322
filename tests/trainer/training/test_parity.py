"""A training's numbers against a plain loop over single examples: no packing, no ranks, no DeepSpeed."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.trainer.training.runs import SEQUENCE_LENGTH, Run, build_blend, build_config
from torch.nn import functional
from transformers import AutoModelForCausalLM

from blendtune_api.v1alpha1 import Adam, DeepSpeed, Training
from blendtune_trainer.blending.packed import PackedBlend

STEPS = 20
BINS_PER_STEP = 4
SETTINGS: dict[str, Any] = {  # none of the optimizer's is its default
    "batch_tokens": BINS_PER_STEP * SEQUENCE_LENGTH,
    "learning_rate": 1e-3,
    "min_learning_rate_ratio": 0.1,
    "weight_decay": 0.05,
    "max_grad_norm": 0.5,
    "adam": Adam(beta1=0.8, beta2=0.95, epsilon=1e-6),
}


@dataclass
class Reference:
    """What the plain loop saw in each step, and the model that it leaves."""

    losses: list[float] = field(default_factory=list)
    gradient_norms: list[float] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)
    validation: list[dict[str, float]] = field(default_factory=list)  # before the first step, after the last
    weights: dict[str, torch.Tensor] = field(default_factory=dict)


def plain_training(base_model: Path, blend: PackedBlend, training: Training) -> Reference:
    """AdamW with a warmed-up cosine over the examples of each step's bins, one forward pass for each."""
    model = AutoModelForCausalLM.from_pretrained(base_model)
    matrices = [weight for weight in model.parameters() if weight.dim() > 1]
    vectors = [weight for weight in model.parameters() if weight.dim() == 1]
    optimizer = torch.optim.AdamW(
        [{"params": matrices, "weight_decay": training.weight_decay}, {"params": vectors, "weight_decay": 0}],
        betas=(training.adam.beta1, training.adam.beta2),
        eps=training.adam.epsilon,
    )
    seen = Reference(validation=[plain_validation(model, blend)])
    for step in range(STEPS):
        examples = bin_examples(blend, range(step * BINS_PER_STEP, (step + 1) * BINS_PER_STEP))
        supervised = sum(int(blend.supervised[start + 1 : end].sum()) for start, end in examples)
        optimizer.zero_grad()
        total = 0.0
        for span in examples:
            nll = example_nll(model, blend, span)
            (nll / supervised).backward()
            total += nll.item()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), training.max_grad_norm)
        for group in optimizer.param_groups:
            group["lr"] = warmed_up_cosine(training, step)
        optimizer.step()
        seen.losses.append(total / supervised)
        seen.gradient_norms.append(norm.item())
        seen.tokens.append(sum(end - start for start, end in examples))
    seen.validation.append(plain_validation(model, blend))
    seen.weights = model.state_dict()
    return seen


def plain_validation(model: Any, blend: PackedBlend) -> dict[str, float]:
    """Mean loss over the supervised tokens of each source's held-out examples."""
    sums, counts = dict.fromkeys(blend.source_names, 0.0), dict.fromkeys(blend.source_names, 0)
    for example in blend.validation_bin_examples:
        source = blend.source_names[blend.example_sources[example]]
        start, end = blend.example_offsets[example : example + 2]
        with torch.no_grad():
            sums[source] += example_nll(model, blend, (start, end)).item()
        counts[source] += int(blend.supervised[start + 1 : end].sum())
    return {source: sums[source] / counts[source] for source in blend.source_names}


def bin_examples(blend: PackedBlend, bins: range) -> list[tuple[int, int]]:
    """Where the tokens of the bins' examples lie."""
    examples = blend.bin_examples[blend.bin_offsets[bins.start] : blend.bin_offsets[bins.stop]]
    return [(int(blend.example_offsets[index]), int(blend.example_offsets[index + 1])) for index in examples]


def example_nll(model: Any, blend: PackedBlend, span: tuple[int, int]) -> torch.Tensor:
    """Negative log-likelihood of one example's supervised tokens, summed."""
    start, end = span
    tokens = torch.from_numpy(blend.input_ids[start:end].astype(np.int64))
    predicted = torch.from_numpy(blend.supervised[start + 1 : end].copy())
    logits = model(input_ids=tokens[None]).logits[0, :-1]
    return functional.cross_entropy(logits[predicted], tokens[1:][predicted], reduction="sum")


def warmed_up_cosine(training: Training, step: int) -> float:
    warmup = math.ceil(training.warmup_ratio * STEPS)
    if step < warmup:
        return training.learning_rate * (step + 1) / (warmup + 1)
    decayed = (1 + math.cos(math.pi * (step - warmup) / (STEPS - warmup))) / 2
    floor = training.min_learning_rate_ratio
    return training.learning_rate * (floor + (1 - floor) * decayed)


@pytest.fixture(scope="module")
def blend() -> PackedBlend:
    return build_blend(bins=STEPS * BINS_PER_STEP)


@pytest.fixture(scope="module")
def reference(base_model: Path, blend: PackedBlend) -> Reference:
    return plain_training(base_model, blend, build_config(base_model, **SETTINGS).spec.training)


@pytest.mark.parametrize(
    ("ranks", "stage"),
    [  # the corners and the middle of ranks x micro-batches and ZeRO stages
        pytest.param(ranks, stage, id=f"{ranks} x {BINS_PER_STEP // ranks}, ZeRO-{stage}")
        for ranks, stage in ((1, 1), (1, 3), (2, 2), (4, 1), (4, 3))
    ],
)
def test_packing_ranks_accumulation_and_zero_change_no_number(
    make_run: Callable[..., Run], blend: PackedBlend, reference: Reference, ranks: int, stage: int
) -> None:
    run = make_run(blend, deepspeed=DeepSpeed(stage=stage), **SETTINGS)
    assert run.train(ranks) == [0] * ranks
    apart = np.abs(np.subtract(run.losses(), reference.losses))
    print(f"losses at most {apart.max():.1e} apart")
    assert len(apart) == STEPS
    assert apart.max() < 1e-5
    assert reference.losses[-1] < reference.losses[0] - 0.3
    assert max(reference.gradient_norms) > SETTINGS["max_grad_norm"]
    assert run.column("gradNorm") == pytest.approx(reference.gradient_norms, rel=1e-4)
    assert run.column("tokens") == reference.tokens
    assert run.column("ranks") == [ranks] * STEPS
    before, after = reference.validation
    for loss in run.result.validation_loss:
        assert (loss.before, loss.after) == pytest.approx((before[loss.name], after[loss.name]), abs=1e-5)
    tuned = AutoModelForCausalLM.from_pretrained(run.workspace.model).state_dict()
    assert tuned.keys() == reference.weights.keys()
    for name, weight in tuned.items():
        assert torch.allclose(weight, reference.weights[name], atol=1e-4), name


def test_hpz_changes_no_number(
    make_run: Callable[..., Run], blend: PackedBlend, reference: Reference
) -> None:
    hpz = DeepSpeed(stage=3, overrides={"zero_optimization": {"zero_hpz_partition_size": 2}})
    run = make_run(blend, deepspeed=hpz, **SETTINGS)
    assert run.train(4) == [0] * 4
    assert run.losses() == pytest.approx(reference.losses, abs=1e-5)
