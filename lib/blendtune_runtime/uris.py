"""Maps URIs of the spec to places: pvc://, file://, s3:// and hf://."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from urllib.parse import unquote

from blendtune_runtime.errors import BadConfiguration

_REVISION = r"(?:@(refs/(?:pr|convert)/[^/]+|[^/]+))?"  # these refs contain slashes, as on the hub itself
_HUB_DATASET = re.compile(rf"hf://datasets/([^/@]+/[^/@]+){_REVISION}/?(?:/(.+))?")
_HUB_MODEL = re.compile(rf"hf://(?:models/)?([^/@]+/[^/@]+){_REVISION}/?")


class RepositoryType(StrEnum):
    """The kinds of repositories, as the hub's API names them."""

    MODEL = "model"
    DATASET = "dataset"


@dataclass(frozen=True, kw_only=True, slots=True)
class HubRepository:
    """A repository of the Hugging Face hub."""

    name: str
    type: RepositoryType
    revision: str | None = None  # a branch, tag or commit; None for the main branch

    @property
    def place(self) -> str:
        """The repository with its revision, for messages."""
        folder = "datasets/" if self.type is RepositoryType.DATASET else ""
        return f"hf://{folder}{self.name}" + (f"@{self.revision}" if self.revision else "")


@dataclass(frozen=True, kw_only=True, slots=True)
class HubData:
    """Rows on the hub: a data set, or files of its repository."""

    repository: HubRepository
    path: str = ""  # of a file, or a pattern of paths; "" for the data set as its card describes it
    split: str | None = None
    config: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class StorePath:
    """A file or folder that fsspec opens: a local path, or an s3:// URL."""

    url: str

    @property
    def local(self) -> Path | None:
        """The path on this machine; None for a URL."""
        return None if "://" in self.url else Path(self.url)


def store_path(uri: str, claims: Path, field: str) -> StorePath:
    """The place of a pvc://, file:// or s3:// URI; `field` is its path in the spec.

    Raises BadConfiguration for any other scheme.
    """
    scheme, _, rest = uri.partition("://")
    if scheme in ("pvc", "s3") and ".." in Path(rest).parts:
        raise BadConfiguration(f"{field}: {uri}: a path may not contain ..")
    match scheme:
        case "pvc":
            return StorePath(url=str((claims / rest).absolute()))
        case "file":
            return StorePath(url="/" + rest.lstrip("/"))
        case "s3":
            return StorePath(url=uri)
        case _:
            raise BadConfiguration(f"{field}: {uri}: use hf://, s3://, pvc:// or file://")


def data_location(
    uri: str, claims: Path, field: str, *, split: str | None = None, config: str | None = None
) -> HubData | StorePath:
    """The place of the rows of a source; `split` and `config` are those of a data set on the hub.

    Raises BadConfiguration for a URI that names no data.
    """
    if not uri.startswith("hf://"):
        return store_path(uri, claims, field)
    match = _HUB_DATASET.fullmatch(uri)
    if match is None:
        raise BadConfiguration(
            f"{field}: {uri}: data on the hub is hf://datasets/ORG/NAME, optionally with @REVISION, and with "
            "/FILE for one of its files"
        )
    name, revision, path = match.groups()
    repository = HubRepository(
        name=name, type=RepositoryType.DATASET, revision=unquote(revision) if revision else None
    )
    return HubData(repository=repository, path=path or "", split=split, config=config)


def model_location(uri: str, revision: str, claims: Path, field: str) -> HubRepository | StorePath:
    """The place of the files of a model. Raises BadConfiguration for a URI that names no model."""
    if not uri.startswith("hf://"):
        return store_path(uri, claims, field)
    match = _HUB_MODEL.fullmatch(uri)
    if match is None or uri.startswith("hf://datasets/"):
        raise BadConfiguration(
            f"{field}: {uri}: a model on the hub is hf://ORG/NAME, optionally with @REVISION; its files lie "
            "in the repository's top folder"
        )
    name, own_revision = match.groups()
    return HubRepository(
        name=name, type=RepositoryType.MODEL, revision=unquote(own_revision) if own_revision else revision
    )
