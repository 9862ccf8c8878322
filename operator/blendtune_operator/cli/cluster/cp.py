"""`blendtune cp`: a run's model, or another part of its workspace, as files of this machine."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path, PurePosixPath

from rich.console import Console

from blendtune_api.blend_study import BlendStudy
from blendtune_api.codec import Resource
from blendtune_api.v1alpha1 import BlendedFineTune
from blendtune_operator.cli.cluster.report import start_of, teller, workspace_of
from blendtune_operator.cli.cluster.session import at_cluster
from blendtune_operator.cli.exit_status import ExitStatus
from blendtune_operator.client.access import Access
from blendtune_operator.client.faults import ClientError
from blendtune_operator.client.objects import decoded, find
from blendtune_operator.client.reader import NotInClaim, Reader, reader
from blendtune_operator.render.uris import PVC

_MODEL = "model"
_COPYING_SECONDS = 6 * 3600


def cp(parsed: argparse.Namespace, console: Console) -> ExitStatus:
    name, colon, path = parsed.source.partition(":")
    if not (name and colon and path):
        raise ClientError(f"{parsed.source}: name the run and what to copy of it, such as ads:model")
    if parsed.target.exists() and not _is_empty(parsed.target):
        raise ClientError(f"{parsed.target} is there already: name a folder that is not, or is empty")
    return at_cluster(parsed, lambda access: _copy(access, name, path, parsed, console))


async def _copy(
    access: Access, name: str, path: str, parsed: argparse.Namespace, console: Console
) -> ExitStatus:
    obj = await find(access, name)
    object = decoded(obj)
    if isinstance(object, BlendStudy):
        raise ClientError(f"{name} is a study, which has no files: name one of its runs")
    wanted = path_in_claim(object, path)
    start = start_of(parsed, _COPYING_SECONDS)
    async with reader(access, obj, start, teller(console)) as opened:
        with console.status(f"copying {wanted}"):
            await _whole(opened, wanted, parsed.target, workspace_of(object))
    console.print(f"{path:<9}  {parsed.target}", highlight=False, markup=False, soft_wrap=True)
    return ExitStatus.SUCCESS


def path_in_claim(object: Resource, path: str) -> PurePosixPath:
    """Where a part of a run's workspace is, from the root of its claim; `model` is the one that it took.

    Raises ClientError for a path that leads out of the workspace, and for a model that is not there yet.
    """
    relative = PurePosixPath(path)
    if relative.is_absolute() or ".." in relative.parts or not relative.parts:
        raise ClientError(f"{path} is no path within a run's workspace: model, adapter, eval, train, ...")
    if path == _MODEL and isinstance(object, BlendedFineTune):
        if object.status.model is None:
            raise ClientError(
                f"{object.metadata.name} has no model yet: it is {object.status.state or 'Pending'}"
            )
        claim, _, place = object.status.model.uri.removeprefix(PVC).partition("/")
        if object.status.model.uri.startswith(PVC) and claim == object.spec.storage.persistent_volume_claim:
            return PurePosixPath(place)
    return workspace_of(object) / relative


async def _whole(opened: Reader, path: PurePosixPath, target: Path, workspace: PurePosixPath) -> None:
    """The target appears when all of it has come: a copy that breaks off leaves nothing."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as folder:
        try:
            found = await opened.fetch(path, Path(folder))
        except NotInClaim as error:
            there = ", ".join(await opened.names(workspace)) or "nothing"
            raise ClientError(f"{error}; in the run's workspace there is {there}") from error
        if target.exists():
            target.rmdir()
        found.rename(target)


def _is_empty(folder: Path) -> bool:
    return folder.is_dir() and not any(folder.iterdir())
