"""The cluster of an API server: writes go to it, reads to it or to the cache of the watches."""

from __future__ import annotations

import logging
import time
import uuid
from collections import deque

import aiohttp

from blendtune_api.contract import Progress
from blendtune_operator.api import APPLY, MERGE, Api, ApiError, list_pages
from blendtune_operator.cluster import AlreadyExists, Conflict, Refused
from blendtune_operator.conditions import timestamp
from blendtune_operator.names import (
    FIELD_MANAGER,
    METRICS_PORT,
    METRICS_PORT_NAME,
    OWNER_UID,
    WORKLOAD_JOB_UID,
    Kind,
    Object,
)
from blendtune_operator.plan import Event
from blendtune_operator.progress import fetch_progress
from blendtune_operator.same_content import is_same_content
from blendtune_operator.watching.cache import Cache

_log = logging.getLogger(__name__)

_SERVED_SECONDS = 300.0  # for how long the answer that a kind is served is reused
_UNSERVED_SECONDS = 5.0
_EVENTS_READ = "500"  # about one object; anybody may write more
_EVENT_MESSAGE_LIMIT = 1024  # of a core/v1 Event
_REFUSED = (400, 403, 404, 422)
_SILENT_WEBHOOK = "failed calling webhook"  # an internal error, which lasts until somebody mends it
_CREATED_KEPT = 1000  # an object is recorded in a status as soon as it is created


