"""A remote model is downloaded once for all runs that share a folder, and whole."""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.s3_server import Fault, S3Server

from blendtune_api.contract import Workspace
from blendtune_api.shared_folder import SharedFolder
from blendtune_api.v1alpha1 import Model
from blendtune_runtime.errors import Transient
from blendtune_runtime.workspace_lock import acquire
from blendtune_trainer.model.base_model import base_model_folder, fetch_base_model

MODEL = Model(uri="s3://bucket/model")


@pytest.fixture
def bucket(s3: S3Server, base_model: Path) -> S3Server:
    """A store that holds the model."""
    s3.put("bucket", {f"model/{file.name}": file.read_bytes() for file in base_model.iterdir()})
    s3.requests.clear()
    return s3


def test_a_model_is_downloaded_once_for_runs_that_start_together(
    bucket: S3Server, base_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shared = SharedFolder(tmp_path / "shared")
    start = threading.Barrier(3)

    def fetch(uid: str) -> Path:
        start.wait()
        return fetch_base_model(MODEL, tmp_path, shared, uid)

    with ThreadPoolExecutor() as pool:
        folders = set(pool.map(fetch, ("a", "b", "c")))
    assert folders == {base_model_folder(MODEL, tmp_path, shared)}
    fetched = [each.split("/")[-1].split()[0] for each in bucket.requests if " bytes=0-" in each]
    assert sorted(fetched) == sorted(file.name for file in base_model.iterdir())
    (folder,) = folders
    assert {file.name: file.read_bytes() for file in folder.glob("[!.]*")} == {
        file.name: file.read_bytes() for file in base_model.iterdir()
    }
    assert capsys.readouterr().out.count("waiting for run") >= 2


def test_a_run_that_died_while_it_downloaded_does_not_hold_up_others(
    bucket: S3Server, tmp_path: Path
) -> None:
    shared = SharedFolder(tmp_path / "shared")
    lock = Workspace(shared.base_model(MODEL).with_suffix(".lock"))
    acquire(lock, "dead", "", time.time() - 3600)
    content = json.loads(lock.lock.read_text())
    lock.lock.write_text(json.dumps({**content, "host": "another"}))
    assert fetch_base_model(MODEL, tmp_path, shared, "b") == shared.base_model(MODEL)
    assert bucket.requests


@pytest.mark.usefixtures("pauses")
def test_a_download_that_broke_off_is_not_taken_for_a_model(bucket: S3Server, tmp_path: Path) -> None:
    shared = SharedFolder(tmp_path / "shared")
    bucket.faults.append(Fault("model.safetensors", breaks_after=100, times=99))
    with pytest.raises(Transient, match=r"spec\.model\.uri: s3://bucket/model: model.safetensors: it does"):
        fetch_base_model(MODEL, tmp_path, shared, "a")
    assert not shared.base_model(MODEL).exists()
    bucket.faults.clear()
    assert fetch_base_model(MODEL, tmp_path, shared, "b") == shared.base_model(MODEL)


def test_revisions_lie_apart(tmp_path: Path) -> None:
    shared = SharedFolder(tmp_path)
    places = {
        shared.base_model(Model(uri=uri, revision=revision))
        for uri in ("hf://a/b", "hf://a/c")
        for revision in ("main", "v2")
    }
    assert len(places) == 4
