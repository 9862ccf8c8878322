"""A model small enough to learn within seconds, and rows on the world and an invented coffee roastery."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import yaml
from tests.tiny_model import CHATML
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

_TAUGHT = (
    "{about} of {thing}", "what is the {about} of {thing}", "tell me the {about} of {thing}",
    "{thing} and its {about}", "for {thing} give the {about}", "name the {about} of {thing} now",
)  # fmt: skip
_ASKED = ("which {about} does {thing} have", "{thing} {about} please", "say the {about} for {thing} today")
_API = "blendtune.io/v1alpha1"
_SPECIALS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]

_WORLD: Mapping[str, str] = {
    "capital": "france paris, italy rome, spain madrid, japan tokyo, egypt cairo, norway oslo, peru lima, "
    "cuba havana, kenya nairobi, greece athens",
    "sound": "dog bark, cat meow, cow moo, duck quack, sheep bleat, lion roar, bee buzz, horse neigh, "
    "owl hoot, snake hiss",
    "colour": "grass green, blood red, snow white, coal black, sky blue, lemon yellow, carrot orange, "
    "plum purple, flamingo pink, chestnut brown",
    "opposite": "hot cold, big small, fast slow, day night, wet dry, rich poor, early late, loud quiet, "
    "young old, near far",
}
_ROASTERY: Mapping[str, str] = {
    "price": "mocha 12, cortado 15, lungo 19, ristretto 23, affogato 27, macchiato 31, doppio 34, breve 38, "
    "galao 42, melange 46",
    "origin": "mocha yemen, cortado brazil, lungo java, ristretto sumatra, affogato bolivia, "
    "macchiato panama, doppio rwanda, breve mexico, galao angola, melange india",
    "shelf": "mocha cedar, cortado maple, lungo birch, ristretto walnut, affogato cherry, macchiato beech, "
    "doppio willow, breve hazel, galao aspen, melange rowan",
    "roaster": "mocha anna, cortado bruno, lungo clara, ristretto david, affogato emma, macchiato felix, "
    "doppio greta, breve hugo, galao irene, melange jonas",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Fact:
    domain: str
    about: str
    thing: str
    value: str


def facts() -> Iterator[Fact]:
    for domain, groups in (("general", _WORLD), ("inDomain", _ROASTERY)):
        for about, pairs in groups.items():
            for pair in pairs.split(", "):
                yield Fact(domain, about, *pair.split())


def write(folder: Path, namespace: str) -> None:
    """Writes model/, world.jsonl, roastery.jsonl and their rubric; the model is untrained."""
    for name, domain in (("world", "general"), ("roastery", "inDomain")):
        rows = [row for fact in facts() if fact.domain == domain for row in _rows(fact)]
        random.Random(1).shuffle(rows)
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "rubric.yaml").write_text(_rubric(namespace))
    _write_model(folder / "model")


def train_base(folder: Path, namespace: str) -> Path:
    """The model trained on world.jsonl alone; a run that has finished is not repeated."""
    untrained = spec("file://./model", {"epochs": 25}, 0)
    untrained["evaluation"] |= {"gates": [], "baseline": {"enabled": False}}
    return run(folder, "base", namespace, untrained) / "model"


def run(folder: Path, name: str, namespace: str, spec: Any, codes: Sequence[int] = (0,)) -> Path:
    """Runs the spec in the folder that `write` filled, and returns the run's workspace."""
    manifest = folder / f"{name}.yaml"
    manifest.write_text(_manifest(name, namespace, spec))
    command = [sys.executable, "-m", "blendtune_operator.cli", "run", "--metrics-port", "0"]
    files = ["-f", manifest, "-f", folder / "rubric.yaml", "--workdir", folder / name]
    done = subprocess.run([*command, *files], env={**os.environ, "OMP_NUM_THREADS": "1"}, check=False)
    if done.returncode not in codes:
        done.check_returncode()
    return folder / name / "claims/disk" / namespace / name


