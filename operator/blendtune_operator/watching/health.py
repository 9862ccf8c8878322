"""Readiness and liveness: whether the operator has listed the cluster, and whether its watches run."""

from __future__ import annotations

import asyncio
import logging

from blendtune_operator.api import ApiError
from blendtune_operator.cluster import Cluster
from blendtune_operator.kinds import KINDS
from blendtune_operator.names import Kind
from blendtune_operator.watching.handlers import WATCHED, Watches

_log = logging.getLogger(__name__)

_WATCH_GRACE_SECONDS = 30.0  # kopf starts its watches one after the other
_CHECK_SECONDS = 5.0
_OPTIONAL = {kind for parent in KINDS.values() for kind in parent.optional_children} & {*WATCHED}


class Health:
    """Answers the probes. A lost watch makes the operator unhealthy: a restart brings it back."""

    def __init__(self, watches: Watches, cluster: Cluster) -> None:
        self._watches = watches
        self._cluster = cluster
        self._served: set[Kind] = set(Kind)
        self._missing_since: dict[str, float] = {}
        self.synced = False

    def ready(self) -> str:
        return "" if self.synced else "the first list of the cluster is not complete"

    def healthy(self) -> str:
        if not self.synced:
            return ""
        lost = [name for name, since in self._missing_since.items() if _now() - since > _WATCH_GRACE_SECONDS]
        return f"not running: {', '.join(lost)}" if lost else ""

    async def run(self) -> None:
        """Checks the watches regularly until cancelled."""
        while True:
            try:
                for kind in _OPTIONAL:
                    if not await self._cluster.serves(kind):
                        self._served.discard(kind)
                    else:
                        self._served.add(kind)
            except ApiError as error:
                _log.info("the API server was not asked for its kinds: %s", error)
            missing = self._watches.missing(self._served.__contains__)
            self._missing_since = {name: self._missing_since.get(name, _now()) for name in missing}
            await asyncio.sleep(_CHECK_SECONDS)


def _now() -> float:
    return asyncio.get_running_loop().time()
