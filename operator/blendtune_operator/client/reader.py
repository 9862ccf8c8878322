"""Reads files of a claim through a pod that is there for as long as the reading takes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import tarfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from blendtune_api.v1alpha1 import BlendedFineTune, RubricEval
from blendtune_operator.api import ApiError
from blendtune_operator.client.access import Access
from blendtune_operator.client.faults import ClientError
from blendtune_operator.client.objects import decoded, get, get_path, list_all
from blendtune_operator.client.reader_pod import (
    CLAIM_FOLDER,
    CONTAINER,
    SELECTOR,
    place_of,
    reader_pod,
    user_of,
)
from blendtune_operator.client.remote_command import CommandFailed, run_command
from blendtune_operator.client.watching import Watched, snapshots
from blendtune_operator.names import OWNER_UID, Kind, Object
from blendtune_operator.plan.children import is_live
from blendtune_operator.plan.pods import obstacle

Tell = Callable[[str], None]


class NotInClaim(ClientError):
    """The file or folder is not there."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Start:
    """How a reader pod is started: `image` is the run's own where it is empty; times are in seconds."""

    image: str = ""
    patience: float
    lifetime: int


@dataclass(frozen=True, slots=True)
class Reader:
    """A pod that has the claim mounted. Paths are relative to the claim's root."""

    access: Access
    pod: str

    async def fetch(self, path: PurePosixPath, folder: Path) -> Path:
        """Copies a file or folder of the claim into a folder, and returns its path there.

        Raises NotInClaim, and ClientError where it cannot be read whole.
        """
        parent = PurePosixPath(CLAIM_FOLDER) / path.parent
        command = ["tar", "--create", "--dereference", "--file=-", f"--directory={parent}", path.name]
        source, sink = os.pipe()
        with os.fdopen(source, "rb") as archive, os.fdopen(sink, "wb") as pipe:
            unpacking = asyncio.create_task(asyncio.to_thread(_unpack, archive, folder))

            async def receive(content: bytes) -> None:
                await asyncio.to_thread(pipe.write, content)

            try:
                await run_command(self.access, self.pod, CONTAINER, command, receive)
            except CommandFailed as error:
                raise _unreadable(path, str(error)) from error
            finally:
                with suppress(OSError):
                    pipe.close()
                with contextlib.suppress(tarfile.TarError, OSError):
                    await unpacking
            if fault := unpacking.exception():
                raise ClientError(f"{path} could not be written to {folder}: {fault}")
        return folder / path.name

    async def names(self, path: PurePosixPath) -> list[str]:
        """The names in a folder of the claim; none where it is not there."""
        parts: list[bytes] = []

        async def receive(content: bytes) -> None:
            parts.append(content)

        command = ["ls", "-1", str(PurePosixPath(CLAIM_FOLDER) / path)]
        with suppress(CommandFailed):
            await run_command(self.access, self.pod, CONTAINER, command, receive)
        return b"".join(parts).decode(errors="replace").split()


@asynccontextmanager
async def reader(access: Access, owner: Object, start: Start, tell: Tell) -> AsyncIterator[Reader]:
    """A reader of the claim of a run or evaluation. Its pod is deleted however this ends.

    Raises ClientError where the claim cannot be mounted, and where the pod does not start in time.
    """
    await _sweep(access)
    pod = await _create(access, owner, start)
    name = pod["metadata"]["name"]
    try:
        tell(f"reading the claim with pod {name}")
        await _until_running(access, pod, start.patience, tell)
        yield Reader(access, name)
    finally:
        await _delete(access, name)


async def _create(access: Access, owner: Object, start: Start) -> Object:
    run = decoded(owner)
    assert isinstance(run, BlendedFineTune | RubricEval)
    claim = run.spec.storage.persistent_volume_claim
    found = await get_path(access, f"/api/v1/namespaces/{access.namespace}/persistentvolumeclaims/{claim}")
    if found is None:
        raise ClientError(
            f"there is no claim {claim} in namespace {access.namespace}: the run's files are gone"
        )
    pods = await list_all(access, Kind.POD)
    jobs = await list_all(access, Kind.JOB, f"{OWNER_UID}={run.metadata.uid}")
    image = start.image or await _image(access, run, jobs)
    wanted = reader_pod(
        owner,
        claim,
        image,
        place_of(found, pods),
        user_of(jobs),
        start.lifetime,
        run.spec.credentials.service_account_name,
    )
    return await access.api.request("POST", Kind.POD.path(access.namespace), body=wanted)