class KubernetesCluster:
    """`Cluster` over the API server; the cache has its own writes without waiting for a watch."""

    def __init__(self, api: Api, cache: Cache, session: aiohttp.ClientSession) -> None:
        self._api = api
        self._cache = cache
        self._session = session
        self._served: dict[Kind, tuple[bool, float]] = {}
        self._created: deque[str] = deque(maxlen=_CREATED_KEPT)  # UIDs

    async def get(self, kind: Kind, namespace: str, name: str) -> Object | None:
        try:
            return await self._api.get(kind.path(namespace, name))
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def cached(self, kind: Kind, namespace: str, name: str) -> Object | None:
        return self._cache.find(kind, namespace, name)

    def cached_children(self, owner_uid: str) -> list[Object]:
        return self._cache.children(owner_uid)

    async def list_pods(self, namespace: str, owner_uid: str) -> list[Object]:
        selector = f"{OWNER_UID}={owner_uid}"
        pages = [page async for page, _ in list_pages(self._api, Kind.POD, namespace, selector)]
        return [obj for page in pages for obj in page]

    async def workload(self, job: Object) -> Object | None:
        selector = f"{WORKLOAD_JOB_UID}={job['metadata']['uid']}"
        namespace = job["metadata"]["namespace"]
        async for page, _ in list_pages(self._api, Kind.WORKLOAD, namespace, selector):
            return next(iter(page), None)
        return None

    async def events_about(self, namespace: str, uid: str) -> tuple[Object, ...]:
        query = {"fieldSelector": f"involvedObject.uid={uid}", "limit": _EVENTS_READ}
        try:
            found = await self._api.get(f"/api/v1/namespaces/{namespace}/events", query)
        except ApiError as error:
            if error.status == 403:  # the role is of an earlier version
                return ()
            raise
        return tuple(found.get("items") or ())

    async def serves(self, kind: Kind) -> bool:
        served, until = self._served.get(kind, (False, 0.0))
        if time.monotonic() < until:
            return served
        group = kind.path(None).rsplit("/", 1)[0]
        try:
            resources = (await self._api.get(group)).get("resources") or []
        except ApiError as error:
            if error.status != 404:
                raise
            resources = []
        served = any(resource["name"] == kind.plural for resource in resources)
        lifetime = _SERVED_SECONDS if served else _UNSERVED_SECONDS
        self._served[kind] = served, time.monotonic() + lifetime
        return served

    async def create(self, obj: Object) -> Object:
        kind = Kind(obj["kind"])
        path, query = kind.path(obj["metadata"]["namespace"]), {"fieldManager": FIELD_MANAGER}
        try:
            created = await self._api.request("POST", path, query, obj)
        except ApiError as error:
            if error.reason == "AlreadyExists":
                raise AlreadyExists(str(error)) from error
            if error.status in _REFUSED or _SILENT_WEBHOOK in str(error):
                raise Refused(error.words) from error
            raise
        self._cache.apply(created)
        self._created.append(created["metadata"]["uid"])
        return created

    async def has_made(self, found: Object, wanted: Object) -> bool:
        if found["metadata"]["uid"] in self._created:
            return True
        kind, metadata = Kind(wanted["kind"]), wanted["metadata"]
        other = {**wanted, "metadata": {**metadata, "name": f"x{uuid.uuid4().hex[:12]}"}}
        try:
            # What the API server would store: with its defaults, and with what admission webhooks change.
            stored = await self._api.request(
                "POST",
                kind.path(metadata["namespace"]),
                {"dryRun": "All", "fieldManager": FIELD_MANAGER},
                other,
            )
        except ApiError as error:
            if error.status in _REFUSED:
                raise Refused(f"{kind} {metadata['name']} could not be compared: {error.words}") from error
            raise
        return is_same_content(found, {**stored, "kind": kind.value})

    async def delete(self, obj: Object) -> None:
        metadata = obj["metadata"]
        path = Kind(obj["kind"]).path(metadata["namespace"], metadata["name"])
        options = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": "Background",
            "preconditions": {"uid": metadata["uid"]},
        }
        try:
            await self._api.request("DELETE", path, body=options)
        except ApiError as error:
            if error.status not in (404, 409):  # 409: another object has the name by now
                raise

    async def set_suspend(self, obj: Object, suspend: bool) -> None:
        metadata = obj["metadata"]
        path = Kind(obj["kind"]).path(metadata["namespace"], metadata["name"])
        body = {"metadata": {"uid": metadata["uid"]}, "spec": {"suspend": suspend}}
        query = {"fieldManager": FIELD_MANAGER}
        try:
            written = await self._api.request("PATCH", path, query, body, MERGE)
        except ApiError as error:
            if error.status == 404:
                return
            if error.status in (409, 422):  # another UID is an invalid change
                raise Conflict(str(error)) from error
            raise
        self._cache.apply(written)

    async def write_status(self, obj: Object, status: Object) -> None:
        metadata = obj["metadata"]
        identity = {name: metadata[name] for name in ("name", "namespace", "uid", "resourceVersion")}
        body = {
            "apiVersion": obj["apiVersion"],
            "kind": obj["kind"],
            "metadata": identity,
            "status": status,
        }
        path = Kind(obj["kind"]).path(metadata["namespace"], metadata["name"]) + "/status"
        query = {"fieldManager": FIELD_MANAGER, "force": "true"}
        try:
            written = await self._api.request("PATCH", path, query, body, APPLY)
        except ApiError as error:
            if error.status in (404, 409):
                raise Conflict(str(error)) from error
            raise
        self._cache.apply(written)

    async def progress(self, pod: Object) -> Progress | None:
        address = (pod.get("status") or {}).get("podIP")
        if not address:
            return None
        host = f"[{address}]" if ":" in address else address
        return await fetch_progress(self._session, f"http://{host}:{_metrics_port(pod)}/progress")

    async def emit_event(self, obj: Object, event: Event) -> None:
        metadata = obj["metadata"]
        now = timestamp(self._api.clock.now())
        body = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {
                "name": f"{metadata['name']}.{uuid.uuid4().hex[:16]}",
                "namespace": metadata["namespace"],
            },
            "involvedObject": {
                "apiVersion": obj["apiVersion"],
                "kind": obj["kind"],
                **{name: metadata[name] for name in ("name", "namespace", "uid", "resourceVersion")},
            },
            "type": event.type,
            "reason": event.reason,
            "message": event.message[:_EVENT_MESSAGE_LIMIT],
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
            "source": {"component": FIELD_MANAGER},
            "reportingComponent": FIELD_MANAGER,
        }
        try:
            await self._api.request("POST", f"/api/v1/namespaces/{metadata['namespace']}/events", body=body)
        except ApiError as error:
            _log.info("an event of %s %s was not recorded: %s", obj["kind"], metadata["name"], error)


def _metrics_port(pod: Object) -> int:
    containers = (pod.get("spec") or {}).get("containers") or []
    ports = [port for container in containers for port in container.get("ports") or []]
    named = (int(port["containerPort"]) for port in ports if port.get("name") == METRICS_PORT_NAME)
    return next(named, METRICS_PORT)
