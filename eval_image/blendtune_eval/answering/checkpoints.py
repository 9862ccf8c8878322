"""The files of a model, in a folder: downloaded first where the URI is remote."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from blendtune_api.contract import digest_of, weights_digest
from blendtune_api.v1alpha1 import EvaluatedModel
from blendtune_runtime.errors import BadModel
from blendtune_runtime.models.download import fetch_once
from blendtune_runtime.models.sources import model_source
from blendtune_runtime.uris import StorePath, model_location

_KEY_LENGTH = 16


@dataclass(frozen=True, kw_only=True, slots=True)
class Checkpoint:
    uri: str
    folder: Path
    digest: str  # of the weights


@dataclass(frozen=True, kw_only=True, slots=True)
class Places:
    """Where models lie, and who asks for them."""

    claims: Path  # the folder of all claims
    downloads: Path
    uid: str  # of the evaluation; others that wait for its downloads print it


def open_checkpoint(model: EvaluatedModel, field: str, places: Places) -> Checkpoint:
    """The model's files and the digest of its weights. `field` is its path in the spec, for the messages.

    Raises BadConfiguration for a URI that names no model, or one that may not be read; BadModel where there
    is no model, or its weights have another digest; Transient where the store does not answer.
    """
    folder = _folder(model, field, places)
    if not (folder / "config.json").is_file():
        raise BadModel(f"{field}.uri: {model.uri} holds no model: there is no config.json in it")
    try:
        digest = weights_digest(folder)
    except FileNotFoundError as error:
        raise BadModel(
            f"{field}.uri: {model.uri} holds no weights: {error}; convert them to safetensors first"
        ) from error
    if model.digest and model.digest != digest:
        raise BadModel(
            f"{field}.digest: the weights at {model.uri} have the digest {digest}, not {model.digest}: they "
            "were changed or only partly written. Export the model again, or correct the digest"
        )
    return Checkpoint(uri=model.uri, folder=folder, digest=digest)


def _folder(model: EvaluatedModel, field: str, places: Places) -> Path:
    """The model's folder. A model that does not lie in one is downloaded first.

    A download is kept under its URI and content. One of a commit of the hub is found again without asking.
    """
    location = model_location(model.uri, model.revision, places.claims, f"{field}.uri")
    if isinstance(location, StorePath) and location.local is not None:
        return location.local
    source = model_source(location, field)
    folder = places.downloads / digest_of([model.uri, source.identity])[:_KEY_LENGTH]
    fetch_once(source, folder, places.uid)
    return folder
