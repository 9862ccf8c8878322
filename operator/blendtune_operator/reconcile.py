"""One reconcile for every cause: observe, plan, apply, and at most one status write."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from blendtune_api import codec
from blendtune_api.v1alpha1 import Reason
from blendtune_operator import names
from blendtune_operator.cluster import AlreadyExists, Cluster, Conflict, Key, Refused
from blendtune_operator.names import Kind, Object
from blendtune_operator.observe import Snapshot, observe, observe_cached, observe_pods, observe_progress
from blendtune_operator.plan import Plan
from blendtune_operator.plan.advice import advised
from blendtune_operator.plan.children import is_terminating
from blendtune_operator.plan.conflict import name_conflict
from blendtune_operator.plan.recorded import record
from blendtune_operator.settings import Settings

AnyPlan = Plan[Any]


class _Obstructed(Exception):
    """A child can't be created, and the user must do something about it."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


async def reconcile(cluster: Cluster, key: Key, settings: Settings, now: datetime) -> timedelta | None:
    """Moves one object a step on; level-triggered and safe to call at any time.

    The cache tells whether there is anything to do. Only then is the object read from the API server, with
    what must be known for sure of its children; the plan made from that is the one that is carried out.

    Returns when to reconcile again though nothing happens, zero after a conflict, None when only a change can
    matter. Calls for the same key must not overlap. `now` is aware, in UTC.
    """
    try:
        cached = await observe_cached(cluster, key, now, settings)
        if cached is not None:
            plan = _plan(cached, now, settings)
            if not cached.is_changed_by(plan):
                heard = await observe_progress(cluster, cached, now, settings)
                if heard is None:
                    return plan.requeue_after
                return await _write_status(cluster, heard, _plan(heard, now, settings))
        snapshot = await observe(cluster, key, now, settings)
        if snapshot is None:
            return None
        snapshot, plan = await _plan_with_pods(cluster, snapshot, now, settings)
        plan = await _create_children(cluster, snapshot, plan, now, settings)
        await _change_children(cluster, plan)
        return await _write_status(cluster, snapshot, plan)
    except Conflict:
        return timedelta()


def _plan(snapshot: Snapshot, now: datetime, settings: Settings) -> AnyPlan:
    if isinstance(snapshot.parent, codec.InvalidObject):
        return _blocked(snapshot, snapshot.status, Reason.INVALID_SPEC, str(snapshot.parent), now)
    return snapshot.kind.plan(snapshot.parent, snapshot.children, now, settings)


def _blocked(
    snapshot: Snapshot,
    status: Any,
    reason: Reason,
    message: str,
    now: datetime,
    requeue_after: timedelta | None = None,
) -> AnyPlan:
    generation = int(snapshot.obj["metadata"].get("generation", 0))
    return snapshot.kind.blocked(status, reason, message, generation, now, requeue_after)


async def _plan_with_pods(
    cluster: Cluster, snapshot: Snapshot, now: datetime, settings: Settings
) -> tuple[Snapshot, AnyPlan]:
    """Where an attempt has failed its pods are read anew, and the plan made again if they changed."""
    plan = _plan(snapshot, now, settings)
    if snapshot.kind.has_failures(plan.status):
        fresh = await observe_pods(cluster, snapshot)
        if fresh is not None:
            return fresh, _plan(fresh, now, settings)
    return snapshot, plan


async def _create_children(
    cluster: Cluster, snapshot: Snapshot, plan: AnyPlan, now: datetime, settings: Settings
) -> AnyPlan:
    """Creates what the plan wants, and records it in the status. Returns the plan that is left to carry out.

    Where the pinned configuration was there already, the plan is made again with it: the other children
    follow from it. Where a child can't be created, the plan says so, and changes nothing else.
    """
    while True:
        for child in plan.create:
            try:
                found, is_new = await _create_or_adopt(cluster, snapshot, child)
            except _Obstructed as error:
                name = snapshot.obj["metadata"]["name"]
                status = snapshot.kind.without_uncreated(
                    snapshot.status, plan.status, name, snapshot.children
                )
                return _blocked(snapshot, status, error.reason, str(error), now, settings.obstacle_interval)
            snapshot = snapshot.with_child(found)
            plan = replace(plan, status=record(plan.status, found))
            if not is_new and found["kind"] == Kind.CONFIG_MAP:
                break
        else:
            return plan
        plan = _plan(snapshot, now, settings)


async def _create_or_adopt(cluster: Cluster, snapshot: Snapshot, child: Object) -> tuple[Object, bool]:
    """The child, and whether it is new. Raises _Obstructed when it can't be had, Conflict when it went."""
    kind, metadata = Kind(child["kind"]), child["metadata"]
    if snapshot.children.find_foreign(kind, metadata["name"]) is None:
        try:
            return await cluster.create(child), True
        except Refused as error:
            words = advised(str(error), "once that is mended, the run goes on by itself")
            message = f"the API server refused {kind} {metadata['name']}: {words}"
            raise _Obstructed(Reason.CHILD_REFUSED, message) from error
        except AlreadyExists:
            pass
    found = await cluster.get(kind, metadata["namespace"], metadata["name"])
    if found is None:
        raise Conflict(f"{kind} {metadata['name']} was there and is gone")
    try:
        fault = await _foreign(cluster, snapshot.obj, child, found)
    except Refused as error:
        raise _Obstructed(Reason.CHILD_REFUSED, str(error)) from error
    if fault:
        raise _Obstructed(Reason.NAME_CONFLICT, name_conflict(found, fault))
    return found, False


async def _foreign(cluster: Cluster, obj: Object, wanted: Object, found: Object) -> str:
    """Why the child that was found is not ours; empty for what an operator made that could not record it."""
    if is_terminating(found):
        return "is being deleted"
    if not names.is_owned_by(found, obj["metadata"]["uid"]):
        return "belongs to something else"
    labels = found["metadata"].get("labels") or {}
    if any(labels.get(name) != value for name, value in wanted["metadata"]["labels"].items()):
        return "has lost its labels"
    return "" if await cluster.has_made(found, wanted) else "is not what the operator would have made"


async def _change_children(cluster: Cluster, plan: AnyPlan) -> None:
    for child in plan.suspend:
        await cluster.set_suspend(child, True)
    for child in plan.resume:
        await cluster.set_suspend(child, False)
    for child in plan.delete:
        await cluster.delete(child)


async def _write_status(cluster: Cluster, snapshot: Snapshot, plan: AnyPlan) -> timedelta | None:
    """Writes the status unless it is the same, then the events that tell of the change."""
    if snapshot.has_new_status(plan):
        await cluster.write_status(snapshot.obj, codec.encode(plan.status))
        for event in plan.events:
            await cluster.emit_event(snapshot.obj, event)
    return plan.requeue_after
