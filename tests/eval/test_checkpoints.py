"""A model that is downloaded: only its own files are fetched, and none of its code runs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from fsspec.registry import _registry
from huggingface_hub.utils import filter_repo_objects

from blendtune_api.v1alpha1 import EvaluatedModel
from blendtune_eval.answering.answer import load_model
from blendtune_eval.answering.checkpoints import open_checkpoint
from blendtune_runtime.errors import StageError


class Bucket(MemoryFileSystem):
    """An object store in memory, at s3://."""

    protocol = "s3"

    @classmethod
    def _strip_protocol(cls, path: Any) -> str:
        return "/" + str(path).removeprefix("s3://").strip("/")


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    monkeypatch.setitem(_registry, "s3", Bucket)
    store = Bucket()
    yield store
    store.store.clear()


def test_only_the_models_files_are_fetched(bucket: Bucket, models_folder: Path, tmp_path: Path) -> None:
    for file in (models_folder / "tuned").iterdir():
        bucket.pipe_file(f"/models/tuned/{file.name}", file.read_bytes())
    for name in ("evil.py", "pytorch_model.bin", "archive.tar", "../../config.json", "more/config.json"):
        bucket.pipe_file(f"/models/tuned/{name}", b"{}")
    model = EvaluatedModel(uri="s3://models/tuned")
    checkpoint = open_checkpoint(model, "spec.model", tmp_path / "claims", tmp_path / "run/models")
    assert checkpoint.folder == tmp_path / "run/models/models/tuned"
    files = {file.name for file in (models_folder / "tuned").iterdir()}
    assert {file for file in tmp_path.rglob("*") if file.is_file()} == {
        checkpoint.folder / name for name in files
    }


def test_only_the_top_folder_is_fetched_from_the_hub(
    models_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A repository may hold the same weights again, in `original/` or `onnx/`."""
    hub = tmp_path / "hub"
    shutil.copytree(models_folder / "tuned", hub)
    shutil.copytree(models_folder / "tuned", hub / "original")

    def list_files(_: object, name: str, *, revision: str) -> list[str]:
        assert (name, revision) == ("org/tuned", "main")
        return [str(file.relative_to(hub)) for file in hub.rglob("*") if file.is_file()]

    def download(name: str, *, revision: str, local_dir: Path, **patterns: list[str]) -> None:
        for file in filter_repo_objects(list_files(None, name, revision=revision), **patterns):
            (local_dir / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(hub / file, local_dir / file)

    monkeypatch.setattr(huggingface_hub.HfApi, "list_repo_files", list_files)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    model = EvaluatedModel(uri="hf://org/tuned")
    checkpoint = open_checkpoint(model, "spec.model", tmp_path / "claims", tmp_path / "run/models")
    fetched = {str(file.relative_to(checkpoint.folder)) for file in checkpoint.folder.rglob("*")}
    assert fetched == {file.name for file in (models_folder / "tuned").iterdir()}


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        pytest.param("s3://models/../../other", "may not contain ..", id="climbs from a bucket"),
        pytest.param("s3://..", "may not contain ..", id="climbs at once"),
        pytest.param("pvc://models/../other", "may not contain ..", id="climbs from a claim"),
        pytest.param("s3://models/nothing", "there is no model", id="nothing there"),
        pytest.param("http://models/tuned", "use hf://", id="another scheme"),
    ],
)
def test_a_uri_that_leads_astray_is_refused(uri: str, words: str, bucket: Bucket, tmp_path: Path) -> None:
    with pytest.raises(StageError, match=words):
        open_checkpoint(EvaluatedModel(uri=uri), "spec.model", tmp_path / "claims", tmp_path / "run/models")
    assert bucket.find("/") == []
    assert list(tmp_path.rglob("*.json")) == []


def test_code_of_a_model_is_not_run(tmp_path: Path) -> None:
    config = {"model_type": "mine", "auto_map": {"AutoConfig": "mine.C", "AutoModelForCausalLM": "mine.M"}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "mine.py").write_text(f"import os\nos.mkdir({str(tmp_path / 'touched')!r})\n")
    with pytest.raises(StageError, match="trust_remote_code"):
        load_model(tmp_path, gpus=0, context=8)
    assert not (tmp_path / "touched").exists()
