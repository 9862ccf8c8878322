"""The watches, run by kopf: every event updates the cache and enqueues the runs that it may concern.

Nothing is decided here. kopf's create and update handlers, timers and daemons are not used, because they
write annotations and finalizers into the objects.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import os
import signal
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import kopf

from blendtune_operator.cluster import Key
from blendtune_operator.names import CHILD_KINDS, OWNER_UID, PARENT_KINDS, Kind, Object
from blendtune_operator.watching.cache import Cache
from blendtune_operator.watching.queue import WorkQueue

WATCHED = (*PARENT_KINDS, *(kind for kind in CHILD_KINDS if kind not in PARENT_KINDS), Kind.POD)


class _NoDiffs(kopf.DiffBaseStorage):
    """Keeps kopf from copying each object: only change handlers need what changed since the last event."""

    def build(self, **_: Any) -> kopf.BodyEssence:
        return kopf.BodyEssence({})

    def fetch(self, **_: Any) -> kopf.BodyEssence | None:
        return None

    def store(self, **_: Any) -> None:
        pass


class Watches:
    """The watches of all kinds, and when each last brought an event."""

    def __init__(
        self, cache: Cache, queue: WorkQueue[Key], namespaces: Sequence[str], silence: timedelta
    ) -> None:
        """A watch that brings no event and no bookmark for as long as `silence` is opened anew.

        It goes on after the last event that it has brought, so that none is lost.
        """
        self._silence = silence
        self._cache = cache
        self._queue = queue
        self._namespaces = tuple(namespaces)
        self.last_event: dict[Kind, float] = {}  # by kind: seconds since the epoch

    async def run(self, stop: asyncio.Event) -> None:
        """Watches until `stop` is set, which SIGTERM and SIGINT do too."""
        ready = asyncio.Event()
        signals = asyncio.create_task(_take_signals_over(stop, ready))
        try:
            await kopf.operator(
                registry=self._registry(),
                settings=self._settings(),
                standalone=True,
                clusterwide=not self._namespaces,
                namespaces=self._namespaces,
                ready_flag=ready,
                stop_flag=stop,
            )
        finally:
            signals.cancel()

    def missing(self, served: Callable[[Kind], bool]) -> list[str]:
        """The watches that should run and do not: kopf may lose one and go on without it."""
        alive = {task.get_name() for task in asyncio.all_tasks() if not task.done()}
        wanted = [
            f"watcher for {_name(kind)}@{place}"
            for kind in WATCHED
            if served(kind)
            for place in (self._namespaces or (None,))
        ]
        return [name for name in wanted if name not in alive]

    def _registry(self) -> kopf.OperatorRegistry:
        registry = kopf.OperatorRegistry()
        kopf.on.login(registry=registry)(_login)
        for kind in WATCHED:
            kopf.on.event(*_resource(kind), id="enqueue", registry=registry)(self._handler(kind))
        return registry

    def _settings(self) -> kopf.OperatorSettings:
        settings = kopf.OperatorSettings()
        settings.posting.enabled = False
        settings.scanning.disabled = bool(self._namespaces)
        settings.persistence.diffbase_storage = _NoDiffs()
        settings.queueing.idle_timeout = 0.1  # kopf has a worker for each object; most change seldom
        settings.watching.inactivity_timeout = self._silence.total_seconds()
        for kind in WATCHED:
            if kind not in PARENT_KINDS:
                settings.watching.label_selectors[_resource(kind)] = OWNER_UID
        return settings

    def _handler(self, kind: Kind) -> Callable[..., Any]:
        async def enqueue(event: dict[str, Any], **_: Any) -> None:
            self.last_event[kind] = time.time()
            obj: Object = {**event["object"], "apiVersion": kind.api_version, "kind": kind.value}
            keys = list(self._cache.keys_for(obj))
            if event["type"] == "DELETED":
                self._cache.remove(obj)
            elif not self._cache.apply(obj) and event["type"] is None:
                return  # already known, from the list that a watch begins with
            for key in keys:
                self._queue.add(key)

        return enqueue


async def _take_signals_over(stop: asyncio.Event, ready: asyncio.Event) -> None:
    """Takes the signals over from kopf, whose own way to stop waits 5 s for a task that it has forgotten."""
    await ready.wait()
    stop_at_signals(stop)


def stop_at_signals(stop: asyncio.Event) -> None:
    """Sets `stop` at SIGTERM and SIGINT, in place of what the running loop did at them before."""
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)


def _login(**kwargs: Any) -> kopf.ConnectionInfo | None:
    """Logs in by KUBECONFIG, else as the pod's service account; anew when a token expires.

    In a pod it connects to the IP address of the API server, as the client does: no DNS is needed.
    """
    given = kopf.login_with_kubeconfig(**kwargs)
    own = given or kopf.login_with_service_account(**kwargs)
    host, port = os.environ.get("KUBERNETES_SERVICE_HOST"), os.environ.get("KUBERNETES_SERVICE_PORT")
    if given is not None or own is None or not host:
        return own
    address = f"[{host}]" if ":" in host else host
    return dataclasses.replace(own, server=f"https://{address}:{port}")


def _resource(kind: Kind) -> tuple[str, str, str]:
    """Group, version and plural."""
    group, _, version = kind.api_version.rpartition("/")
    return group, version, kind.plural


def _name(kind: Kind) -> str:
    """The name of a resource in the names of kopf's tasks."""
    group, version, plural = _resource(kind)
    return f"{plural}.{version}.{group}".rstrip(".")


def quiet_logs() -> None:
    """kopf logs each event that it hands over; only its warnings are of interest."""
    logging.getLogger("kopf").setLevel(logging.WARNING)
