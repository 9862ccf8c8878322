"""Maps URIs of the spec to places: pvc://, file://, s3:// and hf://."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from blendtune_runtime.errors import BadConfiguration

_HUB_DATASET = re.compile(r"hf://datasets/([^/@]+/[^/@]+)(?:@([^/]+))?(?:/(.+))?")
_HUB_MODEL = re.compile(r"hf://(?:models/)?([^/@]+/[^/@]+)(?:@([^/]+))?")


@dataclass(frozen=True, kw_only=True, slots=True)
class HubRepository:
    """A repository of the Hugging Face hub; `path` is a file or pattern within it, "" for all of it."""

    name: str
    revision: str | None = None
    path: str = ""


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


def data_location(uri: str, claims: Path, field: str) -> HubRepository | StorePath:
    """The place of the rows of a source. Raises BadConfiguration for a URI that names no data."""
    if not uri.startswith("hf://"):
        return store_path(uri, claims, field)
    match = _HUB_DATASET.fullmatch(uri)
    if match is None:
        raise BadConfiguration(
            f"{field}: {uri}: data on the hub is hf://datasets/ORG/NAME, optionally @REVISION"
        )
    name, revision, path = match.groups()
    return HubRepository(name=name, revision=revision, path=path or "")


def model_location(uri: str, revision: str, claims: Path, field: str) -> HubRepository | StorePath:
    """The place of the files of a model. Raises BadConfiguration for a URI that names no model."""
    if not uri.startswith("hf://"):
        return store_path(uri, claims, field)
    match = _HUB_MODEL.fullmatch(uri)
    if match is None or uri.startswith("hf://datasets/"):
        raise BadConfiguration(f"{field}: {uri}: a model on the hub is hf://ORG/NAME")
    return HubRepository(name=match[1], revision=match[2] or revision)
