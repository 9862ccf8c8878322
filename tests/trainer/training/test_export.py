"""The end tokens of the exported model, and the files at its export target."""

from __future__ import annotations

from pathlib import Path

import fsspec
import pytest
from tests.chat_tokenizers import byte_level_bpe
from tests.tiny_model import write_tiny_model
from transformers import AutoModelForCausalLM

from blendtune_api.v1alpha1 import ChatTemplate
from blendtune_runtime.chat.tokenizer import load_tokenizer
from blendtune_runtime.uris import StorePath
from blendtune_trainer.model.settings_files import generation_document
from blendtune_trainer.training.export import upload


@pytest.mark.parametrize(
    ("template", "ends"),
    [
        pytest.param(ChatTemplate.VICUNA, ["</s>"], id="vicuna"),
        pytest.param(ChatTemplate.LLAMA_2, ["</s>"], id="llama-2"),
        pytest.param(ChatTemplate.CHATML, ["</s>", "<|im_end|>"], id="chatml"),
        pytest.param(ChatTemplate.LLAMA_3, ["</s>", "<|eot_id|>"], id="llama-3"),
    ],
)
def test_answers_end_with_the_text_and_with_the_turn(
    tmp_path: Path, template: ChatTemplate, ends: list[str]
) -> None:
    write_tiny_model(tmp_path, byte_level_bpe())
    tokenizer = load_tokenizer(tmp_path, template)
    model = AutoModelForCausalLM.from_pretrained(tmp_path)
    written = generation_document({"temperature": 0.6, "_from_model_config": True}, model, tokenizer)
    declared = written["eos_token_id"]
    ids = declared if isinstance(declared, list) else [declared]
    assert tokenizer.convert_ids_to_tokens(ids) == ends
    assert written["temperature"] == 0.6
    assert "_from_model_config" not in written


def leave(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"{name} of {folder.name}")
    return folder


@pytest.mark.parametrize("scheme", ["", "memory://"], ids=["folder", "store"])
def test_an_earlier_models_files_do_not_stay_beside_the_new_one(tmp_path: Path, scheme: str) -> None:
    notes = ("notes.md", "metrics.json", "model-card.safetensors.txt", "checkpoints/model.safetensors")
    shards = ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")
    earlier = leave(
        tmp_path / "earlier",
        *("adapter_config.json", "adapter_model.safetensors", "config.json", "tokenizer.model"),
        *("model.safetensors.index.json", *shards, *notes),
    )
    now = leave(tmp_path / "now", "config.json", "model.safetensors", "tokenizer.json")
    home = f"{scheme}{tmp_path}/home"
    filesystem, root = fsspec.core.url_to_fs(home)
    filesystem.put(str(earlier), root, recursive=True)
    upload(now, StorePath(url=home))
    found = {path.removeprefix(f"{root}/"): filesystem.cat_file(path) for path in filesystem.find(root)}
    kept = {name: (earlier / name).read_bytes() for name in notes}
    assert found == kept | {file.name: file.read_bytes() for file in now.iterdir()}


def test_a_copy_that_was_cut_off_has_no_configuration(tmp_path: Path) -> None:
    now = leave(tmp_path / "now", "config.json", "model.safetensors", "tokenizer.json")
    home = leave(tmp_path / "home", "model.safetensors/is a folder here")
    with pytest.raises(IsADirectoryError):
        upload(now, StorePath(url=str(home)))
    assert not (home / "config.json").exists()
