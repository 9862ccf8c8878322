"""`blendtune logs`: what all pods of a run's stage have written, each line after its pod's name."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from rich.console import Console

from blendtune_api.blend_study import BlendStudy
from blendtune_api.v1alpha1 import Stage
from blendtune_operator.api import ApiError
from blendtune_operator.cli.cluster.following import has_ended
from blendtune_operator.cli.cluster.session import at_cluster
from blendtune_operator.cli.exit_status import ExitStatus
from blendtune_operator.client.access import Access
from blendtune_operator.client.faults import ClientError
from blendtune_operator.client.objects import decoded, find, get, list_all
from blendtune_operator.client.watching import Watched, snapshots
from blendtune_operator.names import ATTEMPT, OWNER_UID, STAGE, Kind, Object, number
from blendtune_operator.plan.children import pod_index

_ORDER = tuple(stage.value for stage in (Stage.REHEARSE, Stage.BLEND, Stage.TRAIN, Stage.EVAL))
_PAUSE_SECONDS = 1.0  # before a log that broke off is read on


@dataclass(frozen=True, slots=True)
class Source:
    """A container whose log is read, and what stands before each of its lines."""

    pod: str
    container: str
    prefix: str


def logs(parsed: argparse.Namespace, console: Console) -> ExitStatus:
    return at_cluster(parsed, lambda access: _logs(access, parsed, console))


async def _logs(access: Access, parsed: argparse.Namespace, console: Console) -> ExitStatus:
    obj = await find(access, parsed.name)
    if isinstance(decoded(obj), BlendStudy):
        raise ClientError(f"{parsed.name} is a study, which has no pods: name one of its runs")
    if parsed.follow:
        await _follow(access, obj, parsed.stage)
        return ExitStatus.SUCCESS
    pods = await list_all(access, Kind.POD, _selector(obj))
    chosen = sources(pods, await _owners(access, obj), parsed.stage)
    if not chosen:
        stage = f" of stage {parsed.stage}" if parsed.stage else ""
        console.print(f"{parsed.name} has no pods{stage} that have started: `blendtune status {parsed.name}` "
                      "says why", highlight=False, soft_wrap=True)  # fmt: skip
        return ExitStatus.FAILED
    for source in chosen:
        await _print(access, source, follow=False)
    return ExitStatus.SUCCESS


def sources(pods: Iterable[Object], owners: frozenset[str], stage: str | None) -> list[Source]:
    """The containers of the last attempt of a stage, rank by rank; without one, of the last stage."""
    mine = [pod for pod in pods if _label(pod, OWNER_UID) in owners and _label(pod, STAGE) in _ORDER]
    if stage is None and mine:
        stage = max((_label(pod, STAGE) for pod in mine), key=_ORDER.index)
    mine = [pod for pod in mine if _label(pod, STAGE) == stage]
    latest = max((number(pod, ATTEMPT) or 0 for pod in mine), default=0)
    last = [pod for pod in mine if (number(pod, ATTEMPT) or 0) == latest]
    return [source for pod in sorted(last, key=pod_index) for source in _of_pod(pod)]


def _of_pod(pod: Object) -> list[Source]:
    """The main container once it has started; one before it that has failed."""
    status = pod.get("status") or {}
    name, stage = pod["metadata"]["name"], _label(pod, STAGE)
    prefix = f"{stage} {number(pod, ATTEMPT) or 1}"
    if stage == Stage.TRAIN:
        prefix += f" rank {pod_index(pod)}"
    failed = [
        each["name"]
        for each in status.get("initContainerStatuses") or []
        if (((each.get("state") or {}).get("terminated") or {}).get("exitCode") or 0) != 0
    ]
    started = [
        each["name"]
        for each in status.get("containerStatuses") or []
        if {"running", "terminated"} & set(each.get("state") or {})
    ]
    return [Source(name, container, prefix) for container in failed or started]


async def _follow(access: Access, obj: Object, stage: str | None) -> None:
    """Reads each log from the time its container starts, until the run and all that is read have ended."""
    kind, name = Kind(obj["kind"]), obj["metadata"]["name"]
    watched = [
        Watched(kind=kind, name=name),
        *([Watched(kind=Kind.RUBRIC_EVAL, name=name)] if kind is not Kind.RUBRIC_EVAL else []),
        Watched(kind=Kind.POD, labels=_selector(obj)),
    ]
    reading: dict[Source, asyncio.Task[None]] = {}
    first = _ORDER[0] if stage else None
    try:
        async with aclosing(snapshots(access, watched)) as found:
            async for snapshot in found:
                owners = frozenset(
                    each["metadata"]["uid"] for of in (kind, Kind.RUBRIC_EVAL) for each in snapshot.of(of)
                )
                stages = [stage] if stage else _from(first, snapshot.of(Kind.POD), owners)
                first = first or (stages[0] if stages else None)
                for each in stages:
                    for source in sources(snapshot.of(Kind.POD), owners, each):
                        if source not in reading:
                            reading[source] = asyncio.create_task(_print(access, source, follow=True))
                if any(has_ended(decoded(each)) for each in snapshot.of(kind)):
                    break
                if not snapshot.of(kind):
                    break  # it has been deleted
        await asyncio.gather(*reading.values())
    finally:
        for task in reading.values():
            task.cancel()


def _from(first: str | None, pods: Sequence[Object], owners: frozenset[str]) -> list[str]:
    """The stages with pods, from `first` on; without one, the last of them alone."""
    present = [
        stage
        for stage in _ORDER
        if any(_label(pod, STAGE) == stage and _label(pod, OWNER_UID) in owners for pod in pods)
    ]
    return (
        [stage for stage in present if _ORDER.index(stage) >= _ORDER.index(first)] if first else present[-1:]
    )


async def _print(access: Access, source: Source, *, follow: bool) -> None:
    """Prints a log; one that is followed and breaks off is read on from its last line."""
    path = f"{Kind.POD.path(access.namespace, source.pod)}/log"
    last = ""
    while True:
        known = last
        query = {"container": source.container, "timestamps": "true"}
        query |= {"follow": "true"} if follow else {}
        query |= {"sinceTime": last} if last else {}
        try:
            async with access.api.lines(path, query) as lines:
                async for line in lines:
                    moment, _, text = line.decode(errors="replace").partition(" ")
                    if moment > known:  # times are asked for by the second
                        sys.stdout.write(f"{source.prefix} | {text}\n")
                        last = moment
                    sys.stdout.flush()
            return
        except ApiError as error:
            if not follow or error.status not in (0, 500, 502, 503, 504):
                if error.status == 404:  # the pod is gone, and its log with it
                    return
                raise
            await asyncio.sleep(_PAUSE_SECONDS)


async def _owners(access: Access, obj: Object) -> frozenset[str]:
    """The UIDs with which the run's pods are labelled: its own, and that of its evaluation."""
    evaluation = await get(access, Kind.RUBRIC_EVAL, obj["metadata"]["name"])
    return frozenset(each["metadata"]["uid"] for each in (obj, evaluation) if each is not None)


def _selector(obj: Object) -> str:
    return f"app.kubernetes.io/name=blendtune,app.kubernetes.io/instance={obj['metadata']['name']}"


def _label(pod: Object, name: str) -> str:
    return str((pod["metadata"].get("labels") or {}).get(name, ""))
