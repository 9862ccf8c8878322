"""What a run waits for that no watch shows: the Workload of a queue, the ConfigMap of a rubric."""

from __future__ import annotations

from dataclasses import replace

from blendtune_api.v1alpha1 import BlendedFineTune, KeySelector, RubricEval, Stage
from blendtune_operator import names
from blendtune_operator.cluster import Cluster
from blendtune_operator.names import Kind, Object, Parent
from blendtune_operator.plan.children import Children, JobPhase, has_started, is_live, phase_of


async def observe_obstacles(cluster: Cluster, parent: Parent, children: Children) -> Children:
    """The children with what they wait for; it is asked for only while one waits."""
    queued_by = await _workloads(cluster, children)
    missing = await _missing_rubric(cluster, parent, children)
    if queued_by == children.queued_by and missing == children.missing:
        return children
    return replace(children, queued_by=queued_by, missing=missing)


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