async def _image(access: Access, run: BlendedFineTune | RubricEval, jobs: Sequence[Object]) -> str:
    """The image with which the run evaluates; else one with which it has run."""
    evaluation: Object | None = await get(access, Kind.RUBRIC_EVAL, run.metadata.name)
    if evaluation is not None:
        child = decoded(evaluation)
        if isinstance(child, RubricEval) and child.spec.cluster.eval.image:
            return child.spec.cluster.eval.image
    if jobs:
        return str(jobs[0]["spec"]["template"]["spec"]["containers"][0]["image"])
    raise ClientError(
        f"nothing says which image {run.metadata.name} ran with: name one of Blendtune's with --image"
    )


async def _until_running(access: Access, pod: Object, patience: float, tell: Tell) -> None:
    name, told = pod["metadata"]["name"], ""
    try:
        async with asyncio.timeout(patience):
            async with aclosing(snapshots(access, [Watched(kind=Kind.POD, name=name)])) as found:
                async for snapshot in found:
                    if not snapshot.objects:
                        raise ClientError(f"pod {name} was deleted before the claim was read")
                    (current,) = snapshot.objects
                    status = current.get("status") or {}
                    if not is_live(current):
                        raise ClientError(f"pod {name} ended at once: {_why(status)}")
                    if any((each.get("state") or {}).get("running") for each in _containers(status)):
                        return
                    held = obstacle([current])
                    if held and held.message != told:
                        told = held.message
                        tell(told)
    except TimeoutError as error:
        warnings = await _warnings(access, pod)
        reason = told or "; ".join(warnings) or "nothing says why"
        if any("Multi-Attach" in warning for warning in warnings):
            reason = f"another node has the claim, which cannot be mounted twice ({reason})"
        raise ClientError(f"pod {name} did not start within {patience:g} s (--timeout): {reason}") from error


def _containers(status: Object) -> list[Object]:
    return list(status.get("containerStatuses") or [])


def _why(status: Object) -> str:
    ended = [(each.get("state") or {}).get("terminated") or {} for each in _containers(status)]
    texts = [each.get("message") or each.get("reason") for each in ended]
    return "; ".join(filter(None, [status.get("message"), *texts])) or "nothing says why"


async def _warnings(access: Access, pod: Object) -> list[str]:
    """What the cluster has to say of the pod, the latest last; nothing where the user may not read it."""
    query = {"fieldSelector": f"involvedObject.uid={pod['metadata']['uid']}"}
    try:
        events = await access.api.get(f"/api/v1/namespaces/{access.namespace}/events", query)
    except ApiError:
        return []
    return [event["message"] for event in events["items"] if event.get("type") == "Warning"][-3:]


async def _sweep(access: Access) -> None:
    """Deletes readers that have ended, of commands that were killed."""
    for pod in await list_all(access, Kind.POD, SELECTOR):
        if not is_live(pod):
            await _delete(access, pod["metadata"]["name"])


async def _delete(access: Access, name: str) -> None:
    with suppress(ApiError):  # it ends by its deadline, and goes with its owner
        await access.api.request("DELETE", Kind.POD.path(access.namespace, name))


def _unpack(archive: BinaryIO, folder: Path) -> None:
    """Unpacks a stream, and reads it to its end also when it cannot be written: the sender must not hang."""
    try:
        with tarfile.open(fileobj=archive, mode="r|") as entries:
            entries.extractall(folder, filter="data")
    finally:
        with suppress(OSError):
            while archive.read(1 << 20):
                pass


def _unreadable(path: PurePosixPath, why: str) -> ClientError:
    if "No such file" in why or "Cannot open" in why:
        return NotInClaim(f"{path} is not in the claim")
    return ClientError(f"{path} cannot be read: {why}")
