"""The embedded cluster at work: its objects, its pods, and the loop that reconciles."""

from __future__ import annotations

import asyncio
import json
import signal
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from blendtune_api import codec
from blendtune_api.blend_study import BlendStudy
from blendtune_api.codec import Resource
from blendtune_api.contract import digest_of
from blendtune_operator.cluster import Key
from blendtune_operator.conditions import is_finished, is_refused
from blendtune_operator.local.cluster import LocalCluster
from blendtune_operator.local.kubelet import Kubelet
from blendtune_operator.local.settings import local_settings
from blendtune_operator.local.store import ObjectStore
from blendtune_operator.local.workloads import Workloads
from blendtune_operator.names import PARENT_KINDS, Kind
from blendtune_operator.reconcile import reconcile

POLL_SECONDS = 1.0

Show = Callable[[Sequence[Resource], str], None]


class Session:
    """Runs the given objects to their end in one work directory."""

    def __init__(
        self,
        objects: Sequence[Resource],
        config_maps: Sequence[Mapping[str, Any]],
        workdir: Path,
    ) -> None:
        self._given = objects
        self._config_maps = config_maps
        self._workdir = workdir
        self._settings = local_settings()
        self.store = ObjectStore(_now)
        self.kubelet = Kubelet(self.store, workdir)
        self.workloads = Workloads(self.store, self.kubelet)
        self._cluster = LocalCluster(self.store, self.workloads, self.kubelet)

    def objects(self) -> list[Resource]:
        """The BlendedFineTunes, RubricEvals and BlendStudies as they are now."""
        documents = [object for object in self.store if object["kind"] in PARENT_KINDS]
        return [codec.decode_object(document) for document in documents]

    async def run(self, show: Show) -> bool:
        """Reconciles until every object has finished. True when a signal ended it before.

        `show` is given the objects after each round, and a note.
        """
        self._create_objects()
        interrupted = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, interrupted.set)
        while not interrupted.is_set():
            self.store.changed.clear()
            for object in self.objects():
                await reconcile(self._cluster, _key(object), self._settings, _now())
            objects = self.objects()
            show(objects, "")
            if all(map(_finished, objects)):
                break
            await _first(self.store.changed, interrupted)
        if interrupted.is_set():
            show(self.objects(), "stopping: waiting for the checkpoint")
        await self.workloads.stop_all()
        return interrupted.is_set()

    def save(self) -> None:
        """Writes each object as JSON into the work directory."""
        folder = self._workdir / "objects"
        folder.mkdir(parents=True, exist_ok=True)
        for object in self.objects():
            document = json.dumps(codec.encode_object(object), indent=2)
            (folder / f"{_key(object).kind}-{object.metadata.name}.json").write_text(document + "\n")

    def _create_objects(self) -> None:
        """Applies the manifests.

        An object's UID follows from its configuration: the same manifest in the same work directory is the
        same run again. A study stays the same while its axes grow.
        """
        for config_map in self._config_maps:
            self.store.create(config_map)
        for item in self._given:
            document = codec.encode_object(item)
            document.pop("status", None)
            identity: list[object] = [item.metadata.namespace, item.metadata.name]
            identity += [] if isinstance(item, BlendStudy) else [item.spec]
            run = f"{self._workdir}/{digest_of(identity)}"
            self.store.create(document, uid=str(uuid.uuid5(uuid.NAMESPACE_URL, run)))


async def _first(*events: asyncio.Event) -> None:
    """Waits for the first of the events, at most POLL_SECONDS."""
    waits = [asyncio.ensure_future(event.wait()) for event in events]
    await asyncio.wait(waits, timeout=POLL_SECONDS, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()


def _now() -> datetime:
    return datetime.now(UTC)


def _key(object: Resource) -> Key:
    kind = Kind(type(object).__name__)
    return Key(kind=kind, namespace=object.metadata.namespace, name=object.metadata.name)


def _finished(object: Resource) -> bool:
    conditions = object.status.conditions
    return is_finished(conditions) or is_refused(conditions) or object.spec.suspend
