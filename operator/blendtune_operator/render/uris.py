"""Which claims and credentials the URIs of a run need, and where its artifacts are stored."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from blendtune_api.contract import Workspace, storage_path
from blendtune_api.shared_folder import shared_folder
from blendtune_api.v1alpha1 import BlendedFineTuneSpec, RubricEvalSpec, Storage

PVC = "pvc://"
_REMOTE = ("hf://", "s3://")


def claim_of(uri: str) -> str | None:
    """The claim of a pvc:// URI; None for any other URI."""
    return uri.removeprefix(PVC).split("/", 1)[0] if uri.startswith(PVC) else None


def is_remote(uri: str) -> bool:
    """Whether reading or writing the URI may need credentials."""
    return uri.startswith(_REMOTE)


def blend_uris(spec: BlendedFineTuneSpec) -> tuple[str, ...]:
    """The URIs that the blend Job reads."""
    validation = spec.blend.validation.uri
    sources = (source.uri for source in spec.blend.sources)
    return (spec.model.uri, *sources, *([validation] if validation else []))


def prompt_uris(spec: BlendedFineTuneSpec) -> tuple[str, ...]:
    """The URIs of prompts that the rehearse Job reads beside those of the blend."""
    prompts = (source.rehearsal.prompts for source in spec.blend.self_sources)
    return tuple(each.uri for each in prompts if each is not None)


def train_uris(spec: BlendedFineTuneSpec) -> tuple[str, ...]:
    """The URIs that the training reads: none if the model is remote, since the blend has downloaded it."""
    return () if is_remote(spec.model.uri) else (spec.model.uri,)


def export_uris(spec: BlendedFineTuneSpec | RubricEvalSpec) -> tuple[str, ...]:
    """The URIs that the model is copied to, beside the workspace."""
    return () if spec.export is None else (spec.export.uri,)


def eval_uris(spec: RubricEvalSpec) -> tuple[str, ...]:
    """The URIs that the eval Job reads."""
    baseline = spec.baseline.model
    earlier = (epoch.uri for epoch in spec.epochs)
    return (spec.model.uri, *([baseline.uri] if baseline else []), *earlier)


def mounted_claims(storage: Storage, read: Iterable[str], written: Iterable[str] = ()) -> dict[str, bool]:
    """The claims to mount, and whether read-only: all but the workspace and those of `written` are."""
    claims = {claim: True for uri in read if (claim := claim_of(uri))}
    claims |= {claim: False for uri in written if (claim := claim_of(uri))}
    return claims | {storage.persistent_volume_claim: False}


def workspace_storage(storage: Storage, namespace: str, name: str) -> Storage:
    """The storage with its path resolved, so that another object can name the same folder."""
    claim, *path = storage_path(storage, namespace, name).parts
    return Storage(persistent_volume_claim=claim, path="/".join(path), shared_path=storage.shared_path)


def model_uri(storage: Storage, namespace: str, name: str) -> str:
    """Where the tuned model is stored."""
    return f"{PVC}{_workspace(storage, namespace, name).model.as_posix()}"


def epoch_uri(storage: Storage, namespace: str, name: str, epoch: int) -> str:
    """Where the model after an earlier epoch is stored."""
    return f"{PVC}{_workspace(storage, namespace, name).epoch(epoch).model.as_posix()}"


def base_model_uri(spec: BlendedFineTuneSpec, namespace: str, name: str) -> str:
    """Where the base model is stored after the blend Job, which downloads a remote one to the claim."""
    if is_remote(spec.model.uri):
        shared = shared_folder(Path(), spec.storage, namespace, name)
        return f"{PVC}{shared.base_model(spec.model).as_posix()}"
    return spec.model.uri


def training_workspace(uri: str) -> Storage | None:
    """The workspace of the run that trained the model of a pvc:// URI, judged by the path of the URI.

    None where the path is not that of a model in a workspace.
    """
    path = PurePosixPath(uri.removeprefix(PVC))
    if claim_of(uri) is None or path.name != Workspace(Path()).model.name or len(path.parts) < 3:
        return None
    claim, *folders = path.parent.parts
    if len(folders) > 2 and folders[-2] == Workspace(Path()).interpolated(1.0).root.parent.name:
        folders = folders[:-2]
    return Storage(persistent_volume_claim=claim, path="/".join(folders))


def _workspace(storage: Storage, namespace: str, name: str) -> Workspace:
    return Workspace(Path(storage_path(storage, namespace, name)))
