"""A tiny chat model and a small rubric, made on the spot."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from tokenizers.decoders import ByteLevel
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from blendtune_api import codec
from blendtune_api.contract import CONFIG_FILE, Env, EvalConfig, GpuPreset, weights_digest
from blendtune_api.v1alpha1 import (
    EvaluatedModel,
    RubricEvalBaseline,
    RubricEvalSpec,
    RubricReference,
    Sampling,
    Storage,
)
from blendtune_eval.rubric import Rubric
from blendtune_eval.rubrics.loader import parse

CHAT_TEMPLATE = (
    "{% for message in messages %}<|{{ message.role }}|>{{ message.content }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)

CPU = GpuPreset(name="cpu", resource_name=None)

RUBRIC = """
name: small
version: "1.0"
description: Four questions.
categories:
- {name: world, title: World}
- {name: shop, title: "The shop"}
questions:
- id: boiling-point
  category: world
  domain: general
  prompt: "At what temperature does water boil at sea level?"
  paraphrases: ["What is water's boiling point?"]
  reference: "Water boils at 100 degrees Celsius."
  criteria:
  - {name: boils-at, kind: Number, value: 100, unit: celsius, points: 2, required: true}
  - {name: says-degrees, kind: Fact, anyOf: ["degrees", "°C"], points: 1}
- id: capital
  category: world
  domain: general
  weight: 2
  prompt: "What is the capital of France?"
  paraphrases: ["Name the French capital."]
  reference: "Paris."
  criteria:
  - {name: says-paris, kind: Fact, anyOf: ["Paris"], required: true}
  - {name: no-other-city, kind: Forbidden, anyOf: ["Lyon"], points: -0.5}
- id: refund
  category: shop
  domain: inDomain
  prompt: "How long does the shop take goods back?"
  paraphrases: ["Until when can I return what I bought?"]
  reference: "You can return goods within 30 days."
  criteria:
  - {name: thirty-days, kind: Number, value: 30, unit: days, required: true}
  - {name: promises-forever, kind: Forbidden, anyOf: ["for ever"], points: -1, critical: true}
- id: future-price
  category: shop
  domain: inDomain
  prompt: "What will a kettle cost in ten years?"
  paraphrases: []
  reference: "I cannot know what it will cost."
  criteria:
  - {name: declines, kind: Abstention, required: true}
"""


@pytest.fixture(scope="session")
def rubric() -> Rubric:
    return parse(RUBRIC, "rubric.yaml")


@pytest.fixture(scope="session")
def tokenizer() -> PreTrainedTokenizerFast:
    special = ["<pad>", "<eos>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>"]
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=special, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()
    )
    backend.train_from_iterator([RUBRIC], trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, pad_token="<pad>", eos_token="<eos>", chat_template=CHAT_TEMPLATE
    )


def save_model(folder: Path, tokenizer: PreTrainedTokenizerFast, seed: int, **settings: Any) -> Path:
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=256,
        initializer_range=0.5,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        **settings,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def models_folder(tmp_path_factory: pytest.TempPathFactory, tokenizer: PreTrainedTokenizerFast) -> Path:
    """Two checkpoints of one architecture: `tuned` and `base`."""
    folder = tmp_path_factory.mktemp("models")
    save_model(folder / "tuned", tokenizer, seed=1)
    save_model(folder / "base", tokenizer, seed=2)
    return folder


Pod = Callable[..., dict[str, str]]


@pytest.fixture
def pod(tmp_path: Path, models_folder: Path) -> Pod:
    """Environments of eval pods over one folder of claims."""
    rubric = tmp_path / "rubric.yaml"
    rubric.write_text(RUBRIC)

    def environment(
        *, compared: bool = True, training: Storage | None = None, gpu: GpuPreset = CPU, **changes: Any
    ) -> dict[str, str]:
        fields: dict[str, Any] = {
            "model": EvaluatedModel(
                uri=f"file://{models_folder / 'tuned'}", digest=weights_digest(models_folder / "tuned")
            ),
            "baseline": RubricEvalBaseline(
                model=EvaluatedModel(uri=f"file://{models_folder / 'base'}") if compared else None
            ),
            "storage": Storage(persistent_volume_claim="work"),
            "rubric": RubricReference(builtin="unused"),
            "sampling": Sampling(max_new_tokens=12),
        }
        spec = RubricEvalSpec(**fields | changes)
        config = EvalConfig(
            uid="u", namespace="ns", name="ev", spec=spec, gpu=gpu, training_workspace=training
        )
        (tmp_path / CONFIG_FILE).write_text(json.dumps(codec.encode(config)))
        return {
            Env.CONFIG: str(tmp_path / CONFIG_FILE),
            Env.CLAIMS: str(tmp_path / "claims"),
            Env.RUBRIC: str(rubric),
            Env.TERMINATION_LOG: str(tmp_path / "termination-log"),
        }

    return environment


def workspace_folder(environment: Mapping[str, str]) -> Path:
    return Path(environment[Env.CLAIMS]) / "work" / "ns" / "ev"
