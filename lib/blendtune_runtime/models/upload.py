"""Copies the exported model to `spec.export`, so that no half of it is ever taken for a model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import TypeVar
from uuid import uuid4

from blendtune_runtime.models.files import CONFIGS, is_own
from blendtune_runtime.store_errors import classify, store_errors
from blendtune_runtime.store_retries import with_retries
from blendtune_runtime.stores import open_store
from blendtune_runtime.uris import StorePath

T = TypeVar("T")

_FIELD = "spec.export.uri"


def upload(folder: Path, target: StorePath) -> None:
    """Copies the files of a model to `target`.

    An earlier model there loses its configuration first, and the new configuration is copied last: what lies
    there while the copy runs, or after it has broken off, loads as no model. A copy that broke off is made
    again from its start; the parts of one that was killed, which a store keeps and charges for unseen, are
    removed first. In the end files that an earlier model has left are removed: only those whose names are
    those of a model's files. Raises Transient if the store does not answer, BadConfiguration if there is
    no such bucket or it may not be written, and StorageFull.
    """
    place = _Target(target)
    files = {str(file.relative_to(folder)): file for file in folder.rglob("*") if file.is_file()}
    place.abort_unfinished(lambda name: name in files or is_own(name))
    before = place.names()
    for name in sorted(before & CONFIGS):
        place.remove(name)
    for name in sorted(files, key=lambda name: (name in CONFIGS, name)):
        place.put(files[name], name)
    for name in sorted(before - files.keys() - CONFIGS):
        if is_own(name):
            place.remove(name)


def try_upload(target: StorePath) -> None:
    """Writes a small file to `target` and removes it, to find what fails before the training does its work.

    Raises as `upload` does.
    """
    place, name = _Target(target), f".blendtune-{uuid4().hex}"
    place.write(name, b"Blendtune tries whether it may write here.\n")
    place.remove(name)


class _Target:
    """A folder of a file system or store, with its requests repeated and its errors as those of a stage."""

    def __init__(self, target: StorePath) -> None:
        self._place, self._is_local = f"{_FIELD}: {target.url}", target.local is not None
        self._filesystem, self._root = open_store(target, self._place)
        self._bucket, _, folder = self._root.partition("/")  # of a store
        self._prefix = f"{folder}/" if folder else ""

    def names(self) -> set[str]:
        """The names of the files in the folder, without those in folders below."""

        def look_up() -> set[str]:
            try:
                entries = self._filesystem.ls(self._root, detail=True, refresh=True)
            except FileNotFoundError:  # a store has no empty folders
                return set()
            return {PurePosixPath(entry["name"]).name for entry in entries if entry["type"] == "file"}

        return self._ask(look_up)

    def abort_unfinished(self, ours: Callable[[str], bool]) -> None:
        """Aborts the multipart uploads of files that are `ours`, by name, which nobody will complete.

        A store that does not list or abort them, as where the keys do not allow it, is told and passed over.
        """
        if self._is_local:
            return
        try:
            for key, upload in self._unfinished():
                if ours(key.removeprefix(self._prefix)):
                    self._filesystem.abort_mpu(self._bucket, key, upload)
        except Exception as error:
            kind = classify(error)
            if kind is None:
                raise
            print(f"{self._place}: unfinished uploads may be left there: {kind}", flush=True)

    def _unfinished(self) -> list[tuple[str, str]]:
        """Key and id of each multipart upload that began below the folder and did not end."""
        found: list[tuple[str, str]] = []
        begin: dict[str, str] = {}
        while True:
            page = self._filesystem.call_s3(
                "list_multipart_uploads", Bucket=self._bucket, Prefix=self._prefix, **begin
            )
            found += [(each["Key"], each["UploadId"]) for each in page.get("Uploads", ())]
            markers = ("KeyMarker", "UploadIdMarker")
            begin = {name: page[f"Next{name}"] for name in markers if page.get(f"Next{name}")}
            if not page.get("IsTruncated") or not begin:
                return found

    def put(self, file: Path, name: str) -> None:
        path, size = self._path(name), file.stat().st_size

        def send() -> None:
            self._filesystem.put_file(str(file), path)
            arrived = self._filesystem.info(path)["size"]
            if arrived != size:
                raise ConnectionError(f"{arrived} of {size} bytes of {name} arrived")

        self._ask(send)

    def write(self, name: str, content: bytes) -> None:
        path = self._path(name)
        self._ask(lambda: self._filesystem.pipe_file(path, content))

    def remove(self, name: str) -> None:
        self._ask(lambda: self._filesystem.rm_file(f"{self._root}/{name}"))

    def _path(self, name: str) -> str:
        """Where a file goes. Its folder is created, but never a bucket, whose name may be mistyped."""
        path = f"{self._root}/{name}"
        if self._is_local:
            with store_errors(self._place):
                self._filesystem.makedirs(str(PurePosixPath(path).parent), exist_ok=True)
        return path

    def _ask(self, request: Callable[[], T]) -> T:
        with store_errors(self._place):
            return request() if self._is_local else with_retries(request, self._place)
