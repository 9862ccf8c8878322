"""What the pods of an attempt show: what they wait for, when they started, and their result."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from blendtune_api.contract import MessageError, Outcome, decode_message
from blendtune_api.v1alpha1 import Reason
from blendtune_operator.conditions import moment
from blendtune_operator.names import Object
from blendtune_operator.plan.advice import advised
from blendtune_operator.plan.children import pod_index

# Of a container that waits in the ordinary course of a start.
_ORDINARY = ("ContainerCreating", "PodInitializing")
_CHECK_NAME = "check the image name in spec.cluster and the pull secrets of the service account"
# By the kubelet's reason for not having an image: what to do.
_IMAGE_ERRORS = {
    "ErrImagePull": _CHECK_NAME,
    "ImagePullBackOff": _CHECK_NAME,
    "InvalidImageName": "correct the image name in spec.cluster",
    "ErrImageNeverPull": "the node may not pull: load the image there, or set imagePullPolicy in podTemplate",
    "ImageInspectError": "the node cannot read the image that it has: remove it there to pull it again",
    "RegistryUnavailable": "the registry does not answer: it is tried again by itself once it does",
    "SignatureValidationFailed": "the node accepts only signed images: sign it, or take one that is signed",
}
_CRASH_LOOP = "CrashLoopBackOff"
# A runtime's reasons for the end of a container that it could not start; its `startedAt` is then 1970.
NEVER_STARTED = frozenset({"StartError", "ContainerCannotRun"})


@dataclass(frozen=True, slots=True)
class Obstacle:
    """What keeps a pod from starting."""

    reason: Reason
    message: str


def obstacle(pods: Iterable[Object]) -> Obstacle | None:
    """The first thing that keeps a pod from starting."""
    for pod in pods:
        name = pod["metadata"]["name"]
        for condition in status_of(pod).get("conditions") or []:
            if condition["type"] == "PodScheduled" and condition["status"] == "False":
                text = (condition.get("message") or "no node takes it").partition(" preemption: ")[0]
                advice = f"`kubectl describe pod {name}` has what it asks for"
                return Obstacle(
                    Reason.UNSCHEDULABLE, f"pod {name} cannot be scheduled: {advised(text, advice)}"
                )
        for container in _containers(pod):
            told = _waits(name, container)
            if told is not None:
                return told
    return None


def _waits(pod: str, container: Object) -> Obstacle | None:
    """What keeps a container of a pod from starting, or from starting again."""
    waiting = (container.get("state") or {}).get("waiting") or {}
    reason, which = waiting.get("reason"), container["name"]
    if not reason or reason in _ORDINARY:
        return None
    text = ": ".join(filter(None, (reason, waiting.get("message"))))
    if reason in _IMAGE_ERRORS:
        image = container.get("image", "")
        message = f"pod {pod} cannot pull image {image} ({text}): {_IMAGE_ERRORS[reason]}"
        return Obstacle(Reason.IMAGE_PULL_FAILED, message)
    look = f"`kubectl logs {pod} -c {which} --previous` says why"
    if reason == _CRASH_LOOP:
        last = (container.get("lastState") or {}).get("terminated") or {}
        how = ", ".join(filter(None, (last.get("reason"), f"exit code {last.get('exitCode', 'unknown')}")))
        message = f"container {which} of pod {pod} ends again and again ({how}): {look}"
        return Obstacle(Reason.STARTING, message)
    advice = f"`kubectl describe pod {pod}` has all of it"
    return Obstacle(Reason.STARTING, f"pod {pod} cannot start container {which}: {advised(text, advice)}")


def running_since(pods: Iterable[Object]) -> datetime | None:
    """When the first container of the pods started, init containers apart; None while none has.

    By the clock of its node, which may be wrong: no container starts before its pod is created.
    """
    moments = [
        max(moment(state["startedAt"]), moment(pod["metadata"]["creationTimestamp"]))
        for pod in pods
        for container in status_of(pod).get("containerStatuses") or []
        for state in (container.get("state") or {}).values()
        if state and state.get("startedAt") and state.get("reason") not in NEVER_STARTED
    ]
    return min(moments, default=None)


def running_init_container(pod: Object) -> str:
    """The init container that runs, and for which the others wait; empty without one.

    Of several the last one: native sidecars before it run on.
    """
    status = status_of(pod)
    if any(
        item["type"] == "Initialized" and item["status"] == "True" for item in status.get("conditions") or []
    ):
        return ""
    listed = status.get("initContainerStatuses") or []
    running = [str(item["name"]) for item in listed if (item.get("state") or {}).get("running")]
    return running[-1] if running else ""


def outcome(pods: Iterable[Object], container: str) -> Outcome:
    """The termination message of a container of the pod with index 0: the other pods of a gang leave none.

    Raises MessageError where that pod has not succeeded, is gone, or left no readable message.
    """
    for pod in pods:
        if pod_index(pod) == 0 and status_of(pod).get("phase") == "Succeeded":
            for name, end in terminations(_containers(pod)):
                if name == container:
                    return decode_message(end.get("message") or "")
    raise MessageError("the pod is gone, and its termination message with it")


def terminations(containers: Iterable[Object]) -> Iterator[tuple[str, Object]]:
    """Name and `terminated` state of those of a pod's containers that have ended."""
    for container in containers:
        terminated = (container.get("state") or {}).get("terminated")
        if terminated:
            yield container["name"], terminated


def _containers(pod: Object) -> list[Object]:
    status = status_of(pod)
    return [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]


def status_of(pod: Object) -> Object:
    return pod.get("status") or {}
