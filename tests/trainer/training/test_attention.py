"""Which models use attention per example, and that loss and gradients are those with a mask."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.tiny_model import TINY
from tests.trainer.training.rows import row
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    Lfm2Config,
    LlamaConfig,
    MistralConfig,
    PreTrainedConfig,
    Qwen2Config,
    Qwen2MoeConfig,
    Qwen3Config,
)

from blendtune_api.v1alpha1 import Attention, Training
from blendtune_runtime.errors import BadConfiguration
from blendtune_trainer.model.attention import (
    BLIND_TO_RESTARTS,
    PER_EXAMPLE,
    attend_within_examples,
    example_arguments,
)
from blendtune_trainer.model.load import attention_implementation, load_model
from blendtune_trainer.training.loss import SupervisedLoss
from blendtune_trainer.training.microbatch import forward

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
    ids = torch.randint(0, 64, (sum(lengths),), generator=torch.Generator().manual_seed(1))
    batch = row(ids, lengths)

    def outcome(model: Any) -> tuple[float, torch.Tensor]:
        loss = forward(SupervisedLoss(model), batch)
        gradients = torch.autograd.grad(loss, list(model.parameters()))
        return loss.item(), torch.cat([gradient.flatten() for gradient in gradients])

    masked, model = loaded(config), loaded(config)
    attend_within_examples(model, LONGEST)
    assert (model.config._attn_implementation == PER_EXAMPLE) == each
    arguments = example_arguments(model, batch.position_ids, batch.examples)
    assert arguments == ({"example_lengths": tuple(lengths)} if each else {})
    (expected_loss, expected), (loss, gradient) = outcome(masked), outcome(model)
    assert loss == pytest.approx(expected_loss, rel=1e-6)
    assert torch.allclose(gradient, expected, atol=1e-4)


@pytest.mark.parametrize(
    ("model_type", "more"),
    [
        pytest.param("gemma2", {"head_dim": 8, "sliding_window": 4}, id="gemma2, a window within examples"),
        pytest.param("gpt_oss", {"head_dim": 8, "sliding_window": 4, "num_local_experts": 4}, id="gpt_oss"),
        *(pytest.param(name, {}, id=name) for name in ("biogpt", "falcon", "opt", "xglm")),
    ],
)
def test_a_row_has_the_loss_and_gradient_of_its_examples(
    model_type: str, more: dict[str, Any], tmp_path: Path
) -> None:
    torch.manual_seed(3)
    config = AutoConfig.for_model(model_type, **SHAPE, **more, pad_token_id=0)
    AutoModelForCausalLM.from_config(config, dtype=torch.float32).save_pretrained(tmp_path)
    model = load_model(
        tmp_path,
        Training(learning_rate=1e-3, sequence_length=LONGEST),
        torch.device("cpu"),
        activation_checkpointing=False,
        deepspeed_config={"train_micro_batch_size_per_gpu": 1},
    )
    lengths = [7, 2, 12, 5]
    ids = torch.randint(1, 64, (sum(lengths),), generator=torch.Generator().manual_seed(1))
    labels = ids.clone()
    labels[[0, *np.cumsum(lengths)[:-1]]] = -100  # nothing predicts the first token of an example

    def outcome(losses: list[torch.Tensor]) -> tuple[float, torch.Tensor]:
        loss = torch.stack(losses).sum()
        gradients = torch.autograd.grad(loss, list(model.parameters()), allow_unused=True)
        return loss.item(), torch.cat([each.flatten() for each in gradients if each is not None])

    supervised = SupervisedLoss(model)
    alone = [
        row(example, [len(example)], own)
        for example, own in zip(ids.split(lengths), labels.split(lengths), strict=True)
    ]
    expected_loss, expected = outcome([forward(supervised, example) for example in alone])
    loss, gradient = outcome([forward(supervised, row(ids, lengths, labels))])
    assert loss == pytest.approx(expected_loss, rel=1e-5)
    assert torch.allclose(gradient, expected, atol=1e-4)


@pytest.mark.parametrize("model_type", sorted(BLIND_TO_RESTARTS))
def test_flash_attention_is_not_chosen_where_it_sees_the_whole_row(
    model_type: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)
    config, gpu = AutoConfig.for_model(model_type), torch.device("cuda")
    training = Training(learning_rate=1e-3)
    asked_for = replace(training, attention=Attention.FLASH_ATTENTION_2)
    assert attention_implementation(asked_for, gpu, LlamaConfig()) == "flash_attention_2"
    assert attention_implementation(training, gpu, config) in ("sdpa", "eager")
    with pytest.raises(BadConfiguration, match=f"in a {model_type}; set auto or sdpa"):
        attention_implementation(asked_for, gpu, config)
