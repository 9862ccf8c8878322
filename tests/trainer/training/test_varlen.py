"""One kernel for all examples of a row: which models get it, and that a row means what its examples mean.

The kernel is torch's and runs on CUDA alone. Here a reference of the same signature takes its place, so that
all the rest is what trains; what the kernel itself returns is checked by shape on fake CUDA tensors.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
import torch
from tests.tiny_model import TINY
from tests.trainer.training.rows import row
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    LlamaConfig,
    MistralConfig,
    PreTrainedConfig,
    Qwen2Config,
    Qwen3Config,
)

from blendtune_api.v1alpha1 import Attention, Precision, Training
from blendtune_runtime.errors import BadConfiguration, BadModel
from blendtune_trainer.model import memory, varlen
from blendtune_trainer.model.attention import RowExamples, attend_within_examples
from blendtune_trainer.model.load import attention_implementation
from blendtune_trainer.model.varlen import VARLEN
from blendtune_trainer.training.loss import SupervisedLoss
from blendtune_trainer.training.microbatch import forward

SHAPE: dict[str, Any] = {"vocab_size": 64, **TINY}
LENGTHS = [7, 1, 12, 5]
GPU = torch.device("cuda")
TRAINING = Training(learning_rate=1e-3)


def reference(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    cu_seq_q: Tensor,
    cu_seq_k: Tensor,
    max_q: int,
    max_k: int,
    *,
    scale: float | None,
    window_size: tuple[int, int],
    enable_gqa: bool,
) -> Tensor:
    """What torch's kernel documents, one example after the other."""
    assert cu_seq_q is cu_seq_k and cu_seq_q.dtype == torch.int32
    boundaries = cu_seq_q.tolist()
    assert max_q == max_k == max(end - start for start, end in pairwise(boundaries))
    assert enable_gqa == (query.shape[1] != key.shape[1])
    before, after = window_size
    assert after == 0
    outputs = []
    for start, end in pairwise(boundaries):
        distance = torch.arange(end - start)[:, None] - torch.arange(end - start)
        seen = (distance >= 0) & ((distance <= before) | torch.tensor(before < 0))
        states = (each[start:end].transpose(0, 1) for each in (query, key, value))
        attended = functional.scaled_dot_product_attention(
            *states, attn_mask=seen, scale=scale, enable_gqa=enable_gqa
        )
        outputs.append(attended.transpose(0, 1))
    return torch.cat(outputs)


def loaded(config: PreTrainedConfig) -> Any:
    torch.manual_seed(3)
    return AutoModelForCausalLM.from_config(config, dtype=torch.float32, attn_implementation="sdpa")


