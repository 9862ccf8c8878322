"""Exported models: what transformers 4.57 and the pinned one load is the base model with its tokenizer."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from tests.chat_tokenizers import byte_level_bpe
from tests.older_transformers import read_by_older
from tests.read_model import read
from tests.tiny_model import CHATML, TINY
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, trainers
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from blendtune_api.v1alpha1 import ChatTemplate
from blendtune_runtime.chat.tokenizer import load_tokenizer
from blendtune_trainer.training import export
from blendtune_trainer.training.export import write_model

TEXTS = ["<s>[INST] how many [/INST]", "</s>twelve thalers", "  two blanks\n\nand lines: 1,234 Straße ☕", ""]
OTHER = CHATML.replace("message['content']", "message['content'] | upper")
Folder = Path


def byte_level(folder: Folder) -> None:
    tokenizer = byte_level_bpe()
    tokenizer.chat_template = CHATML
    tokenizer.save_pretrained(folder)


def in_tokenizer_config(folder: Folder) -> None:
    """As transformers 4 writes it: template, class and special tokens in one file."""
    byte_level(folder)
    change(folder / "tokenizer_config.json", chat_template=CHATML, tokenizer_class="PreTrainedTokenizerFast")
    (folder / "chat_template.jinja").unlink()


def legacy_llama(folder: Folder) -> None:
    """A LlamaTokenizer with `legacy: true`: a space is put before each text, also behind special tokens."""
    raw = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    raw.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    raw.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    special = [AddedToken(token, special=True, normalized=False) for token in ("<unk>", "<s>", "</s>")]
    pieces = [*special, *(f"<0x{byte:02X}>" for byte in range(256))]
    raw.train_from_iterator(
        ["[INST] how many thalers [/INST] twelve thalers", "a  two   three    four"] * 20,
        trainers.BpeTrainer(vocab_size=420, show_progress=False, special_tokens=pieces),
    )
    raw.save(str(folder / "tokenizer.json"))
    settings = {"legacy": True, "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    document = {"tokenizer_class": "LlamaTokenizer", "chat_template": CHATML, **settings}
    (folder / "tokenizer_config.json").write_text(json.dumps(document))


def several_in_config(folder: Folder) -> None:
    in_tokenizer_config(folder)
    named = [{"name": "default", "template": CHATML}, {"name": "tool_use", "template": OTHER}]
    change(folder / "tokenizer_config.json", chat_template=named)


def several_in_a_folder(folder: Folder) -> None:
    byte_level(folder)
    (folder / "additional_chat_templates").mkdir()
    (folder / "additional_chat_templates" / "tool_use.jinja").write_text(OTHER)


def change(file: Path, **values: Any) -> None:
    """Changes a JSON file; None removes a key."""
    document = json.loads(file.read_text()) | values
    file.write_text(json.dumps({name: value for name, value in document.items() if value is not None}))


def as_before_5(folder: Folder) -> None:
    """config.json as transformers 4 wrote it."""
    change(folder / "config.json", rope_parameters=None, dtype=None, torch_dtype="float32", rope_theta=5e5)


def sampling(folder: Folder) -> None:
    """Settings that transformers does not save any more, and most models have."""
    settings = {"bos_token_id": 1, "eos_token_id": [7, 9], "do_sample": False, "temperature": 0.6}
    (folder / "generation_config.json").write_text(json.dumps(settings))


@dataclass(frozen=True, kw_only=True)
class Base:
    """A base model: its architecture, its tokenizer, and what is changed in its files."""

    model_type: str = "llama"
    shape: dict[str, Any] = field(default_factory=dict)
    tokenizer: Callable[[Folder], None] = byte_level
    changes: tuple[Callable[[Folder], None], ...] = ()
    template: ChatTemplate | None = None


LLAMA_3_ROPE = {
    "rope_type": "llama3", "rope_theta": 5e5, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    "original_max_position_embeddings": 16,
}  # fmt: skip
EXPERTS = {"moe_intermediate_size": 32, "num_experts_per_tok": 2}
LATENT = {
    "q_lora_rank": 16, "kv_lora_rank": 16, "qk_rope_head_dim": 8, "qk_nope_head_dim": 8, "v_head_dim": 8,
    "n_routed_experts": 4, "n_group": 2, "topk_group": 1, "n_shared_experts": 1, "first_k_dense_replace": 1,
    "num_key_value_heads": 4,
}  # fmt: skip
CASES = {
    "llama with a far rope": Base(shape={"rope_parameters": {"rope_type": "default", "rope_theta": 5e5}}),
    "llama as transformers 4 wrote it": Base(changes=(as_before_5,), tokenizer=in_tokenizer_config),
    "llama-3.1's rope": Base(shape={"rope_parameters": LLAMA_3_ROPE}),
    "tied": Base(shape={"tie_word_embeddings": True}),
    "qwen3": Base(model_type="qwen3", shape={"head_dim": 8}),
    "gemma3 text": Base(model_type="gemma3_text", shape={"head_dim": 8, "sliding_window": 8}),
    "phi3": Base(model_type="phi3"),
    "mistral": Base(model_type="mistral", shape={"sliding_window": None}),
    "mixtral": Base(model_type="mixtral", shape={"num_local_experts": 4}),
    "qwen3 with experts": Base(model_type="qwen3_moe", shape={**EXPERTS, "num_experts": 4, "head_dim": 8}),
    "deepseek v3": Base(model_type="deepseek_v3", shape={**EXPERTS, **LATENT}),
    "gpt-oss": Base(model_type="gpt_oss", shape={"num_local_experts": 4, "head_dim": 8, "sliding_window": 8}),
    "gpt2": Base(model_type="gpt2"),
    "legacy LlamaTokenizer": Base(tokenizer=legacy_llama, changes=(as_before_5,)),
    "several templates in a list": Base(tokenizer=several_in_config),
    "several templates in a folder": Base(tokenizer=several_in_a_folder),
    "a named template": Base(tokenizer=several_in_config, template=ChatTemplate.LLAMA_3),
    "sampling settings": Base(changes=(sampling,)),
}


@dataclass(frozen=True)
class Exported:
    base: Folder
    folder: Folder
    template: ChatTemplate | None


def export_of(case: Base, place: Path) -> Exported:
    """Writes the base model and its export, in bf16, without training it."""
    base, folder = place / "base", place / "model"
    base.mkdir(parents=True)
    case.tokenizer(base)
    size = len(AutoTokenizer.from_pretrained(base))
    settings = {**TINY, "vocab_size": size, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
    config = AutoConfig.for_model(case.model_type, **(settings | case.shape))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        AutoModelForCausalLM.from_config(config, dtype=torch.float32).save_pretrained(base)
    for each in case.changes:
        each(base)
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.bfloat16)
    write_model(model, base, load_tokenizer(base, case.template), folder)
    return Exported(base, folder, case.template)


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Exported]:
    place = tmp_path_factory.mktemp("exports")
    return {name: export_of(case, place / str(number)) for number, (name, case) in enumerate(CASES.items())}


@pytest.fixture(scope="module")
def by_pinned(exports: dict[str, Exported]) -> dict[str, dict[str, Any]]:
    return {name: read(str(each.folder), {"texts": TEXTS}) for name, each in exports.items()}


@pytest.fixture(scope="module")
def by_older(exports: dict[str, Exported]) -> dict[str, dict[str, Any]]:
    reports = read_by_older([each.folder for each in exports.values()], texts=TEXTS)
    return dict(zip(exports, reports, strict=True))


@pytest.mark.parametrize("name", CASES)
def test_the_pinned_transformers_loads_what_was_trained(
    name: str, exports: dict[str, Exported], by_pinned: dict[str, dict[str, Any]]
) -> None:
    exported, now = exports[name], by_pinned[name]
    base = read(str(exported.base), {"texts": TEXTS})
    assert (now["missing"], now["unexpected"], now["dtype"]) == ([], [], "torch.bfloat16")
    assert now["logits"] == pytest.approx(base["logits"], abs=0.02)
    assert (now["ids"], now["with_special"], now["tied"]) == (base["ids"], base["with_special"], base["tied"])
    used = load_tokenizer(exported.base, exported.template).chat_template
    assert now["template"] == used
    assert now["temperature"] == base["temperature"]
    config, expected = (AutoConfig.from_pretrained(each) for each in (exported.folder, exported.base))
    unlike = {"dtype", "_name_or_path", "partial_rotary_factor"}  # the last is among the rope's parameters
    assert {name: value for name, value in config.to_dict().items() if name not in unlike} == {
        name: value for name, value in expected.to_dict().items() if name not in unlike
    }


@pytest.mark.parametrize("name", CASES)
def test_transformers_4_57_loads_the_same(
    name: str, by_pinned: dict[str, dict[str, Any]], by_older: dict[str, dict[str, Any]]
) -> None:
    older, now = by_older[name], by_pinned[name]
    assert older["version"].startswith("4.57.")
    assert older["logits"] == pytest.approx(now["logits"], abs=0.02)
    for what in ("missing", "unexpected", "ids", "with_special", "template", "eos", "dtype"):
        assert older[what] == now[what], what


@pytest.mark.parametrize("name", CASES)
def test_tied_weights_are_stored_once_and_there_are_no_folders(
    name: str, exports: dict[str, Exported]
) -> None:
    folder = exports[name].folder
    assert all(file.is_file() for file in folder.iterdir())
    with safe_open(folder / "model.safetensors", "pt") as weights:
        names = list(weights.keys())
    model = AutoModelForCausalLM.from_pretrained(folder)
    tied = model.get_output_embeddings().weight is model.get_input_embeddings().weight
    assert any(name.endswith("lm_head.weight") for name in names) != tied


def test_shards_have_an_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "MAX_SHARD_SIZE", "20KB")
    folder = export_of(Base(), tmp_path).folder
    index = json.loads((folder / "model.safetensors.index.json").read_text())
    shards = {file.name for file in folder.glob("model-*-of-*.safetensors")}
    assert len(shards) > 1
    assert set(index["weight_map"].values()) == shards
    report = read(str(folder), {"texts": []})
    assert (report["missing"], report["unexpected"]) == ([], [])
