"""One reconcile for every cause: GET, LIST, plan, the fewest writes, one status write."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from blendtune_api import codec
from blendtune_api.blend_study import BlendStudy, BlendStudyStatus, StudyRunState
from blendtune_api.v1alpha1 import (
    BlendedFineTune,
    BlendedFineTuneStatus,
    ConditionStatus,
    ConditionType,
    Reason,
    RubricEvalStatus,
)
from blendtune_operator import names
from blendtune_operator.cluster import AlreadyExists, Cluster, Conflict, Key, Refused
from blendtune_operator.conditions import find
from blendtune_operator.names import Kind, Object, Parent
from blendtune_operator.plan import Plan, fine_tune, rubric_eval
from blendtune_operator.plan.blocked import blocked_plan
from blendtune_operator.plan.children import Children, is_terminating
from blendtune_operator.plan.progress import pod_to_ask
from blendtune_operator.plan.study import plan as blend_study
from blendtune_operator.settings import Settings

AnyPlan = Plan[BlendedFineTuneStatus] | Plan[RubricEvalStatus] | Plan[BlendStudyStatus]


class _Obstructed(Exception):
    """A child can't be created, and the user must do something about it.

    `status` is what the plan had found out all the same.
    """

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.status: Object | None = None


async def reconcile(cluster: Cluster, key: Key, settings: Settings, now: datetime) -> timedelta | None:
    """Moves one run a step on; level-triggered and safe to call at any time.

    The watches tell whether there is anything to do. Only if so the run, what must be known for sure of its
    children, and the plan are had anew, and only that plan is carried out.

    Returns when to look again though nothing happens, None when only a change can matter. Calls for the same
    key must not overlap. `now` is aware, in UTC.
    """
    shown = cluster.cached(key.kind, key.namespace, key.name)
    if shown is not None and not is_terminating(shown):
        run, children = _read(shown), await _shown_children(cluster, shown)
        plan = _plan(shown, run, children, now, settings)
        if not _acts(shown, run, plan):
            pod = pod_to_ask(run, children, now, settings) if isinstance(run, BlendedFineTune) else None
            progress = None if pod is None else await cluster.progress(pod)
            if progress is None:
                return plan.requeue_after
            children = replace(children, progress=progress)
            return await _write(cluster, shown, _plan(shown, run, children, now, settings))
    obj = await cluster.get(key.kind, key.namespace, key.name)
    if obj is None or is_terminating(obj):
        return None
    try:
        plan = await _plan_and_create(cluster, obj, now, settings)
    except Conflict:
        return timedelta()
    except _Obstructed as error:
        known = obj if error.status is None else {**obj, "status": error.status}
        plan = _blocked(known, error.reason, str(error), now, settings.obstacle_interval)
    try:
        for child in plan.suspend:
            await cluster.set_suspend(child, True)
        for child in plan.resume:
            await cluster.set_suspend(child, False)
    except Conflict:
        return timedelta()
    for child in plan.delete:
        await cluster.delete(child)
    return await _write(cluster, obj, plan)


def _acts(obj: Object, run: Parent | codec.InvalidObject, plan: AnyPlan) -> bool:
    """Whether the plan writes anything."""
    if plan.create or plan.delete or plan.suspend or plan.resume:
        return True
    is_same = not isinstance(run, codec.InvalidObject) and plan.status == run.status
    return not is_same and codec.encode(plan.status) != _known_status(obj, plan)


def _read(obj: Object) -> Parent | codec.InvalidObject:
    try:
        return codec.decode_object(obj)
    except codec.InvalidObject as error:
        return error


def _plan(
    obj: Object, run: Parent | codec.InvalidObject, children: Children, now: datetime, settings: Settings
) -> AnyPlan:
    if isinstance(run, codec.InvalidObject):
        return _blocked(obj, Reason.INVALID_SPEC, str(run), now)
    if isinstance(run, BlendedFineTune):
        return fine_tune.plan(run, children, now, settings)
    if isinstance(run, BlendStudy):
        return blend_study.plan(run, children, now, settings)
    return rubric_eval.plan(run, children, now, settings)


async def _shown_children(cluster: Cluster, obj: Object) -> Children:
    unserved = frozenset[Kind]()
    if obj["kind"] == Kind.BLENDED_FINE_TUNE and not await cluster.serves(Kind.PYTORCH_JOB):
        unserved = frozenset({Kind.PYTORCH_JOB})
    return Children.of(obj, cluster.cached_children(obj["metadata"]["uid"]), unserved)


def _running_children(run: Parent, children: Children) -> Iterator[tuple[Kind, str]]:
    """Kind and name of what runs by the status. The runs of a study that are shown are known to be there."""
    if isinstance(run, BlendStudy):
        for item in run.status.runs:
            shown = children.find(Kind.BLENDED_FINE_TUNE, item.name)
            if item.state is StudyRunState.RUNNING and shown is None:
                yield Kind.BLENDED_FINE_TUNE, item.name
        return
    for attempt in run.status.attempts:
        if attempt.end_time is None:
            yield names.attempt_child(run.metadata.name, attempt.stage, attempt.number)


async def _with_running(cluster: Cluster, obj: Object, run: Parent, children: Children) -> Children:
    """The children that run, as they are now: only a GET may say that one is gone."""
    namespace = obj["metadata"]["namespace"]
    for kind, name in tuple(_running_children(run, children)):
        if kind not in children.unserved:
            found = await cluster.get(kind, namespace, name)
            children = children.without(kind, name)
            if found is not None and names.is_owned_by(found, obj["metadata"]["uid"]):
                children = children.with_object(found)
    return children


def _is_smooth(plan: AnyPlan) -> bool:
    """Whether all attempts ended well so far: no pod of a failed one can be left, nor explain its failure."""
    if isinstance(plan.status, BlendStudyStatus):
        return True
    ended = (attempt for attempt in plan.status.attempts if attempt.end_time is not None)
    return all(attempt.cause == Reason.COMPLETED for attempt in ended)


async def _plan_and_create(cluster: Cluster, obj: Object, now: datetime, settings: Settings) -> AnyPlan:
    """Creates what the plan wants. Where a child of ours is there already, the plan is made again with it.

    What must be known for sure is asked for; all else is latched in the status, or settled by a child's name.
    """
    run, children = _read(obj), await _shown_children(cluster, obj)
    if not isinstance(run, codec.InvalidObject):
        children = await _with_running(cluster, obj, run, children)
        if not _is_smooth(_plan(obj, run, children, now, settings)):
            # After the Jobs: the pods must tell at least as much as those that are judged by them.
            pods = await cluster.list_pods(obj["metadata"]["namespace"], obj["metadata"]["uid"])
            children = children.with_pods(pods)
    while True:
        plan = _plan(obj, run, children, now, settings)
        for child in plan.create:
            try:
                created, is_new = await _create_or_adopt(cluster, obj, child)
            except _Obstructed as error:
                error.status = _found_out(obj, plan, children)
                raise
            children = children.with_object(created)
            if not is_new:
                break
        else:
            return plan


def _found_out(obj: Object, plan: AnyPlan, children: Children) -> Object | None:
    """The plan's status without attempts that could not be made: a finished stage stays finished."""
    status = plan.status
    if isinstance(status, BlendStudyStatus):
        return None
    before = codec.decode(type(status), obj.get("status") or {}, lenient=True)
    name = obj["metadata"]["name"]
    begun = tuple(
        attempt
        for attempt in status.attempts
        if attempt.end_time is not None
        or children.find(*names.attempt_child(name, attempt.stage, attempt.number)) is not None
    )
    settled = (
        condition
        if condition.status is not ConditionStatus.UNKNOWN
        else find(before.conditions, ConditionType(condition.type))
        for condition in status.conditions
    )
    found_out: Object = codec.encode(
        replace(
            status,
            attempts=begun,
            start_time=status.start_time if begun else before.start_time,
            conditions=tuple(condition for condition in settled if condition is not None),
        )
    )
    return found_out


async def _create_or_adopt(cluster: Cluster, obj: Object, child: Object) -> tuple[Object, bool]:
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
    ours = names.is_owned_by(found, obj["metadata"]["uid"])
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
    if obj["kind"] == Kind.BLEND_STUDY:
        study = codec.decode(BlendStudyStatus, known, lenient=True)
        return blend_study.blocked(study, reason, message, generation, now, look_again)
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
