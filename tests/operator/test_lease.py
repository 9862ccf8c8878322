"""The Lease: one holder at a time, and a successor once it has run out or was let go."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, cast

from blendtune_operator.api import Api, ApiError
from blendtune_operator.watching.lease import Lease, LeaseSettings


class Leases:
    """The API server, as far as one Lease goes."""

    def __init__(self) -> None:
        self.lease: dict[str, Any] | None = None
        self.down = False
        self.silent = False

    async def get(self, path: str) -> dict[str, Any]:
        self._reached()
        if self.silent:
            await asyncio.Event().wait()
        if self.lease is None:
            raise ApiError(404, "NotFound", path)
        return copy.deepcopy(self.lease)

    async def request(self, method: str, path: str, *, body: Mapping[str, Any]) -> dict[str, Any]:
        self._reached()
        version = int(self.lease["metadata"]["resourceVersion"]) if self.lease else 0
        stale = self.lease is not None and body["metadata"].get("resourceVersion") != str(version)
        if stale or (method == "POST") is (self.lease is not None):
            raise ApiError(409, "Conflict", path)
        self.lease = copy.deepcopy(dict(body))
        self.lease["metadata"]["resourceVersion"] = str(version + 1)
        return self.lease

    def _reached(self) -> None:
        if self.down:
            raise ApiError(0, "Unreachable", "down")


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def lease(server: Leases, identity: str, clock: Clock) -> Lease:
    settings = LeaseSettings(namespace="ops", identity=identity, duration=timedelta(seconds=15))
    return Lease(cast(Api, server), settings, clock)


async def one_round(*leases: Lease) -> None:
    """Lets each try once: they sleep after it."""
    tasks = [asyncio.create_task(item.run()) for item in leases]
    for _ in range(5):
        await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def test_the_second_waits_until_the_lease_has_run_out() -> None:
    async def scenario() -> None:
        server, clock = Leases(), Clock()
        first, second = lease(server, "first", clock), lease(server, "second", clock)
        await one_round(first, second)
        assert (first.held.is_set(), second.held.is_set()) == (True, False)
        clock.now = 10
        await one_round(first, second)
        clock.now = 24
        await one_round(second)
        assert not second.held.is_set()
        clock.now = 25.1
        await one_round(second)
        assert second.held.is_set()
        await one_round(first)
        assert not first.held.is_set()

    asyncio.run(scenario())


def test_a_lease_let_go_is_free_at_once() -> None:
    async def scenario() -> None:
        server, clock = Leases(), Clock()
        first, second = lease(server, "first", clock), lease(server, "second", clock)
        await one_round(first)
        await first.release()
        await one_round(second)
        assert (first.held.is_set(), second.held.is_set()) == (False, True)
        await first.release()
        assert server.lease is not None
        assert server.lease["spec"]["holderIdentity"] == "second"

    asyncio.run(scenario())


def test_a_holder_that_cannot_renew_stops_before_the_lease_runs_out() -> None:
    async def scenario() -> None:
        server, clock = Leases(), Clock()
        first = lease(server, "first", clock)
        await one_round(first)
        server.down = True
        clock.now = 9
        await one_round(first)
        assert first.held.is_set()
        clock.now = 11
        await one_round(first)
        assert not first.held.is_set()

    asyncio.run(scenario())


def test_a_holder_that_gets_no_answer_stops_before_the_lease_runs_out() -> None:
    async def scenario() -> None:
        server = Leases()
        settings = LeaseSettings(namespace="ops", identity="first", duration=timedelta(seconds=0.6))
        first = Lease(cast(Api, server), settings)
        keeping = asyncio.create_task(first.run())
        await first.held.wait()
        server.silent = True
        begun = asyncio.get_running_loop().time()
        while first.held.is_set():
            await asyncio.sleep(0.01)
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        assert asyncio.get_running_loop().time() - begun < 5

    asyncio.run(asyncio.wait_for(scenario(), 30))
