"""Models in which examples of one bin see one another are refused, before the run and at its start."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from tests.tiny_model import TINY
from transformers import AutoConfig, AutoModelForCausalLM

from blendtune_runtime.errors import BadModel
from blendtune_trainer.model.attention import attend_within_examples
from blendtune_trainer.model.base_model import empty_model, leaks
from blendtune_trainer.training.loss import SupervisedLoss
from blendtune_trainer.training.separation import require_separation

VOCABULARY = 64
SHAPE: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    **TINY,
    "max_position_embeddings": 128,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
APART = (
    "llama", "mistral", "mixtral", "qwen2", "qwen2_moe", "qwen3", "gemma", "gemma2", "phi", "phi3", "olmo2",
    "granite", "cohere", "stablelm", "starcoder2", "gpt_neox", "gpt2", "smollm3", "glm4",
    "nemotron", "opt", "biogpt", "doge", "falcon", "gpt_oss", "xglm",
)  # fmt: skip
SEEING = (
    "bloom", "mpt", "mamba", "jamba", "falcon_h1", "rwkv",
    "recurrent_gemma", "qwen3_next", "minimax",
)  # fmt: skip
WITHOUT_POSITIONS = ("bloom", "mpt", "mamba", "rwkv")


class Engine:
    """What DeepSpeed's is, over a module."""

    def __init__(self, module: torch.nn.Module) -> None:
        self.module = module

    def __call__(self, *arguments: torch.Tensor, **more: Any) -> Any:
        return self.module(*arguments, **more)

    def eval(self) -> None:
        self.module.eval()

    def train(self) -> None:
        self.module.train()


class Alone:
    """The only rank."""

    device, is_first = torch.device("cpu"), True

    def any(self, flag: bool) -> bool:
        return flag


def small(model_type: str) -> Any:
    """A model of this type with weights that are large enough to tell."""
    torch.manual_seed(0)
    config = AutoConfig.for_model(model_type, **SHAPE)
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    for parameter in model.parameters():
        if parameter.dim() > 1:
            torch.nn.init.normal_(parameter, std=0.3)
    return model


def tried(model: Any) -> None:
    attend_within_examples(model, 128)
    require_separation(Engine(SupervisedLoss(model)), Alone(), torch.float32, VOCABULARY)  # type: ignore[arg-type]


@pytest.mark.parametrize("model_type", APART)
def test_attention_within_examples(model_type: str) -> None:
    model = small(model_type)
    assert list(leaks(model)) == []
    tried(model)


@pytest.mark.parametrize("model_type", ["llava", "qwen2_vl", "t5"])
def test_a_model_that_is_not_one_of_text_alone(model_type: str, tmp_path: Path) -> None:
    AutoConfig.for_model(model_type).save_pretrained(tmp_path)
    with pytest.raises(BadModel, match=f"no such use for a {model_type}.* Choose a model of text"):
        empty_model(tmp_path)


@pytest.mark.parametrize("model_type", SEEING)
def test_a_model_that_sees_across_examples(model_type: str, tmp_path: Path) -> None:
    model = small(model_type)
    model.config.save_pretrained(tmp_path)
    with pytest.raises(BadModel, match=f"holds a {model_type}, whose .* would let examples"):
        empty_model(tmp_path)
    if model_type in WITHOUT_POSITIONS:
        return
    with pytest.raises(BadModel, match="examples of one bin see one another"):
        tried(model)
