"""What a run waits for that no watch shows: the Workload of a queue, the ConfigMap of a rubric, Events."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from blendtune_api.blend_study import BlendStudy
from blendtune_api.v1alpha1 import BlendedFineTune, KeySelector, RubricEval, Stage
from blendtune_operator import names
from blendtune_operator.cluster import Cluster
from blendtune_operator.names import Kind, Object, Parent
from blendtune_operator.plan.children import (
    Children,
    JobPhase,
    has_started,
    is_live,
    is_terminating,
    phase_of,
    runs_work,
)
from blendtune_operator.plan.held_up import waiting_since
from blendtune_operator.plan.pinning import pods_of_attempt
from blendtune_operator.plan.pods import obstacle
from blendtune_operator.plan.recorded import child_of

_PODS_ASKED_FOR = 3  # of an attempt: the others wait for the same


async def observe_obstacles(
    cluster: Cluster, parent: Parent, children: Children, patience: timedelta, now: datetime
) -> Children:
    """The children with what they wait for; it is asked for only while one waits, Events after `patience`."""
    queued_by = await _workloads(cluster, children)
    missing = await _missing_rubric(cluster, parent, children)
    waits = tuple(_waits(parent, children, now - patience))
    events = {uid: await cluster.events_about(parent.metadata.namespace, uid) for uid in waits}
    if (queued_by, missing, events) == (children.queued_by, children.missing, children.events):
        return children
    return replace(children, queued_by=queued_by, missing=missing, events=events)


def _waits(parent: Parent, children: Children, before: datetime) -> Iterator[str]:
    """UIDs of pods that run no container, and of what makes no pods, of attempts active since `before`."""
    if isinstance(parent, BlendStudy):
        return
    for attempt in parent.status.attempts:
        child = None if attempt.end_time else children.find(*child_of(parent, parent.status, attempt))
        if child is None or is_terminating(child) or phase_of(child) is not JobPhase.ACTIVE:
            continue
        if waiting_since(attempt, child) > before:
            continue
        pods = children.pods(attempt.stage, attempt.number)
        live = [pod for pod in pods if is_live(pod)]
        if obstacle(live) is not None:
            continue  # their own status tells
        idle = [pod for pod in live if not runs_work(pod)]
        yield from (pod["metadata"]["uid"] for pod in idle[:_PODS_ASKED_FOR])
        if len(pods) < pods_of_attempt(attempt.stage, parent.status, children):
            yield from children.makers(attempt)


async def _workloads(cluster: Cluster, children: Children) -> dict[str, Object]:
    """The Workloads of the Jobs that a queue holds, by the UID of the Job."""
    if Kind.WORKLOAD in children.unserved:
        return {}
    found = {}
    for child in children.workloads():
        is_job = child["kind"] in names.ATTEMPT_KINDS
        if is_job and names.QUEUE_NAME in child["metadata"]["labels"] and phase_of(child) is JobPhase.QUEUED:
            workload = await cluster.workload(child)
            if workload is not None:
                found[child["metadata"]["uid"]] = workload
    return found


async def _missing_rubric(cluster: Cluster, parent: Parent, children: Children) -> str:
    """What is not there of the rubric's ConfigMap, while a pod that mounts it has not started; or empty."""
    reference = _rubric_of(parent)
    pods = (*children.pods(Stage.BLEND), *children.pods(Stage.EVAL))
    if reference is None or not any(is_live(pod) and not has_started(pod) for pod in pods):
        return ""
    found = await cluster.get(Kind.CONFIG_MAP, parent.metadata.namespace, reference.name)
    if found is None:
        return f"ConfigMap {reference.name} of the rubric is not there: create it, and the pod starts"
    if reference.key not in {**(found.get("data") or {}), **(found.get("binaryData") or {})}:
        return (
            f"ConfigMap {reference.name} of the rubric has no key {reference.key}: add it, and the pod starts"
        )
    return ""


def _rubric_of(parent: Parent) -> KeySelector | None:
    if isinstance(parent, BlendedFineTune):
        return parent.spec.evaluation.rubric.config_map_ref
    return parent.spec.rubric.config_map_ref if isinstance(parent, RubricEval) else None
