"""A model from elsewhere: only its own files come in, as tensors, and none of its code runs."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tests.s3_server import S3Server
from transformers import AutoModelForCausalLM

from blendtune_runtime.chat.tokenizer import load_tokenizer
from blendtune_runtime.errors import BadModel
from blendtune_runtime.models.convert import convert_to_safetensors
from blendtune_runtime.models.download import download
from blendtune_runtime.models.files import weight_sources
from blendtune_runtime.models.sources import model_source
from blendtune_runtime.uris import StorePath
from blendtune_trainer.model.base_model import empty_model


def saved(state: dict[str, torch.Tensor]) -> bytes:
    """A state as torch.save writes it."""
    buffer = BytesIO()
    torch.save(state, buffer)
    return buffer.getvalue()


WEIGHTS = saved({"weight": torch.ones(2)})


SAFE, INDEX = "model.safetensors", "model.safetensors.index.json"


class Touch:
    """Unpickled carelessly, it creates a file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return os.mkdir, (str(self._path),)


def test_pytorch_files_from_a_store_arrive_as_safetensors(s3: S3Server, tmp_path: Path) -> None:
    s3.put("bucket", {"model/config.json": b"{}", "model/pytorch_model.bin": WEIGHTS})
    download(model_source(StorePath(url="s3://bucket/model"), "spec.model"), tmp_path / "model")
    assert load_file(tmp_path / "model" / "model.safetensors").keys() == {"weight"}
    assert not list(tmp_path.rglob("*.bin"))


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


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        pytest.param([SAFE, "pytorch_model.bin"], [SAFE], id="safetensors first"),
        pytest.param(["pytorch_model.bin"], ["pytorch_model.bin"], id="PyTorch's own"),
        pytest.param([SAFE, INDEX, "x"], [SAFE], id="one file first"),
        pytest.param([INDEX, "x", "pytorch_model.bin"], [INDEX, "x"], id="several"),
        pytest.param(
            ["pytorch_model.bin.index.json", "x"], ["pytorch_model.bin.index.json", "x"], id="pickles"
        ),
        pytest.param(["consolidated.safetensors", "adapter_model.safetensors"], [], id="others"),
    ],
)
def test_weights_are_of_one_format(names: list[str], chosen: list[str]) -> None:
    assert weight_sources(names, lambda _: '{"weight_map": {"a": "x", "b": "x"}}') == chosen
