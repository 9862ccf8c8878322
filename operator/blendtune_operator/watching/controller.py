"""Reconciles the keys of the queue, and lists the cluster regularly in case a watch has lost something."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from blendtune_operator.api import Api, ApiError, list_pages
from blendtune_operator.cluster import Cluster, Key
from blendtune_operator.metrics.telemetry import Result, Telemetry
from blendtune_operator.names import OWNER_UID, PARENT_KINDS, Kind, Object
from blendtune_operator.reconcile import reconcile
from blendtune_operator.settings import Settings
from blendtune_operator.watching.cache import Cache, slim
from blendtune_operator.watching.handlers import WATCHED
from blendtune_operator.watching.queue import WorkQueue

_log = logging.getLogger(__name__)

WATCH_GRACE_SECONDS = 5.0  # a listed object that the watch has not brought by then counts as missed


class Controller:
    """Reconciles what is in the queue; the only caller of reconcile."""

    def __init__(
        self,
        cluster: Cluster,
        queue: WorkQueue[Key],
        settings: Settings,
        telemetry: Telemetry,
        now: Callable[[], datetime],
    ) -> None:
        """`now` is the time by the API server's clock, aware."""
        self._cluster = cluster
        self._queue = queue
        self._settings = settings
        self._telemetry = telemetry
        self._now = now

    async def work(self, allowed: asyncio.Event) -> None:
        """One worker: reconciles keys while `allowed` is set. When cancelled, completes the current one."""
        while True:
            await allowed.wait()
            key = await self._queue.get()
            if not allowed.is_set():
                self._queue.done(key, 0.0)
                continue
            work = asyncio.ensure_future(self._reconcile(key))
            try:
                await asyncio.shield(work)
            except asyncio.CancelledError:
                await work  # a reconcile that has begun is completed
                raise

    async def _reconcile(self, key: Key) -> None:
        result = Result.SUCCESS
        try:
            with self._telemetry.timed(key.kind):
                after = await reconcile(self._cluster, key, self._settings, self._now())
        except ApiError as error:
            result = Result.RETRY
            delay = self._queue.failed(key, error.retry_after or 0.0)
            _log.info("%s %s/%s again in %.1f s: %s", *_words(key), delay, error)
        except Exception:
            result = Result.ERROR
            delay = self._queue.failed(key)
            _log.exception("%s %s/%s could not be reconciled; again in %.1f s", *_words(key), delay)
        else:
            if after == timedelta():
                result = Result.CONFLICT
                self._queue.failed(key)  # soon, with back-off: a reconcile of stale state must not spin
            else:
                self._queue.done(key, None if after is None else after.total_seconds())
        self._telemetry.reconciles.labels(key.kind, result).inc()


class Resync:
    """Lists everything: before the first reconcile, then every few minutes."""

    def __init__(
        self,
        api: Api,
        cache: Cache,
        queue: WorkQueue[Key],
        telemetry: Telemetry,
        namespaces: Sequence[str],
        interval: timedelta,
    ) -> None:
        self._api = api
        self._cache = cache
        self._queue = queue
        self._telemetry = telemetry
        self._places: tuple[str | None, ...] = tuple(namespaces) or (None,)
        self._interval = interval.total_seconds()

    async def run(self) -> None:
        """Repeats until cancelled."""
        while True:
            await asyncio.sleep(self._interval)
            try:
                await self.once()
            except ApiError as error:
                _log.info("the resync failed and is tried again: %s", error)

    async def once(self, *, first: bool = False) -> None:
        """Replaces the cache by what the API server lists, and enqueues every run. Raises ApiError.

        Except for the first time the runs are spread over half the interval, so that runs with work to do
        need not wait for all the others.
        """
        for kind in WATCHED:
            missed = 0
            for place in self._places:
                listed, version = await self._list(kind, place)
                late = [] if first else [obj for obj in listed if self._cache.missed(obj)]
                if late:
                    await asyncio.sleep(WATCH_GRACE_SECONDS)
                    missed += sum(self._cache.missed(obj) for obj in late)
                self._cache.replace(kind, listed, version, place)
            self._telemetry.missed.labels(kind).set(missed)
            if missed:
                _log.warning("the watch of %s has missed %d objects", kind, missed)
        for key in self._cache.run_keys():
            if first:
                self._queue.add(key)
            else:
                self._queue.add_within(key, self._interval / 2)

    async def _list(self, kind: Kind, place: str | None) -> tuple[list[Object], int]:
        selector = "" if kind in PARENT_KINDS else OWNER_UID
        listed: list[Object] = []
        version = 0
        async for page, at in list_pages(self._api, kind, place, selector):
            listed += map(slim, page)  # at once: a thousand pod templates would fill the memory
            version = at
        return listed, version


def _words(key: Key) -> tuple[str, str, str]:
    return key.kind, key.namespace, key.name
