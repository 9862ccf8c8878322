"""A tiny chat model, small rubrics, and a judge behind a server."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.eval.judge_server import JudgeServer, judge_server
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from tokenizers.decoders import ByteLevel
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from blendtune_api import codec
from blendtune_api.contract import CONFIG_FILE, Env, EvalConfig, GpuPreset, weights_digest
from blendtune_api.v1alpha1 import (
    EvaluatedModel,
    Gate,
    Metric,
    RubricEvalBaseline,
    RubricEvalSpec,
    RubricReference,
    Sampling,
    Storage,
)
from blendtune_eval.api_client import Limits
from blendtune_eval.judging.judge import Case, Judgements
from blendtune_eval.judging.openai_judge import OpenAI
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


ONE_QUESTION = """\
name: tiny
version: 1.0
description: One question.
categories:
- {name: world, title: World}
questions:
- id: capital
  category: world
  domain: general
  prompt: "What is the capital of France?"
  paraphrases: ["Name the French capital."]
  reference: "It is Paris."
  criteria:
  - {name: says-paris, kind: Fact, anyOf: [Paris], required: true}
"""

GATES = (Gate(metric=Metric.IN_DOMAIN, min_gain=0.1), Gate(metric=Metric.OVERALL, max_critical_errors=0))


@pytest.fixture
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


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


def report_of(environment: Mapping[str, str]) -> Any:
    return json.loads((workspace_folder(environment) / "eval" / "report.json").read_text())


LIMITS = Limits(first_wait=0.002, longest_wait=2.0, call=10.0, total=60.0)

Ask = Callable[..., Judgements]


@pytest.fixture
def server(rubric: Rubric) -> Iterator[JudgeServer]:
    with judge_server(rubric.questions) as judge:
        yield judge


@pytest.fixture
def ask(server: JudgeServer, tmp_path: Path) -> Ask:
    """Asks the judge behind the server."""

    def judge_all(*cases: Case, limits: Limits = LIMITS, run: str = "one", key: str = "") -> Judgements:
        return OpenAI(server.spec, key, tmp_path, run, limits).judge_all(cases)

    return judge_all


@pytest.fixture
def right(rubric: Rubric) -> Case:
    return case(rubric, "refund", "You can return goods within 30 days.")


@pytest.fixture
def wrong(rubric: Rubric) -> Case:
    return case(rubric, "refund", "You can return goods within 90 days.")


def case(rubric: Rubric, question_id: str, answer: str) -> Case:
    question = rubric.question(question_id)
    return Case(question=question, wording=question.prompt, answer=answer)
