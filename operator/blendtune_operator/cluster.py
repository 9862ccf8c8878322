"""The seam between reconcile and the API server: what is asked of a cluster, real or embedded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from blendtune_api.contract import Progress
from blendtune_operator.names import Kind, Object
from blendtune_operator.plan import Event


@dataclass(frozen=True, slots=True)
class Key:
    """Identifies a BlendedFineTune, a RubricEval or a BlendStudy."""

    kind: Kind
    namespace: str
    name: str


class AlreadyExists(Exception):
    """An object of this kind and name is already there."""


class Refused(Exception):
    """The API server will not have this object; the message says why (invalid, forbidden, over quota)."""


class Conflict(Exception):
    """The object was changed or removed after it was read."""


class Cluster(Protocol):
    """The API server, real or embedded. Objects are dicts as the API server shows them.

    Of the object of an attempt the plan reads `status.conditions` (Complete, Succeeded, Failed, Suspended),
    of a pod its labels, `status.phase`, `status.conditions` and the states of its containers and init
    containers.
    """

    async def get(self, kind: Kind, namespace: str, name: str) -> Object | None:
        """The object as it is now, not from a cache; None where there is none."""
        ...

    def cached(self, kind: Kind, namespace: str, name: str) -> Object | None:
        """The object as a watch last showed it: costs no request, and may lag behind."""
        ...

    def cached_children(self, owner_uid: str) -> list[Object]:
        """All objects of names.CHILD_KINDS, and pods, whose label names.OWNER_UID is `owner_uid`.

        May lag behind like `cached`. Objects of other runs among them do no harm.
        """
        ...

    async def list_pods(self, namespace: str, owner_uid: str) -> list[Object]:
        """The pods whose label names.OWNER_UID is `owner_uid`, as they are now."""
        ...

    async def workload(self, job: Object) -> Object | None:
        """The Workload with which Kueue queues an attempt, as it is now; None without one."""
        ...

    async def events_about(self, namespace: str, uid: str) -> tuple[Object, ...]:
        """The Events about the object with this UID, in no order; none where they may not be read."""
        ...

    async def serves(self, kind: Kind) -> bool:
        """Whether the API server knows this kind: some gangs need a controller that brings its own."""
        ...

    async def create(self, obj: Object) -> Object:
        """Creates the object and returns it. Raises AlreadyExists or Refused."""
        ...

    async def has_made(self, found: Object, wanted: Object) -> bool:
        """Whether `found` came of creating `wanted`: by this process, or, by its content, by one before it.

        Labels and owner references are not compared: anybody may write them. Raises Refused where the API
        server does not say what `wanted` would be.
        """
        ...

    async def delete(self, obj: Object) -> None:
        """Deletes this very object (UID precondition) and its pods with it. No error when it is gone."""
        ...

    async def set_suspend(self, obj: Object, suspend: bool) -> None:
        """Sets spec.suspend of this very object. Raises Conflict when another object has its name by now."""
        ...

    async def write_status(self, obj: Object, status: Object) -> None:
        """Replaces the status by server-side apply under the resourceVersion of `obj`. Raises Conflict."""
        ...

    async def progress(self, pod: Object) -> Progress | None:
        """What `/progress` of this training pod answers; None when it does not within a second or two."""
        ...

    async def emit_event(self, obj: Object, event: Event) -> None:
        """Records a Kubernetes Event about the object. A failed write is logged, not raised."""
        ...