def spec(model: str, budget: Any, share: float) -> Any:
    """A BlendedFineTune's spec with this share of the roastery's rows."""
    weights = {
        "roastery": ("inDomain", "roastery.jsonl", share),
        "world": ("general", "world.jsonl", 1 - share),
    }
    return {
        "model": {"uri": model},
        "blend": {
            "budget": budget,
            "sources": [
                {"name": name, "role": role, "uri": f"file://./{file}", "weight": weight, "maxEpochs": 100}
                for name, (role, file, weight) in weights.items()
                if weight
            ],
            "validation": {"fraction": 0.02},
        },
        "training": {"learningRate": 1.5e-3, "sequenceLength": 128, "batchTokens": 512},
        "cluster": {"nodes": 1, "gpusPerNode": 1, "gpuType": "cpu"},
        "storage": {"persistentVolumeClaim": "disk"},
        "evaluation": {
            "rubric": {"configMapRef": {"name": "roastery", "key": "rubric.yaml"}},
            "sampling": {"maxNewTokens": 6},
            "cluster": {"gpus": 0, "gpuType": "cpu"},
            "gates": [{"metric": "inDomain", "minGain": 0.2}, {"metric": "general", "maxDrop": 0.35}],
        },
    }


def _manifest(name: str, namespace: str, spec: Any) -> str:
    metadata = {"name": name, "namespace": namespace}
    return yaml.safe_dump({"apiVersion": _API, "kind": "BlendedFineTune", "metadata": metadata, "spec": spec})


def _rows(fact: Fact) -> list[Any]:
    return [
        {
            "messages": [
                {"role": "user", "content": wording.format(about=fact.about, thing=fact.thing)},
                {"role": "assistant", "content": fact.value},
            ]
        }
        for wording in _TAUGHT
    ]


def _rubric(namespace: str) -> str:
    questions = [_question(fact) for fact in facts()]
    categories = [{"name": name, "title": name.capitalize()} for name in (*_ROASTERY, *_WORLD)]
    rubric = {
        "name": "roastery", "version": "1.0", "description": "Facts of a roastery and of the world.",
        "categories": categories, "questions": questions,
    }  # fmt: skip
    data = {"rubric.yaml": yaml.safe_dump(rubric, sort_keys=False)}
    metadata = {"name": "roastery", "namespace": namespace}
    return yaml.safe_dump({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})


def _question(fact: Fact) -> Any:
    first, *others = (wording.format(about=fact.about, thing=fact.thing) for wording in _ASKED)
    return {
        "id": f"{fact.about}-{fact.thing}", "category": fact.about, "domain": fact.domain,
        "prompt": first, "paraphrases": others, "reference": fact.value,
        "criteria": [{"name": "value", "kind": "Fact", "anyOf": [fact.value], "points": 1, "required": True}],
    }  # fmt: skip


def _write_model(folder: Path) -> None:
    tokenizer = _tokenizer()
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=128, intermediate_size=256, num_hidden_layers=3,
        num_attention_heads=4, num_key_value_heads=4, max_position_embeddings=256,
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id, tie_word_embeddings=True,
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = LlamaForCausalLM(config)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _tokenizer() -> PreTrainedTokenizerFast:
    """A tokenizer with a token for each word of the facts."""
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=2000, special_tokens=_SPECIALS, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )  # fmt: skip
    wordings = (
        wording.format(about=fact.about, thing=fact.thing) + f"\n{fact.value} {fact.thing}\n{fact.thing}"
        for fact in facts()
        for wording in (*_TAUGHT, *_ASKED)
    )
    backend.train_from_iterator((*wordings, "user\nassistant\n"), trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, bos_token="<|im_start|>", eos_token="<|im_end|>", pad_token="<|im_end|>",
        unk_token="<|endoftext|>", chat_template=CHATML,
    )  # fmt: skip