@pytest.mark.parametrize(
    "config",
    [
        pytest.param(LlamaConfig(**SHAPE), id="grouped heads"),
        pytest.param(LlamaConfig(**SHAPE | {"num_key_value_heads": 4}), id="heads of their own"),
        pytest.param(Qwen2Config(**SHAPE), id="qwen2"),
        pytest.param(Qwen3Config(**SHAPE, head_dim=16), id="heads wider than the model"),
        pytest.param(MistralConfig(**SHAPE, sliding_window=4), id="a window within examples"),
        pytest.param(MistralConfig(**SHAPE, sliding_window=12), id="a window that shows all"),
    ],
)
def test_loss_and_gradients_are_those_with_a_mask(
    config: PreTrainedConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(varlen, "kernel", reference)
    ids = torch.randint(0, 64, (sum(LENGTHS),), generator=torch.Generator().manual_seed(1))
    batch = row(ids, LENGTHS)

    def outcome(model: Any) -> tuple[float, Tensor]:
        loss = forward(SupervisedLoss(model), batch)
        gradients = torch.autograd.grad(loss, list(model.parameters()))
        return loss.item(), torch.cat([gradient.flatten() for gradient in gradients])

    masked, model = loaded(config), loaded(config)
    attend_within_examples(model, max(LENGTHS), one_kernel=True)
    assert model.config._attn_implementation == VARLEN
    (expected_loss, expected), (loss, gradient) = outcome(masked), outcome(model)
    assert loss == pytest.approx(expected_loss, rel=1e-6)
    assert torch.allclose(gradient, expected, atol=1e-4)


@pytest.mark.parametrize("window", [None, 16])
def test_torchs_own_kernel_takes_what_it_is_given(window: int | None) -> None:
    """By shape and dtype, on fake CUDA tensors: heads in groups of two, as a training in bf16 has them."""
    with FakeTensorMode(), sdpa_kernel(SDPBackend.FLASH_ATTENTION):

        def states(heads: int) -> Tensor:
            return torch.empty(1, heads, 25, 64, dtype=torch.bfloat16, device=GPU)

        output, weights = varlen.varlen(
            torch.nn.Module(),
            states(4),
            states(2),
            states(2),
            None,
            example_boundaries=torch.empty(5, dtype=torch.int32, device=GPU),
            longest_example=12,
            scaling=0.125,
            sliding_window=window,
        )
    assert weights is None
    assert (output.shape, output.dtype, output.device.type) == ((1, 25, 4, 64), torch.bfloat16, "cuda")


def test_a_whole_model_on_a_gpu_by_shape() -> None:
    with FakeTensorMode(allow_non_fake_inputs=True), sdpa_kernel(SDPBackend.FLASH_ATTENTION):
        with GPU:
            model = AutoModelForCausalLM.from_config(LlamaConfig(**SHAPE), dtype=torch.bfloat16)
            tokens = torch.zeros(sum(LENGTHS), dtype=torch.int64)
            boundaries = torch.zeros(len(LENGTHS) + 1, dtype=torch.int32)
        attend_within_examples(model, max(LENGTHS), one_kernel=True)
        loss = SupervisedLoss(model)(
            tokens[None],
            tokens[None],
            tokens[:3],
            tokens[:3],
            examples=RowExamples(lengths=tuple(LENGTHS), boundaries=boundaries),
        )
    assert (loss.shape, loss.dtype, loss.device.type) == ((), torch.float32, "cuda")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU: torch's kernel runs on CUDA alone")
@pytest.mark.parametrize("window", [None, 4])
def test_torchs_own_kernel_against_fp32_with_a_mask(window: int | None) -> None:
    config = MistralConfig(**SHAPE, sliding_window=window)
    ids = torch.randint(0, 64, (sum(LENGTHS),), generator=torch.Generator().manual_seed(1))
    batch = row(ids, LENGTHS)
    expected = forward(SupervisedLoss(loaded(config)), batch).item()
    model = loaded(config).to(GPU, torch.bfloat16)
    attend_within_examples(model, max(LENGTHS), one_kernel=True)
    moved = (batch.input_ids, batch.position_ids, batch.predicting, batch.targets)
    examples = replace(batch.examples, boundaries=batch.examples.boundaries.to(GPU))
    loss = SupervisedLoss(model)(*(each.to(GPU) for each in moved), examples=examples)
    assert loss.item() == pytest.approx(expected, rel=1e-2)


@pytest.fixture
def ampere(monkeypatch: pytest.MonkeyPatch) -> None:
    """A GPU that has the kernel, and no flash-attn."""
    monkeypatch.setattr(memory, "varlen_runs", lambda _: True)
    monkeypatch.setattr(memory.importlib.util, "find_spec", lambda _: None)


@pytest.mark.usefixtures("ampere")
@pytest.mark.parametrize(
    ("config", "training", "expected"),
    [
        pytest.param(LlamaConfig(**SHAPE), TRAINING, VARLEN, id="llama"),
        pytest.param(MistralConfig(**SHAPE, sliding_window=4), TRAINING, VARLEN, id="a window"),
        pytest.param(
            LlamaConfig(**SHAPE), replace(TRAINING, precision=Precision.FP32), "sdpa", id="in 32 bits"
        ),
        pytest.param(
            LlamaConfig(**SHAPE), replace(TRAINING, attention=Attention.SDPA), "sdpa", id="as asked"
        ),
        pytest.param(LlamaConfig(**SHAPE, attention_dropout=0.1), TRAINING, "sdpa", id="dropout"),
        pytest.param(LlamaConfig(**SHAPE, head_dim=12), TRAINING, "sdpa", id="heads of 12"),
        pytest.param(AutoConfig.for_model("gemma2"), TRAINING, "eager", id="capped scores"),
        pytest.param(AutoConfig.for_model("opt"), TRAINING, "sdpa", id="blind to restarts"),
        pytest.param(AutoConfig.for_model("deepseek_v3"), TRAINING, "sdpa", id="values of another size"),
    ],
)
def test_auto_on_a_gpu(config: PreTrainedConfig, training: Training, expected: str) -> None:
    assert attention_implementation(training, GPU, config) == expected


@pytest.mark.parametrize(
    ("config", "device", "message"),
    [
        pytest.param(LlamaConfig(**SHAPE), "cpu", "varlen needs a CUDA device", id="no GPU"),
        pytest.param(LlamaConfig(**SHAPE, head_dim=12), "cuda", "attention of this llama", id="heads of 12"),
    ],
)
def test_what_cannot_be_had_is_refused_by_name(config: PreTrainedConfig, device: str, message: str) -> None:
    asked_for = replace(TRAINING, attention=Attention.VARLEN)
    with pytest.raises(BadConfiguration, match=f"spec.training.attention: {message}|{message}"):
        attention_implementation(asked_for, torch.device(device), config)


@pytest.mark.parametrize("more", [{"dropout": 0.1}, {"softcap": 30.0}, {"s_aux": torch.zeros(4)}])
def test_what_the_kernel_would_leave_out_is_an_error(more: dict[str, Any]) -> None:
    states = torch.zeros(1, 4, 5, 8)
    with pytest.raises(BadModel, match="set sdpa"):
        varlen.varlen(
            torch.nn.Module(), states, states, states, None, example_boundaries=torch.tensor([0, 5]), **more
        )
