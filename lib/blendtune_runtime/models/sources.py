"""Where the files of a model come from: a repository of the hub, or a folder of a store."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, Protocol

from blendtune_api.contract import digest_of
from blendtune_runtime.errors import BadModel
from blendtune_runtime.hub import HubSnapshot, snapshot
from blendtune_runtime.models.files import TEMPLATES_FOLDER, is_model_path
from blendtune_runtime.store_errors import store_errors
from blendtune_runtime.store_retries import with_retries
from blendtune_runtime.stores import open_store
from blendtune_runtime.uris import HubRepository, StorePath


@dataclass(frozen=True, kw_only=True, slots=True)
class Digest:
    """What the content of a file must hash to."""

    algorithm: str  # of hashlib
    value: str  # in hex
    prefix: bytes = b""  # hashed before the content

    def hasher(self) -> Any:
        """A new hash that has seen the prefix alone."""
        return hashlib.new(self.algorithm, self.prefix, usedforsecurity=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class RemoteFile:
    """A file of a model, not yet here."""

    name: str  # its path below the model's folder, for which `is_model_path` holds
    size: int  # bytes
    digest: Digest | None  # None if the store tells none
    version: str  # another one if the content is another


class ModelSource(Protocol):
    """The top folder of a model that lies elsewhere."""

    @property
    def place(self) -> str:
        """The field of the spec and the address, for messages."""

    @property
    def identity(self) -> str:
        """A digest that is another one if the content is another. Raises as `files` does."""

    def files(self) -> Mapping[str, RemoteFile]:
        """The files by name. Raises BadModel, BadConfiguration or Transient if they cannot be listed."""

    def read(self, file: RemoteFile, start: int, end: int) -> bytes:
        """The bytes from `start` to before `end`. Raises the errors of the library that reads."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HubModel:
    """A model on the hub, at one commit."""

    place: str
    field: str
    snapshot: HubSnapshot

    @property
    def identity(self) -> str:
        return self.snapshot.commit

    def files(self) -> Mapping[str, RemoteFile]:
        return {
            path: RemoteFile(
                name=path,
                size=file.size,
                digest=Digest(algorithm="sha256", value=file.sha256)
                if file.sha256
                else Digest(algorithm="sha1", value=file.blob, prefix=b"blob %d\0" % file.size),  # as git
                version=file.sha256 or file.blob,
            )
            for path, file in self.snapshot.files(self.field, BadModel).items()
            if is_model_path(path)
        }

    def read(self, file: RemoteFile, start: int, end: int) -> bytes:
        return self.snapshot.read(file.name, start, end)


@dataclass(frozen=True, kw_only=True, slots=True)
class StoreModel:
    """A model in a folder of a store that fsspec reads."""

    place: str
    filesystem: Any
    path: str
    _listing: dict[str, RemoteFile] = field(default_factory=dict)

    @property
    def identity(self) -> str:
        return digest_of([(file.name, file.size, file.version) for file in self.files().values()])

    def files(self) -> Mapping[str, RemoteFile]:
        if not self._listing:
            with store_errors(self.place, BadModel):
                found = with_retries(self._list, self.place)
            self._listing.update({file.name: file for file in sorted(found, key=lambda file: file.name)})
        return self._listing

    def _list(self) -> list[RemoteFile]:
        # `find` would go through all folders, and say "nothing" of one that may not be listed.
        entries = self.filesystem.ls(self.path, detail=True, refresh=True)
        if any(PurePosixPath(entry["name"]).name == TEMPLATES_FOLDER for entry in entries):
            entries += self.filesystem.ls(f"{self.path}/{TEMPLATES_FOLDER}", detail=True, refresh=True)
        return [
            RemoteFile(
                name=name,
                size=entry["size"],
                digest=None,  # an ETag is a digest of the content for some objects alone
                version=str(entry.get("ETag", entry.get("created", ""))),
            )
            for entry in entries
            if entry["type"] == "file" and is_model_path(name := self._name(entry["name"]))
        ]

    def _name(self, path: str) -> str:
        """The path of an object relative to the folder."""
        return path.strip("/").removeprefix(self.path.strip("/")).removeprefix("/")

    def read(self, file: RemoteFile, start: int, end: int) -> bytes:
        # s3fs asks for the ETag of the listing: an object that has been replaced since is not mixed in.
        with self.filesystem.open(f"{self.path}/{file.name}", "rb", cache_type="none") as stream:
            stream.seek(start)
            return bytes(stream.read(end - start))


def model_source(location: HubRepository | StorePath, field: str) -> ModelSource:
    """The source of a model. `field` is the model's path in the spec.

    Raises BadModel, BadConfiguration or Transient if the commit of a branch cannot be looked up.
    """
    uri_field = f"{field}.uri"
    if isinstance(location, HubRepository):
        found = snapshot(location, uri_field, BadModel)
        return HubModel(place=f"{uri_field}: {location.place}", field=uri_field, snapshot=found)
    place = f"{uri_field}: {location.url}"
    filesystem, path = open_store(location, place)
    return StoreModel(place=place, filesystem=filesystem, path=path)
