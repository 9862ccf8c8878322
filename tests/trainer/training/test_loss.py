"""The loss against transformers' own, and examples of one bin against each other."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.trainer.training.rows import CPU, row_examples
from tests.trainer.training.runs import build_blend
from torch.nn import functional
from transformers import AutoModelForCausalLM

from blendtune_trainer.blending.packed import Bin
from blendtune_trainer.model.attention import PER_EXAMPLE, example_arguments
from blendtune_trainer.training import loss as loss_module
from blendtune_trainer.training.loss import SupervisedLoss, summed_nll
from blendtune_trainer.training.microbatch import assemble, forward


@pytest.fixture(scope="module", params=["sdpa", "eager", PER_EXAMPLE])
def model(request: pytest.FixtureRequest, base_model: Path) -> Any:
    loaded = AutoModelForCausalLM.from_pretrained(base_model, attn_implementation="sdpa")
    loaded.set_attn_implementation(request.param)
    return loaded


def examples_of(contents: Bin) -> list[slice]:
    starts = [*np.flatnonzero(contents.position_ids == 0), len(contents.input_ids)]
    return [slice(start, end) for start, end in pairwise(starts)]


def alone(contents: Bin, where: slice) -> Bin:
    return Bin(
        input_ids=contents.input_ids[where],
        labels=contents.labels[where],
        position_ids=contents.position_ids[where],
        sources=contents.sources[where],
    )


def nll_of(model: Any, contents: Bin) -> float:
    return forward(SupervisedLoss(model), assemble([contents], CPU)).item()


def test_equals_the_loss_of_transformers(model: Any) -> None:
    contents = alone(build_blend().bin(0), slice(0, 6))
    row = torch.from_numpy(contents.input_ids)[None]
    labels = torch.from_numpy(contents.labels)[None]
    lengths = example_arguments(model, torch.arange(6)[None], row_examples([6]))
    expected = model(input_ids=row, labels=labels, **lengths).loss * contents.supervised_tokens
    assert nll_of(model, contents) == pytest.approx(expected.item(), rel=1e-6)


def test_packed_and_unpacked_examples_have_the_same_loss(model: Any) -> None:
    for index in range(4):
        contents = build_blend().bin(index)
        separate = [nll_of(model, alone(contents, where)) for where in examples_of(contents)]
        assert nll_of(model, contents) == pytest.approx(sum(separate), abs=1e-5 * len(separate))


def test_changing_one_example_leaves_its_bin_mates_logits_alone(model: Any) -> None:
    contents = build_blend().bin(1)
    positions = torch.from_numpy(contents.position_ids)[None]
    row = torch.from_numpy(contents.input_ids)[None]
    changed_slice = examples_of(contents)[1]
    changed = row.clone()
    changed[0, changed_slice] = 200
    lengths = example_arguments(model, positions, assemble([contents], CPU).examples)
    before = model(input_ids=row, position_ids=positions, use_cache=False, **lengths).logits[0]
    after = model(input_ids=changed, position_ids=positions, use_cache=False, **lengths).logits[0]
    outside = np.ones(len(contents.input_ids), bool)
    outside[changed_slice] = False
    assert torch.equal(before[outside], after[outside])
    assert not torch.allclose(before[changed_slice], after[changed_slice])


def test_several_bins_in_one_row_have_the_loss_and_the_gradient_of_each_alone(model: Any) -> None:
    bins = [build_blend().bin(index) for index in range(3)]
    supervised = SupervisedLoss(model)

    def gradient(loss: torch.Tensor) -> torch.Tensor:
        return torch.cat([part.flatten() for part in torch.autograd.grad(loss, list(model.parameters()))])

    together = forward(supervised, assemble(bins, CPU))
    alone_losses = torch.stack([forward(supervised, assemble([contents], CPU)) for contents in bins]).sum()
    assert together.item() == pytest.approx(alone_losses.item(), rel=1e-5)
    assert torch.allclose(gradient(together), gradient(alone_losses), atol=1e-4)


def test_an_empty_micro_batch_weighs_nothing_and_reaches_every_parameter(model: Any) -> None:
    model.zero_grad()
    nll = forward(SupervisedLoss(model), assemble([], CPU))
    nll.backward()
    assert nll.item() == 0
    assert all(not parameter.grad.any() for parameter in model.parameters())
    model.zero_grad()


def test_chunks_change_neither_loss_nor_gradient(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    logits = torch.randn(37, 11, requires_grad=True)
    targets = torch.randint(0, 11, (37,))
    expected = functional.cross_entropy(logits, targets, reduction="sum")
    (expected_gradient,) = torch.autograd.grad(expected, logits)
    monkeypatch.setattr(loss_module, "LOSS_CHUNK_BYTES", 5 * 4 * 11)
    chunked = summed_nll(logits, targets)
    (gradient,) = torch.autograd.grad(chunked, logits)
    assert chunked.item() == pytest.approx(expected.item())
    assert torch.allclose(gradient, expected_gradient, atol=1e-6)


def test_the_softmax_of_16_bit_logits_is_computed_in_float32() -> None:
    torch.manual_seed(0)
    logits = torch.randn(37, 11).to(torch.bfloat16)
    targets = torch.randint(0, 11, (37,))
    expected = functional.cross_entropy(logits.double(), targets, reduction="sum")
    assert summed_nll(logits, targets).item() == pytest.approx(expected.item(), rel=1e-6)
