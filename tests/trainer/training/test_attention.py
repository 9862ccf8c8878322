"""Which models use attention per example, and that loss and gradients are those with a mask."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from tests.tiny_model import TINY
from transformers import (
    AutoModelForCausalLM,
    Lfm2Config,
    LlamaConfig,
    MistralConfig,
    PreTrainedConfig,
    Qwen2Config,
    Qwen2MoeConfig,
    Qwen3Config,
)

from blendtune_trainer.model.attention import SDPA_PER_EXAMPLE, attend_within_examples, example_lengths
from blendtune_trainer.training.loss import SupervisedLoss

LONGEST = 32
SHAPE: dict[str, Any] = {
    "vocab_size": 64,
    **TINY,
}
CASES = [
    pytest.param(LlamaConfig(**SHAPE), True, id="llama"),
    pytest.param(Qwen2Config(**SHAPE), True, id="qwen2"),
    pytest.param(Qwen3Config(**SHAPE, head_dim=16), True, id="qwen3"),
    pytest.param(MistralConfig(**SHAPE, sliding_window=LONGEST), True, id="a window that shows all"),
    pytest.param(MistralConfig(**SHAPE, sliding_window=LONGEST - 1), False, id="a window that hides"),
    pytest.param(Qwen2MoeConfig(**SHAPE), True, id="a window of 0 that no layer has"),
    pytest.param(Lfm2Config(**SHAPE, layer_types=["conv", "full_attention"]), False, id="convolutions"),
]


def loaded(config: PreTrainedConfig) -> Any:
    torch.manual_seed(3)
    return AutoModelForCausalLM.from_config(config, dtype=torch.float32, attn_implementation="sdpa")


@pytest.mark.parametrize(("config", "each"), CASES)
def test_loss_and_gradients_are_those_with_a_mask(config: PreTrainedConfig, each: bool) -> None:
    lengths = [7, 1, 12, 5]
    positions = torch.cat([torch.arange(length) for length in lengths])[None]
    ids = torch.randint(0, 64, positions.shape, generator=torch.Generator().manual_seed(1))

    def outcome(model: Any) -> tuple[float, torch.Tensor]:
        loss = SupervisedLoss(model)(ids, ids, positions)
        gradients = torch.autograd.grad(loss, list(model.parameters()))
        return loss.item(), torch.cat([gradient.flatten() for gradient in gradients])

    masked, model = loaded(config), loaded(config)
    attend_within_examples(model, LONGEST)
    assert (model.config._attn_implementation == SDPA_PER_EXAMPLE) == each
    assert example_lengths(model, positions) == ({"example_lengths": lengths} if each else {})
    (expected_loss, expected), (loss, gradient) = outcome(masked), outcome(model)
    assert loss == pytest.approx(expected_loss, rel=1e-6)
    assert torch.allclose(gradient, expected, atol=1e-4)
