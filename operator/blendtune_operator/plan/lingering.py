"""Pods that hold devices though nothing is trained in them, and what frees these."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from blendtune_operator.conditions import moment
from blendtune_operator.names import Object
from blendtune_operator.plan.children import has_started


def lingering(pods: Iterable[Object], container: str, now: datetime) -> str:
    """What keeps live pods although their work, in the container of this name, is done; empty for nothing."""
    for pod in pods:
        told = _sidecar(pod, container) or _deleted(pod, now)
        if told:
            return told
    return ""


def how_to_free(pods: Sequence[Object], now: datetime) -> str:
    """What frees the first of the pods whose deletion is overdue, in words that follow others; or empty."""
    return next((f"; {told}" for pod in pods if (told := _deleted(pod, now))), "")


def waiting_pods(pods: Sequence[Object]) -> str:
    """The pods that have a node, and whose containers do not start, for a sentence; empty for none."""
    waiting = [pod["metadata"]["name"] for pod in pods if _is_creating(pod)]
    if not waiting:
        return ""
    more = f" and {len(waiting) - 1} more have" if len(waiting) > 1 else " has"
    return f"pod {waiting[0]}{more}"


def _sidecar(pod: Object, container: str) -> str:
    """Another container that still runs after the one that does the work has succeeded."""
    states = {item["name"]: item.get("state") or {} for item in _status(pod).get("containerStatuses") or []}
    ended = (states.get(container) or {}).get("terminated")
    running = sorted(name for name, state in states.items() if state.get("running"))
    if not ended or not running:
        return ""
    return (
        f"container {running[0]} of pod {pod['metadata']['name']} still runs though {container} has ended: "
        "have it run as a native sidecar, or switch its injection off by a label or annotation in podTemplate"
    )


def _deleted(pod: Object, now: datetime) -> str:
    """A pod that should be gone by now: its node does not answer, or a finalizer holds it."""
    metadata = pod["metadata"]
    if not metadata.get("deletionTimestamp") or moment(metadata["deletionTimestamp"]) > now:
        return ""
    name, node = metadata["name"], (pod.get("spec") or {}).get("nodeName")
    if metadata.get("finalizers"):
        held = f"by finalizer {metadata['finalizers'][0]}, which its owner must remove"
    else:
        held = (
            "because its node does not answer: if the node is gone for good, "
            f"`kubectl delete {f'node {node}' if node else f'pod {name} --force'}` frees it"
        )
    return f"pod {name}{f' on node {node}' if node else ''} should have ended and is held {held}"


def _is_creating(pod: Object) -> bool:
    status = _status(pod)
    scheduled = any(
        item["type"] == "PodScheduled" and item["status"] == "True" for item in status.get("conditions") or []
    )
    return scheduled and not has_started(pod)


def _status(pod: Object) -> Object:
    return pod.get("status") or {}
