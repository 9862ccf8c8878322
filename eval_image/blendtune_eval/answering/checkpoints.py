"""The files of a model, in a folder: downloaded first where the URI is remote."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from blendtune_api.contract import weights_digest
from blendtune_api.v1alpha1 import EvaluatedModel
from blendtune_runtime.errors import BadModel
from blendtune_runtime.models.download import download
from blendtune_runtime.uris import HubRepository, StorePath, model_location


@dataclass(frozen=True, kw_only=True, slots=True)
class Checkpoint:
    uri: str
    folder: Path
    digest: str  # of the weights


def open_checkpoint(model: EvaluatedModel, field: str, claims: Path, downloads: Path) -> Checkpoint:
    """The model's files and the digest of its weights. `field` is its path in the spec, for the messages.

    Raises BadConfiguration for a URI that names no model; BadModel where there is no model, or its weights
    have another digest; Transient where the store does not answer.
    """
    folder = _folder(model, field, claims, downloads)
    if not (folder / "config.json").is_file():
        raise BadModel(f"{field}.uri: {model.uri} holds no model: there is no config.json in it")
    try:
        digest = weights_digest(folder)
    except FileNotFoundError as error:
        raise BadModel(
            f"{field}.uri: {model.uri} holds no *.safetensors file; convert the weights first"
        ) from error
    if model.digest and model.digest != digest:
        raise BadModel(
            f"{field}.digest: the weights at {model.uri} have the digest {digest}, not {model.digest}: they "
            "were changed or only partly written. Export the model again, or correct the digest"
        )
    return Checkpoint(uri=model.uri, folder=folder, digest=digest)


def _folder(model: EvaluatedModel, field: str, claims: Path, downloads: Path) -> Path:
    """The model's folder. A model that does not lie in one is downloaded first."""
    location = model_location(model.uri, model.revision, claims, f"{field}.uri")
    match location:
        case StorePath(local=Path() as folder):
            return folder
        case StorePath(url=url):
            folder = downloads / url.partition("://")[2]
        case HubRepository(name=name, revision=revision):
            folder = downloads / name / str(revision)
    download(location, folder, field)
    return folder
