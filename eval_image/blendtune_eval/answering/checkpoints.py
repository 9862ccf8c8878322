"""Where the files of a model lie: a folder, downloaded first when its URI is remote."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from blendtune_api.contract import weights_digest
from blendtune_api.model_files import SAFETENSORS, SETTINGS_FILES, SUBFOLDERS, flat_files
from blendtune_api.v1alpha1 import EvaluatedModel
from blendtune_eval.failures import bad_configuration, bad_model, transient

_HUB_MODEL = re.compile(r"hf://(?:models/)?([^/@]+/[^/@]+)(?:@([^/]+))?")
_MODEL_FILES = (SAFETENSORS, *SETTINGS_FILES)


@dataclass(frozen=True, kw_only=True, slots=True)
class Checkpoint:
    uri: str
    folder: Path
    digest: str  # of the weights


def open_checkpoint(model: EvaluatedModel, field: str, claims: Path, downloads: Path) -> Checkpoint:
    """The model's files and the digest of its weights. `field` is its path in the spec, for the messages.

    Raises EvaluationError where there is no model, its digest is another, or the store does not answer.
    """
    folder = _folder(model, field, claims, downloads)
    if not (folder / "config.json").is_file():
        raise bad_model(f"{field}.uri: {model.uri} holds no model: there is no config.json in it")
    try:
        digest = weights_digest(folder)
    except FileNotFoundError as error:
        raise bad_model(
            f"{field}.uri: {model.uri} holds no *.safetensors file; convert the weights first"
        ) from error
    if model.digest and model.digest != digest:
        raise bad_model(
            f"{field}.digest: the weights at {model.uri} have the digest {digest}, not {model.digest}: they "
            "were changed or only partly written. Export the model again, or correct the digest"
        )
    return Checkpoint(uri=model.uri, folder=folder, digest=digest)


def _folder(model: EvaluatedModel, field: str, claims: Path, downloads: Path) -> Path:
    scheme, _, rest = model.uri.partition("://")
    if scheme in ("pvc", "s3") and ".." in Path(rest).parts:
        raise bad_configuration(f"{field}.uri: {model.uri}: a path may not contain ..")
    match scheme:
        case "file":
            return Path("/" + rest.lstrip("/"))
        case "pvc":
            return claims / rest
        case "hf":
            return _from_hub(model, field, downloads)
        case "s3":
            return _from_store(model, field, downloads / rest)
        case _:
            raise bad_configuration(f"{field}.uri: {model.uri}: use hf://, s3://, pvc:// or file://")


def _from_hub(model: EvaluatedModel, field: str, downloads: Path) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError, RevisionNotFoundError

    match = _HUB_MODEL.fullmatch(model.uri)
    if match is None or model.uri.startswith("hf://datasets/"):
        raise bad_configuration(f"{field}.uri: {model.uri}: a model on the hub is hf://ORG/NAME")
    name, revision = match[1], match[2] or model.revision
    folder = downloads / name / revision
    try:
        snapshot_download(
            name,
            revision=revision,
            local_dir=folder,
            allow_patterns=list(_MODEL_FILES),
            ignore_patterns=[SUBFOLDERS],
        )
    except (RepositoryNotFoundError, RevisionNotFoundError) as error:
        raise bad_model(
            f"{field}: hf://{name} at revision {revision} was not found, or needs a token in "
            f"spec.credentials.secretRef (HF_TOKEN): {error}"
        ) from error
    except (HfHubHTTPError, OSError) as error:
        raise transient(f"{field}: hf://{name} could not be downloaded: {error}") from error
    return folder


def _from_store(model: EvaluatedModel, field: str, folder: Path) -> Path:
    """Fetches a model's files, flat, so that no name in the store leads out of `folder`."""
    import fsspec

    filesystem, path = fsspec.core.url_to_fs(model.uri)
    try:
        wanted = flat_files(filesystem.find(path, maxdepth=1), _MODEL_FILES)
        if not wanted:
            raise bad_model(f"{field}.uri: there is no model at {model.uri}")
        folder.mkdir(parents=True, exist_ok=True)
        filesystem.get(list(wanted.values()), [str(folder / name) for name in wanted])
    except FileNotFoundError as error:
        raise bad_model(f"{field}.uri: there is no model at {model.uri}") from error
    except OSError as error:
        raise transient(f"{field}.uri: {model.uri} could not be downloaded: {error}") from error
    return folder
