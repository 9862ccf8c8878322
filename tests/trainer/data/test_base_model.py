"""A remote model is downloaded once for all runs that share a folder, and whole."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from blendtune_api.shared_folder import SharedFolder
from blendtune_api.v1alpha1 import Model
from blendtune_runtime.errors import Transient
from blendtune_trainer.model.base_model import base_model_folder, fetch_base_model

MODEL = Model(uri="s3://bucket/model")


class Bucket(MemoryFileSystem):  # type: ignore[misc]
    """A store that counts what is fetched from it, and may break off."""

    protocol = "s3"
    store: ClassVar[dict[str, Any]] = {}
    fetched: ClassVar[list[str]] = []
    breaks_off = False

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return "/" + path.removeprefix("s3://").strip("/")

    def get(self, sources: list[str], targets: list[str]) -> None:
        for source, target in zip(sources, targets, strict=True):
            Bucket.fetched.append(Path(source).name)
            Path(target).write_bytes(self.cat_file(source))
            if Bucket.breaks_off:
                raise OSError("connection reset")


@pytest.fixture
def bucket(base_model: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Bucket]]:
    monkeypatch.setitem(import_module("fsspec.registry")._registry, "s3", Bucket)
    store = Bucket()
    for file in base_model.iterdir():
        store.pipe_file(f"/bucket/model/{file.name}", file.read_bytes())
    Bucket.fetched.clear()
    yield Bucket
    Bucket.store.clear()
    Bucket.clear_instance_cache()


def test_a_model_is_downloaded_once_for_runs_that_start_together(
    bucket: type[Bucket], base_model: Path, tmp_path: Path
) -> None:
    shared = SharedFolder(tmp_path / "shared")
    start = threading.Barrier(3)

    def fetch(uid: str) -> Path:
        start.wait()
        return fetch_base_model(MODEL, tmp_path, shared, uid)

    with ThreadPoolExecutor() as pool:
        folders = set(pool.map(fetch, ("a", "b", "c")))
    assert folders == {base_model_folder(MODEL, tmp_path, shared)}
    assert sorted(bucket.fetched) == sorted(file.name for file in base_model.iterdir())
    (folder,) = folders
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == {
        file.name: file.read_bytes() for file in base_model.iterdir()
    }


def test_a_download_that_broke_off_is_not_taken_for_a_model(
    bucket: type[Bucket], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = SharedFolder(tmp_path / "shared")
    with monkeypatch.context() as patch:
        patch.setattr(bucket, "breaks_off", True)
        with pytest.raises(Transient, match="could not be downloaded: connection reset"):
            fetch_base_model(MODEL, tmp_path, shared, "a")
    assert not shared.base_model(MODEL).exists()
    assert fetch_base_model(MODEL, tmp_path, shared, "b") == shared.base_model(MODEL)


def test_revisions_lie_apart(tmp_path: Path) -> None:
    shared = SharedFolder(tmp_path)
    places = {
        shared.base_model(Model(uri=uri, revision=revision))
        for uri in ("hf://a/b", "hf://a/c")
        for revision in ("main", "v2")
    }
    assert len(places) == 4
