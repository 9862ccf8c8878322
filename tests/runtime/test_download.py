"""A model from elsewhere: only its own files come in, as tensors, and none of its code runs."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import fsspec
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from blendtune_runtime.chat.tokenizer import load_tokenizer
from blendtune_runtime.errors import BadModel
from blendtune_runtime.models.download import convert_to_safetensors, download, wanted_patterns
from blendtune_runtime.uris import StorePath
from blendtune_trainer.model.base_model import empty_model

STORE = StorePath(url="memory://bucket/model")


def saved(state: dict[str, torch.Tensor]) -> bytes:
    """A state as torch.save writes it."""
    buffer = BytesIO()
    torch.save(state, buffer)
    return buffer.getvalue()


WEIGHTS = saved({"weight": torch.ones(2)})


class Touch:
    """Unpickled carelessly, it creates a file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return os.mkdir, (str(self._path),)


@pytest.fixture
def bucket() -> Iterator[Any]:
    store = fsspec.filesystem("memory")
    yield store
    store.rm("/bucket", recursive=True)


@pytest.mark.parametrize(
    ("files", "fetched"),
    [
        pytest.param(
            ["model.safetensors", "pytorch_model.bin"], {"model.safetensors"}, id="safetensors first"
        ),
        pytest.param(["pytorch_model.bin", "training_args.bin"], {"model.safetensors"}, id="weights alone"),
        pytest.param(
            ["a.py", "b.pkl", "c.tar", "d.pt", "config.json"], {"config.json"}, id="no code, no archive"
        ),
        pytest.param(["config.json", "original/config.json"], {"config.json"}, id="no folder"),
        pytest.param(["config.json", "../../config.json"], {"config.json"}, id="no way out"),
    ],
)
def test_what_is_fetched_from_a_store(
    files: list[str], fetched: set[str], bucket: Any, tmp_path: Path
) -> None:
    for name in files:
        bucket.pipe_file(f"/bucket/model/{name}", WEIGHTS if name.endswith(".bin") else b"{}")
    download(STORE, tmp_path / "a" / "b" / "base", "spec.model")
    assert {str(file.relative_to(tmp_path)) for file in tmp_path.rglob("*.*")} == {
        f"a/b/base/{name}" for name in fetched
    }


def test_an_empty_store_holds_no_model(tmp_path: Path) -> None:
    with pytest.raises(BadModel, match="there is no model at memory://bucket/model"):
        download(STORE, tmp_path, "spec.model")


@pytest.mark.parametrize("shards", [1, 2])
def test_pytorch_files_become_safetensors(shards: int, base_model: Path, tmp_path: Path) -> None:
    state = load_file(base_model / "model.safetensors")
    (tmp_path / "config.json").write_text((base_model / "config.json").read_text())
    names = sorted(state)
    if shards == 1:
        torch.save(state, tmp_path / "pytorch_model.bin")
    else:
        weight_map = {}
        for shard, part in enumerate((names[:3], names[3:]), start=1):
            file = f"pytorch_model-{shard:05}-of-00002.bin"
            torch.save({name: state[name] for name in part}, tmp_path / file)
            weight_map |= dict.fromkeys(part, file)
        index = {"metadata": {}, "weight_map": weight_map}
        (tmp_path / "pytorch_model.bin.index.json").write_text(json.dumps(index))
    convert_to_safetensors(tmp_path, "spec.model")
    convert_to_safetensors(tmp_path, "spec.model")  # done already
    assert list(tmp_path.glob("*.bin")) == []
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path).state_dict()
    expected = AutoModelForCausalLM.from_pretrained(base_model).state_dict()
    assert loaded.keys() == expected.keys()
    assert all(torch.equal(loaded[name], expected[name]) for name in expected)


def test_a_pickle_of_anything_else_is_refused_and_not_run(tmp_path: Path) -> None:
    torch.save({"weight": Touch(tmp_path / "touched")}, tmp_path / "pytorch_model.bin")
    with pytest.raises(BadModel, match="holds something else than tensors"):
        convert_to_safetensors(tmp_path, "spec.model")
    assert not (tmp_path / "touched").exists()


@pytest.mark.parametrize(
    "load", [empty_model, lambda folder: load_tokenizer(folder, None)], ids=["model", "tokenizer"]
)
def test_code_of_a_model_is_not_run(load: Callable[[Path], Any], tmp_path: Path) -> None:
    config = {
        "model_type": "mine",
        "architectures": ["Mine"],
        "auto_map": {"AutoConfig": "mine.Config", "AutoModelForCausalLM": "mine.Mine"},
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    tokenizer = {"tokenizer_class": "Words", "auto_map": {"AutoTokenizer": ["mine.Words", None]}}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(tokenizer))
    (tmp_path / "mine.py").write_text(f"import os\nos.mkdir({str(tmp_path / 'touched')!r})\n")
    with pytest.raises(BadModel, match="trust_remote_code"):
        load(tmp_path)
    assert not (tmp_path / "touched").exists()


def test_weights_are_of_one_format() -> None:
    assert wanted_patterns(["a.safetensors", "pytorch_model.bin"])[-1] == "*.safetensors"
    assert wanted_patterns(["pytorch_model.bin"])[-1] == "pytorch_model*.bin"
