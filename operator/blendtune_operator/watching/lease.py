"""Leader election: a Lease that its holder renews, and that another operator takes once it has expired."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from blendtune_operator.api import Api, ApiError
from blendtune_operator.clock import utc_now

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class LeaseSettings:
    """The holder renews after a third of `duration`, and stops working after two thirds without success."""

    namespace: str
    name: str = "blendtune-operator"
    identity: str = ""
    duration: timedelta = timedelta(seconds=15)


@dataclass(slots=True)
class _Observed:
    """The version last read, and when on this clock: the times in the Lease are another machine's."""

    version: str = ""
    since: float = 0.0


class Lease:
    """Acquires and renews the Lease; `held` is set while this operator is the leader."""

    def __init__(
        self, api: Api, settings: LeaseSettings, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._api = api
        self._settings = settings
        self._clock = clock
        self._observed = _Observed()
        self._renewed = clock()
        self.held = asyncio.Event()

    async def run(self) -> None:
        """Acquires and renews until cancelled."""
        period = self._settings.duration.total_seconds() / 3
        while True:
            begun = self._clock()
            try:
                async with asyncio.timeout(period):
                    self._set_held(await self._acquire_or_renew())
            except (ApiError, TimeoutError) as error:
                _log.info("the Lease could not be renewed: %r", error)
                if self._clock() - self._renewed > 2 * period:
                    self._set_held(False)
            await asyncio.sleep(max(0.0, period - (self._clock() - begun)))

    async def release(self) -> None:
        """Gives the Lease up, so that another operator can take it at once."""
        if not self.held.is_set():
            return
        self.held.clear()
        try:
            lease = await self._api.get(self._path)
            if lease["spec"].get("holderIdentity") == self._settings.identity:
                await self._write(lease, holder="")
        except ApiError as error:
            _log.info("the Lease was not released: %s", error)

    @property
    def _path(self) -> str:
        return f"{self._collection}/{self._settings.name}"

    @property
    def _collection(self) -> str:
        return f"/apis/coordination.k8s.io/v1/namespaces/{self._settings.namespace}/leases"

    def _set_held(self, held: bool) -> None:
        if held:
            self._renewed = self._clock()
            if not self.held.is_set():
                _log.info("holding the Lease %s/%s", self._settings.namespace, self._settings.name)
            self.held.set()
        elif self.held.is_set():
            _log.warning("the Lease is lost: another operator may hold it")
            self.held.clear()

    async def _acquire_or_renew(self) -> bool:
        """Whether the Lease is held after one attempt. Raises ApiError when the API server cannot tell."""
        try:
            lease = await self._api.get(self._path)
        except ApiError as error:
            if error.status != 404:
                raise
            lease = {}
        if lease and not self._is_free(lease):
            return False
        try:
            await self._write(lease, holder=self._settings.identity)
        except ApiError as error:
            if error.status == 409:  # another one was faster
                return False
            raise
        return True

    def _is_free(self, lease: dict[str, Any]) -> bool:
        spec = lease.get("spec") or {}
        if spec.get("holderIdentity") in (None, "", self._settings.identity):
            return True
        version = lease["metadata"]["resourceVersion"]
        if version != self._observed.version:
            self._observed = _Observed(version, self._clock())
        lasts = float(spec.get("leaseDurationSeconds") or 0)
        return self._clock() - self._observed.since > lasts

    async def _write(self, lease: dict[str, Any], holder: str) -> None:
        settings = self._settings
        now = utc_now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        before = lease.get("spec") or {}
        changes_hands = holder != before.get("holderIdentity")
        spec = {
            **before,
            "holderIdentity": holder,
            "leaseDurationSeconds": max(1, round(settings.duration.total_seconds())),
            "renewTime": now,
            "acquireTime": now if changes_hands else before.get("acquireTime", now),
            "leaseTransitions": int(before.get("leaseTransitions") or 0)
            + int(changes_hands and bool(holder)),
        }
        kind = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease"}
        if lease:
            body = {**kind, "metadata": lease["metadata"], "spec": spec}
            await self._api.request("PUT", self._path, body=body)
        else:
            metadata = {"name": settings.name, "namespace": settings.namespace}
            await self._api.request(
                "POST", self._collection, body={**kind, "metadata": metadata, "spec": spec}
            )
