"""Where the page's runs come from: the watches of a namespace, or a folder of local runs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from blendtune_api.codec import InvalidObject, decode_object
from blendtune_api.contract import REPORT_PAGE, Workspace, workspace
from blendtune_api.v1alpha1 import BlendedFineTune
from blendtune_operator.client.access import Access
from blendtune_operator.client.watching import Watched, snapshots
from blendtune_operator.names import PARENT_KINDS, Kind, Object

_LOOK_SECONDS = 2.0  # between two looks at a folder


@dataclass(frozen=True, slots=True)
class Shown:
    """What there is at one moment; `note` says why it may be out of date, else it is empty."""

    objects: tuple[Object, ...]
    histories: dict[str, list[tuple[int, float]]]
    note: str = ""


@dataclass(slots=True)
class Losses:
    """(step, loss) of each training as its status has shown it, by UID: a cluster keeps the latest alone."""

    found: dict[str, list[tuple[int, float]]] = field(default_factory=dict)

    def take(self, objects: Iterable[Object]) -> None:
        """Points come in the order of their steps; a training that has gone back starts again from there."""
        for obj in objects:
            point = _latest(obj)
            if point is None:
                continue
            known = self.found.setdefault(obj["metadata"]["uid"], [])
            while known and known[-1][0] >= point[0]:
                known.pop()
            known.append(point)


async def of_cluster(access: Access) -> AsyncGenerator[Shown, None]:
    losses = Losses()
    async for snapshot in snapshots(access, [Watched(kind=kind) for kind in PARENT_KINDS]):
        losses.take(snapshot.objects)
        yield Shown(snapshot.objects, losses.found, snapshot.broken)


async def of_folder(folder: Path) -> AsyncGenerator[Shown, None]:
    """The objects that local runs have left in their work directories, whenever they change."""
    last: Shown | None = None
    while True:
        shown = await asyncio.to_thread(look, folder)
        if shown != last:
            yield shown
        last = shown
        await asyncio.sleep(_LOOK_SECONDS)


def look(folder: Path) -> Shown:
    """The objects below a work directory, or below a folder of work directories."""
    found = list(_objects(folder))
    histories = {obj["metadata"]["uid"]: _history(obj, workdir) for obj, workdir in found}
    return Shown(tuple(obj for obj, _ in found), histories)


def local_report(folder: Path, kind: str, name: str) -> Path | None:
    """The page of a local run's report; None where there is none."""
    for obj, workdir in _objects(folder):
        if (obj["kind"].lower(), obj["metadata"]["name"]) == (kind, name):
            if obj["kind"] == Kind.BLEND_STUDY:
                page = workdir / REPORT_PAGE
            else:
                place = _workspace(obj, workdir)
                page = place.evaluation / REPORT_PAGE if place else Path()
            return page if page.is_file() else None
    return None


def _objects(folder: Path) -> Iterator[tuple[Object, Path]]:
    for file in sorted([*folder.glob("objects/*.json"), *folder.glob("*/objects/*.json")]):
        with suppress(OSError, ValueError, KeyError):
            obj = json.loads(file.read_text(encoding="utf-8"))
            if obj["kind"] in PARENT_KINDS:
                yield obj, file.parents[1]


def _workspace(obj: Object, workdir: Path) -> Workspace | None:
    try:
        run: Any = decode_object(obj)
    except InvalidObject:
        return None
    return workspace(workdir / "claims", run.spec.storage, run.metadata.namespace, run.metadata.name)


def _history(obj: Object, workdir: Path) -> list[tuple[int, float]]:
    place = _workspace(obj, workdir) if obj["kind"] == BlendedFineTune.__name__ else None
    if place is None:
        return []
    points = []
    with suppress(OSError, ValueError, KeyError):
        for line in place.steps_log.read_text(encoding="utf-8").splitlines():
            step = json.loads(line)
            points.append((int(step["step"]), float(step["loss"])))
    return points


def _latest(obj: Object) -> tuple[int, float] | None:
    told = ((obj.get("status") or {}).get("trainerStatus") or {}).get("metrics") or []
    values = {metric["name"]: metric["value"] for metric in told}
    try:
        return int(values["step"]), float(values["loss"])
    except (KeyError, ValueError):
        return None
