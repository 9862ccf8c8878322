"""A model that is downloaded: as it is there now, once, and none of its code runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.hub_server import HubServer, Repository
from tests.s3_server import S3Server

from blendtune_api.v1alpha1 import EvaluatedModel
from blendtune_eval.answering.answer import load_model
from blendtune_eval.answering.checkpoints import Places, open_checkpoint
from blendtune_runtime.errors import StageError


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(claims=tmp_path / "claims", downloads=tmp_path / "models", uid="a")


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.glob("[!.]*")}


def test_what_s3_holds_now_is_evaluated(s3: S3Server, models_folder: Path, places: Places) -> None:
    """A model that was exported again to the same place is fetched again; one that was not, is not."""
    model = EvaluatedModel(uri="s3://models/any")
    s3.put("models", {f"any/{name}": text for name, text in contents(models_folder / "tuned").items()})
    tuned = open_checkpoint(model, "spec.model", places)
    assert contents(tuned.folder) == contents(models_folder / "tuned")
    s3.requests.clear()
    assert open_checkpoint(model, "spec.model", places) == tuned
    assert not any(" bytes=" in request for request in s3.requests)
    s3.put("models", {f"any/{name}": text for name, text in contents(models_folder / "base").items()})
    assert open_checkpoint(model, "spec.model", places).digest != tuned.digest


def test_a_commit_of_the_hub_is_found_again_without_a_request(
    hub: HubServer, models_folder: Path, places: Places
) -> None:
    repository = hub.add(Repository("org/tuned", [contents(models_folder / "tuned")]))
    pinned = EvaluatedModel(uri="hf://org/tuned", revision=repository.commit_id(0))
    first = open_checkpoint(pinned, "spec.model", places)
    assert contents(first.folder) == contents(models_folder / "tuned")
    hub.requests.clear()
    assert open_checkpoint(pinned, "spec.model", places) == first
    assert hub.requests == []
    branch = EvaluatedModel(uri="hf://org/tuned")
    assert open_checkpoint(branch, "spec.model", places).folder == first.folder
    assert len(hub.requests) == 1  # which commit it is


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        pytest.param("s3://models/../../other", "may not contain ..", id="climbs from a bucket"),
        pytest.param("s3://..", "may not contain ..", id="climbs at once"),
        pytest.param("pvc://models/../other", "may not contain ..", id="climbs from a claim"),
        pytest.param("s3://models/nothing", "no such bucket", id="nothing there"),
        pytest.param("http://models/tuned", "use hf://", id="another scheme"),
    ],
)
@pytest.mark.usefixtures("s3")
def test_a_uri_that_leads_astray_is_refused(uri: str, words: str, places: Places, tmp_path: Path) -> None:
    with pytest.raises(StageError, match=words):
        open_checkpoint(EvaluatedModel(uri=uri), "spec.model", places)
    assert list(tmp_path.rglob("*.json")) == []


def test_code_of_a_model_is_not_run(tmp_path: Path) -> None:
    config = {"model_type": "mine", "auto_map": {"AutoConfig": "mine.C", "AutoModelForCausalLM": "mine.M"}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "mine.py").write_text(f"import os\nos.mkdir({str(tmp_path / 'touched')!r})\n")
    with pytest.raises(StageError, match="trust_remote_code"):
        load_model(tmp_path, gpus=0, context=8)
    assert not (tmp_path / "touched").exists()
