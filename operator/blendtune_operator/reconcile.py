"""One reconcile for every cause: GET, LIST, plan, the fewest writes, one status write."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from blendtune_api.contract import Progress

from blendtune_operator.names import Kind, Object
from blendtune_operator.plan import Event
from blendtune_operator.settings import Settings


@dataclass(frozen=True, slots=True)
class Key:
    """Which run: a BlendedFineTune or a RubricEval."""

    kind: Kind
    namespace: str
    name: str


class AlreadyExists(Exception):
    """An object of this kind and name is already there."""


class Refused(Exception):
    """The API server will not have this object; the message says why (invalid, forbidden, over quota)."""


class Conflict(Exception):
    """The object changed, or went, since it was read."""


class Cluster(Protocol):
    """The API server, real or embedded. Objects are dicts as the API server shows them.

    Of a Job the plan reads `status.conditions` (Complete, Failed, Suspended), of a PyTorchJob likewise (Succeeded,
    Failed, Suspended); of a pod `metadata.labels`, `metadata.deletionTimestamp`, `status.phase`,
    `status.conditions` and the states of its containers and init containers.
    """

    async def get(self, kind: Kind, namespace: str, name: str) -> Object | None:
        """The object as it is now, not from a cache; None where there is none."""
        ...

    async def list_children(self, namespace: str, owner_uid: str) -> list[Object]:
        """All ConfigMaps, Jobs, PyTorchJobs, RubricEvals and pods whose label names.OWNER_UID is `owner_uid`.

        Objects of other runs among them do no harm.
        """
        ...

    async def serves(self, kind: Kind) -> bool:
        """Whether the API server knows this kind: PyTorchJobs are there only with the training operator."""
        ...

    async def create(self, obj: Object) -> Object:
        """Creates the object and returns it. Raises AlreadyExists or Refused."""
        ...

    async def delete(self, obj: Object) -> None:
        """Deletes this very object (UID precondition) and lets its pods follow. No error when it is gone."""
        ...

    async def write_status(self, obj: Object, status: Object) -> None:
        """Replaces the status by server-side apply under the resourceVersion of `obj`. Raises Conflict."""
        ...

    async def progress(self, pod: Object) -> Progress | None:
        """What `/progress` of this training pod answers; None, within a second or two, when it does not."""
        ...

    async def emit_event(self, obj: Object, event: Event) -> None:
        """Records a Kubernetes Event about the object. Never raises for a failed write."""
        ...


async def reconcile(cluster: Cluster, key: Key, settings: Settings, now: datetime) -> timedelta | None:
    """Moves one run a step on; level-triggered and safe to call at any time.

    Returns when to look again though nothing happens, None when only a change can matter. Calls for the same key
    must not overlap. `now` is aware, in UTC.
    """
    raise NotImplementedError
