"""Pods that hold devices though nothing is trained in them, and what frees these."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from blendtune_operator.conditions import moment
from blendtune_operator.names import Object


def lingering(pods: Iterable[Object], container: str, now: datetime) -> str:
    """What keeps live pods although their work, in the container of this name, is done; empty for nothing."""
    for pod in pods:
        told = _sidecar(pod, container) or _deleted(pod, now) or _unreachable(pod)
        if told:
            return told
    return ""


def how_to_free(pods: Sequence[Object], now: datetime) -> str:
    """What frees the first of the pods whose deletion is overdue, in words that follow others; or empty."""
    return next((f"; {told}" for pod in pods if (told := _deleted(pod, now))), "")


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


def _unreachable(pod: Object) -> str:
    """A pod that is not ready though its containers are: its node's controller has written that."""
    status, node = _status(pod), (pod.get("spec") or {}).get("nodeName")
    containers = status.get("containerStatuses") or []
    ready = {item["type"]: item["status"] for item in status.get("conditions") or []}
    if not node or ready.get("Ready") != "False" or ready.get("ContainersReady") == "False":
        return ""
    if not containers or not all(item.get("ready") for item in containers):
        return ""
    name = pod["metadata"]["name"]
    return (
        f"node {node} of pod {name} does not answer (`kubectl describe node {node}`): the pod is given up "
        f"after some minutes; if the node is gone for good, `kubectl delete node {node}` frees it"
    )


def _status(pod: Object) -> Object:
    return pod.get("status") or {}
