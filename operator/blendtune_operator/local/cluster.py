"""The embedded cluster: objects in memory, Jobs and PyTorchJobs as processes."""

from __future__ import annotations

import uuid

import aiohttp

from blendtune_api.contract import Progress
from blendtune_operator.cluster import Conflict
from blendtune_operator.local.kubelet import Kubelet
from blendtune_operator.local.store import ObjectStore, key_of
from blendtune_operator.local.workloads import Workloads
from blendtune_operator.names import OWNER_UID, Kind, Object
from blendtune_operator.plan import Event
from blendtune_operator.progress import fetch_progress
from blendtune_operator.same_content import is_same_content


class LocalCluster:
    """`Cluster` over an ObjectStore."""

    def __init__(self, store: ObjectStore, workloads: Workloads, kubelet: Kubelet) -> None:
        self._store = store
        self._workloads = workloads
        self._kubelet = kubelet
        self.events: list[tuple[str, Event]] = []

    async def get(self, kind: Kind, namespace: str, name: str) -> Object | None:
        return self._store.get(kind, namespace, name)

    def cached(self, kind: Kind, namespace: str, name: str) -> Object | None:
        return self._store.get(kind, namespace, name)

    def cached_children(self, owner_uid: str) -> list[Object]:
        return [
            object
            for object in self._store
            if object["metadata"].get("labels", {}).get(OWNER_UID) == owner_uid
        ]

    async def list_pods(self, namespace: str, owner_uid: str) -> list[Object]:
        del namespace
        return [object for object in self.cached_children(owner_uid) if object["kind"] == Kind.POD]

    async def workload(self, job: Object) -> Object | None:
        del job
        return None

    async def events_about(self, namespace: str, uid: str) -> tuple[Object, ...]:
        del namespace, uid
        return ()

    async def serves(self, kind: Kind) -> bool:
        del kind
        return True

    async def create(self, obj: Object) -> Object:
        created = self._store.create(_admitted(obj), _run_uid(obj))
        if created["kind"] in (Kind.JOB, Kind.PYTORCH_JOB):
            self._workloads.start(created)
        return created

    async def has_made(self, found: Object, wanted: Object) -> bool:
        return is_same_content(found, wanted)

    async def delete(self, obj: Object) -> None:
        current = self._store.get(*key_of(obj))
        if current is None or current["metadata"]["uid"] != obj["metadata"]["uid"]:
            return
        if current["kind"] in (Kind.JOB, Kind.PYTORCH_JOB):
            self._workloads.stop(current)
        else:
            self._store.remove(key_of(current))

    async def set_suspend(self, obj: Object, suspend: bool) -> None:
        current = self._store.get(*key_of(obj))
        if current is not None and current["metadata"]["uid"] == obj["metadata"]["uid"]:
            self._store.set_spec(key_of(current), {**current["spec"], "suspend": suspend})

    async def write_status(self, obj: Object, status: Object) -> None:
        current = self._store.get(*key_of(obj))
        if current is None or current["metadata"]["resourceVersion"] != obj["metadata"]["resourceVersion"]:
            raise Conflict("{} {}/{} has changed".format(*key_of(obj)))
        self._store.set_status(key_of(obj), status)

    async def progress(self, pod: Object) -> Progress | None:
        port = self._kubelet.metrics_port(pod["metadata"]["uid"])
        if port is None:
            return None
        async with aiohttp.ClientSession() as session:
            return await fetch_progress(session, f"http://127.0.0.1:{port}/progress")

    async def emit_event(self, obj: Object, event: Event) -> None:
        self.events.append((obj["metadata"]["name"], event))


def _admitted(obj: Object) -> Object:
    """Without the suspension in which a queue holds what is created: there are no queues here."""
    if obj["kind"] == Kind.JOB:
        return {**obj, "spec": {**obj["spec"], "suspend": False}}
    if obj["kind"] == Kind.PYTORCH_JOB:
        policy = {**obj["spec"]["runPolicy"], "suspend": False}
        return {**obj, "spec": {**obj["spec"], "runPolicy": policy}}
    return obj


def _run_uid(obj: Object) -> str | None:
    """The UID of a study's run follows from its owner and name: a study that is run again finds it."""
    if obj["kind"] != Kind.BLENDED_FINE_TUNE:
        return None
    (owner,) = obj["metadata"]["ownerReferences"]
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{owner['uid']}/{obj['metadata']['name']}"))
