"""One reconcile for every cause: GET, LIST, plan, the fewest writes, one status write."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Protocol

from blendtune_api import codec
from blendtune_api.contract import Progress
from blendtune_api.v1alpha1 import BlendedFineTune, BlendedFineTuneStatus, Reason, RubricEvalStatus
from blendtune_operator import names
from blendtune_operator.names import Kind, Object, Run
from blendtune_operator.plan import Event, Plan, fine_tune, rubric_eval
from blendtune_operator.plan.blocked import blocked_plan
from blendtune_operator.plan.children import Children
from blendtune_operator.plan.progress import pod_to_ask
from blendtune_operator.settings import Settings

AnyPlan = Plan[BlendedFineTuneStatus] | Plan[RubricEvalStatus]


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

    Of a Job the plan reads `status.conditions` (Complete, Failed, Suspended), of a PyTorchJob likewise
    (Succeeded, Failed, Suspended); of a pod its labels, `status.phase`, `status.conditions` and the states of
    its containers and init containers.
    """

    async def get(self, kind: Kind, namespace: str, name: str) -> Object | None:
        """The object as it is now, not from a cache; None where there is none."""
        ...

    async def list_children(self, namespace: str, owner_uid: str, *, cached: bool) -> list[Object]:
        """All ConfigMaps, Jobs, PyTorchJobs, RubricEvals and pods whose label names.OWNER_UID is `owner_uid`.

        Objects of other runs among them do no harm. A `cached` list costs little and may lag behind.
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


class _Obstructed(Exception):
    """A child can't be created, and the user must do something about it."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


async def reconcile(cluster: Cluster, key: Key, settings: Settings, now: datetime) -> timedelta | None:
    """Moves one run a step on; level-triggered and safe to call at any time.

    Returns when to look again though nothing happens, None when only a change can matter. Calls for the same
    key must not overlap. `now` is aware, in UTC.
    """
    obj = await cluster.get(key.kind, key.namespace, key.name)
    if obj is None or obj["metadata"].get("deletionTimestamp"):
        return None
    try:
        run = codec.decode_object(obj)
    except codec.InvalidObject as error:
        return await _write(cluster, obj, _blocked(obj, Reason.INVALID_SPEC, str(error), now))
    quick = await _observe(cluster, run, cached=True)
    plan = _plan(run, quick, now, settings)
    if not _acts(obj, plan):
        pod = pod_to_ask(run, quick, now, settings) if isinstance(run, BlendedFineTune) else None
        progress = None if pod is None else await cluster.progress(pod)
        if progress is None:
            return plan.requeue_after
        return await _write(cluster, obj, _plan(run, replace(quick, progress=progress), now, settings))
    children = await _observe(cluster, run, cached=False)
    try:
        plan = await _plan_and_create(cluster, run, children, now, settings)
    except Conflict:
        return timedelta()
    except _Obstructed as error:
        plan = _blocked(obj, error.reason, str(error), now, settings.obstacle_interval)
    for child in plan.delete:
        await cluster.delete(child)
    return await _write(cluster, obj, plan)


def _acts(obj: Object, plan: AnyPlan) -> bool:
    """Whether the plan writes anything. What it is made of may be stale, so it only says: look closely."""
    return bool(plan.create or plan.delete) or codec.encode(plan.status) != _known_status(obj, plan)


async def _observe(cluster: Cluster, run: Run, *, cached: bool) -> Children:
    metadata = run.metadata
    listed = await cluster.list_children(metadata.namespace, metadata.uid, cached=cached)
    unserved = frozenset[Kind]()
    if isinstance(run, BlendedFineTune) and not await cluster.serves(Kind.PYTORCH_JOB):
        unserved = frozenset({Kind.PYTORCH_JOB})
    children = Children.of(metadata.uid, listed, unserved)
    if cached:
        return children
    for attempt in run.status.attempts:
        kind, name = names.attempt_child(metadata.name, attempt.stage, attempt.number)
        if attempt.end_time is None and children.find(kind, name) is None and kind not in unserved:
            # A list may be stale: only a GET may say that the child of a running attempt is gone.
            found = await cluster.get(kind, metadata.namespace, name)
            if found is not None and names.is_owned_by(found, metadata.uid):
                children = children.with_object(found)
    return children


def _plan(run: Run, children: Children, now: datetime, settings: Settings) -> AnyPlan:
    if isinstance(run, BlendedFineTune):
        return fine_tune.plan(run, children, now, settings)
    return rubric_eval.plan(run, children, now, settings)


async def _plan_and_create(
    cluster: Cluster, run: Run, children: Children, now: datetime, settings: Settings
) -> AnyPlan:
    """Creates what the plan wants. Where a child of ours is there already, the plan is made again with it."""
    while True:
        plan = _plan(run, children, now, settings)
        for child in plan.create:
            created, is_new = await _create_or_adopt(cluster, run, child)
            children = children.with_object(created)
            if not is_new:
                break
        else:
            return plan


async def _create_or_adopt(cluster: Cluster, run: Run, child: Object) -> tuple[Object, bool]:
    """The child, and whether it is new. Raises _Obstructed when it can't be had, Conflict when it went."""
    kind, metadata = Kind(child["kind"]), child["metadata"]
    try:
        return await cluster.create(child), True
    except Refused as error:
        message = f"the API server refused {kind} {metadata['name']}: {error}"
        raise _Obstructed(Reason.CHILD_REFUSED, message) from error
    except AlreadyExists:
        found = await cluster.get(kind, metadata["namespace"], metadata["name"])
    if found is None:
        raise Conflict(f"{kind} {metadata['name']} was there and is gone")
    labels = found["metadata"].get("labels") or {}
    ours = names.is_owned_by(found, run.metadata.uid)
    if not ours or any(labels.get(name) != value for name, value in metadata["labels"].items()):
        whose = "has lost its labels" if ours else "belongs to something else"
        message = f"{kind} {metadata['name']} is there already and {whose}: remove it, or choose another name"
        raise _Obstructed(Reason.NAME_CONFLICT, message)
    return found, False


def _blocked(
    obj: Object, reason: Reason, message: str, now: datetime, look_again: timedelta | None = None
) -> AnyPlan:
    known = obj.get("status") or {}
    generation = int(obj["metadata"].get("generation", 0))
    if obj["kind"] == Kind.BLENDED_FINE_TUNE:
        status = codec.decode(BlendedFineTuneStatus, known, lenient=True)
        return blocked_plan(status, reason, message, generation, now, look_again)
    evaluation = codec.decode(RubricEvalStatus, known, lenient=True)
    return blocked_plan(evaluation, reason, message, generation, now, look_again)


async def _write(cluster: Cluster, obj: Object, plan: AnyPlan) -> timedelta | None:
    """Writes the status unless nothing changed, then the events that tell of it."""
    status = codec.encode(plan.status)
    if status != _known_status(obj, plan):
        try:
            await cluster.write_status(obj, status)
        except Conflict:
            return timedelta()
        for event in plan.events:
            await cluster.emit_event(obj, event)
    return plan.requeue_after


def _known_status(obj: Object, plan: AnyPlan) -> Any:
    """The status that the object has, as this version would write it."""
    return codec.encode(codec.decode(type(plan.status), obj.get("status") or {}, lenient=True))
