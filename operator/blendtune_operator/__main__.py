"""`python -m blendtune_operator`: runs the operator until SIGTERM, then drains and releases the Lease."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from contextlib import AsyncExitStack
from importlib.metadata import PackageNotFoundError, version

import aiohttp
from prometheus_client import CollectorRegistry

from blendtune_operator import api as kubernetes_api
from blendtune_operator.api import ApiError
from blendtune_operator.cluster import Key
from blendtune_operator.kubernetes_cluster import KubernetesCluster
from blendtune_operator.metrics.runs import RunCollector
from blendtune_operator.metrics.telemetry import Telemetry, WatchCollector
from blendtune_operator.server import serve
from blendtune_operator.settings import ProcessSettings, Settings, SettingsError
from blendtune_operator.watching.cache import Cache
from blendtune_operator.watching.controller import Controller, Resync
from blendtune_operator.watching.handlers import Watches, quiet_logs, stop_at_signals
from blendtune_operator.watching.health import Health
from blendtune_operator.watching.lease import Lease, LeaseSettings
from blendtune_operator.watching.queue import WorkQueue

_log = logging.getLogger("blendtune_operator")


async def operate(settings: Settings, process: ProcessSettings) -> bool:
    """The whole operator. Returns after SIGTERM or SIGINT, when every reconcile that had begun is complete.

    False when it ended because a part of it failed.
    """
    stop = asyncio.Event()
    stop_at_signals(stop)
    cache, queue, registry = Cache(), WorkQueue[Key](), CollectorRegistry()
    telemetry = Telemetry(registry, _version())
    watches = Watches(cache, queue, process.namespaces, process.watch_silence)
    registry.register(RunCollector(cache.runs))
    registry.register(WatchCollector(watches.last_event))
    telemetry.depth.set_function(lambda: len(queue))
    async with AsyncExitStack() as stack:
        api = await stack.enter_async_context(
            kubernetes_api.connect(2 * process.workers, telemetry.count_request)
        )
        session = await stack.enter_async_context(aiohttp.ClientSession())
        cluster = KubernetesCluster(api, cache, session)
        lease = Lease(api, LeaseSettings(
            namespace=process.lease_namespace, identity=process.identity, duration=process.lease_duration
        ))  # fmt: skip
        telemetry.leader.set_function(lease.held.is_set)
        resync = Resync(api, cache, queue, telemetry, process.namespaces, process.resync_interval)
        controller = Controller(cluster, queue, settings, telemetry, api.clock.now)
        health = Health(watches, cluster)
        await stack.enter_async_context(serve(process.port, registry, health.healthy, health.ready))
        background = [asyncio.create_task(lease.run()), asyncio.create_task(health.run())]
        await _first_sync(resync, stop)
        health.synced = not stop.is_set()
        workers = [asyncio.create_task(controller.work(lease.held)) for _ in range(process.workers)]
        background.append(asyncio.create_task(resync.run()))
        for task in (*workers, *background):
            task.add_done_callback(lambda ended: _stop_at_failure(ended, stop))
        try:
            await watches.run(stop)
        finally:
            _log.info("stopping: %d reconciles are being completed", queue.active)
            for task in (*workers, *background):
                task.cancel()
            ends = await asyncio.gather(*workers, *background, return_exceptions=True)
            await lease.release()
        return not any(isinstance(end, Exception) for end in ends)


def _stop_at_failure(task: asyncio.Task[None], stop: asyncio.Event) -> None:
    """A failed part ends the operator, which Kubernetes restarts: without it, it would do half its work."""
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.critical("a part of the operator failed: stopping", exc_info=error)
        stop.set()


async def _first_sync(resync: Resync, stop: asyncio.Event) -> None:
    """Lists the cluster, and tries again until it succeeds or `stop` is set."""
    listing, stopping = asyncio.create_task(_list_cluster(resync)), asyncio.create_task(stop.wait())
    await asyncio.wait((listing, stopping), return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if stop.is_set():
        listing.cancel()
    else:
        await listing


async def _list_cluster(resync: Resync) -> None:
    delay = 0.5
    while True:
        try:
            return await resync.once(first=True)
        except ApiError as error:
            _log.warning("the cluster could not be listed yet, again in %.1f s: %s", delay, error)
            await asyncio.sleep(error.retry_after or delay)
            delay = min(delay * 2, 30.0)


def _version() -> str:
    try:
        return version("blendtune")
    except PackageNotFoundError:
        return "unknown"


def main() -> int:
    logging.basicConfig(
        level=os.environ.get("BLENDTUNE_LOG_LEVEL", "INFO"),
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    quiet_logs()
    try:
        settings, process = (
            Settings.from_environment(os.environ),
            ProcessSettings.from_environment(os.environ),
        )
    except SettingsError as error:
        _log.error("%s", error)
        return 2
    return 0 if asyncio.run(operate(settings, process)) else 1


if __name__ == "__main__":
    sys.exit(main())
