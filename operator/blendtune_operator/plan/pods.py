"""What the pods of an attempt show: what they wait for, when they started, their result, why they failed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import IntEnum

from blendtune_api.contract import ExitCode, Failure, MessageError, Outcome, decode_message
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
_OUT_OF_MEMORY = "OOMKilled"
_EVICTED = "Evicted"
# Parts of the kubelet's eviction message where a limit was exceeded: of the pod's ephemeral storage, of a
# container's, of an emptyDir.
_LIMIT_MESSAGES = (
    "exceeds the total limit of containers",
    "exceeded its local ephemeral storage",
    "exceeds the limit",
)


@dataclass(frozen=True, slots=True)
class Obstacle:
    """What keeps a pod from starting."""

    reason: Reason
    message: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Cause:
    """Why an attempt ended.

    `counted`: it counts towards spec.cluster.backoffLimit. `permanent`: another attempt would fail likewise.
    """

    reason: Reason
    message: str
    exit_code: int | None = None
    counted: bool = True
    permanent: bool = False


class _Blame(IntEnum):
    """How well the end of a container explains the failure of its gang: the lowest value explains it best."""

    PERMANENT = 0
    OWN_FAULT = 1
    DISRUPTED = 2
    COLLATERAL = 3  # it lost a peer, or was deleted: when one pod of a gang fails, the others are deleted


_Rank = tuple[_Blame, datetime]  # of causes: the smallest explains best; of equal blame the earliest does
_UNKNOWN_TIME = datetime.max.replace(tzinfo=UTC)


def obstacle(pods: Iterable[Object]) -> Obstacle | None:
    """The first thing that keeps a pod from starting."""
    for pod in pods:
        name = pod["metadata"]["name"]
        for condition in _status(pod).get("conditions") or []:
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
    """When the first container of the pods started, init containers apart; None while none has."""
    moments = [
        moment(state["startedAt"])
        for pod in pods
        for container in _status(pod).get("containerStatuses") or []
        for state in (container.get("state") or {}).values()
        if state and state.get("startedAt")
    ]
    return min(moments, default=None)


def running_init_container(pod: Object) -> str:
    """The init container that runs, and for which the others wait; empty without one.

    Of several the last one: native sidecars before it run on.
    """
    status = _status(pod)
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
        if pod_index(pod) == 0 and _status(pod).get("phase") == "Succeeded":
            for name, end in _terminations(pod):
                if name == container:
                    return decode_message(end.get("message") or "")
    raise MessageError("the pod is gone, and its termination message with it")


def cause_of_failure(pods: Iterable[Object], job_failure: str) -> Cause:
    """Why an attempt failed: the container's end that explains it best.

    Without any, `job_failure` is quoted, the message of the Job's own condition.
    """
    causes = [cause for pod in pods for cause in _pod_causes(pod)]
    if causes:
        return min(causes, key=lambda item: item[0])[1]
    detail = f" ({job_failure})" if job_failure else ""
    return Cause(
        reason=Reason.STAGE_FAILED,
        message=f"the attempt failed and none of its pods is left to say why{detail}",
    )


def _pod_causes(pod: Object) -> Iterator[tuple[_Rank, Cause]]:
    """Every way in which the pod may have made the attempt fail, ranked."""
    name, disruption, deleted = pod["metadata"]["name"], _disruption(pod), _deletion_requested(pod)
    failed = [
        (container, end) for container, end in _terminations(pod) if end.get("exitCode") != ExitCode.SUCCESS
    ]
    if exceeded := _exceeded_limit(pod):
        text = f"pod {name} was evicted: {exceeded}: raise its resources in spec.cluster"
        first = min((_finished_at(end) for _, end in failed), default=_UNKNOWN_TIME)
        yield (_Blame.OWN_FAULT, first), Cause(reason=Reason.STAGE_FAILED, message=text)
        return
    for container, end in failed:
        yield _container_cause(f"container {container} of pod {name}", end, disruption, deleted)
    if not failed and disruption:
        yield (_Blame.DISRUPTED, _UNKNOWN_TIME), _disrupted(f"pod {name}", disruption, None)


def _container_cause(
    where: str, end: Object, disruption: str, deleted: datetime | None
) -> tuple[_Rank, Cause]:
    """The cause that a failed container shows. `deleted` is when the deletion of its pod was requested."""
    code, finished, failure = int(end["exitCode"]), _finished_at(end), _failure(end)
    asked_to_stop = failure is not None and failure.reason is Reason.DISRUPTED
    if ExitCode.is_permanent(code):
        reason, message = (failure.reason, failure.message) if failure else (Reason.STAGE_FAILED, "")
        text = message or f"{where} ended with exit code {code}, which no retry can mend: see its log"
        cause = Cause(reason=reason, message=text, exit_code=code, permanent=True)
        return (_Blame.PERMANENT, finished), cause
    if disruption:
        return (_Blame.DISRUPTED, finished), _disrupted(where, disruption, code)
    if end.get("reason") == _OUT_OF_MEMORY:
        text = f"{where} exceeded its memory limit ({_OUT_OF_MEMORY}): raise its resources in spec.cluster"
        cause = Cause(reason=Reason.OUT_OF_MEMORY, message=text, exit_code=code)
        return (_Blame.OWN_FAULT, finished), cause
    if deleted is not None and deleted <= finished and (failure is None or asked_to_stop):
        # Timestamps are whole seconds: a peer that was lost in the same second was lost first.
        rank = _Blame.COLLATERAL, deleted + timedelta(seconds=1)
        return rank, _disrupted(where, "the pod was deleted", code)
    if asked_to_stop:
        return (_Blame.DISRUPTED, finished), _disrupted(where, "it was asked to stop", code)
    blame = _Blame.COLLATERAL if code == ExitCode.PEER_LOST else _Blame.OWN_FAULT
    if failure is not None:
        cause = Cause(reason=failure.reason, message=failure.message, exit_code=code)
        return (blame, finished), cause
    text = f"{where} ended with exit code {code}{_signal(code)}: see its log"
    return (blame, finished), Cause(reason=Reason.STAGE_FAILED, message=text, exit_code=code)


def _disrupted(where: str, why: str, code: int | None) -> Cause:
    return Cause(
        reason=Reason.DISRUPTED, message=f"{where} was disrupted: {why}", exit_code=code, counted=False
    )


def _disruption(pod: Object) -> str:
    """Why the cluster disrupted the pod (preemption, eviction, loss of its node); empty if it did not."""
    status = _status(pod)
    for condition in status.get("conditions") or []:
        if condition["type"] == "DisruptionTarget" and condition["status"] == "True":
            reason, message = condition.get("reason"), condition.get("message")
            return _joined(reason, message) or "DisruptionTarget"
    if status.get("reason") in (_EVICTED, "Preempting", "NodeLost", "Shutdown", "Terminated"):
        return _joined(status["reason"], status.get("message"))
    return ""


def _joined(reason: str | None, message: str | None) -> str:
    return ": ".join(filter(None, (reason, (message or "").strip().rstrip("."))))


def _exceeded_limit(pod: Object) -> str:
    """The kubelet's message where it evicted the pod for exceeding a limit of its own; else empty.

    An eviction because the node ran short of something is a disruption instead.
    """
    status = _status(pod)
    message = str(status.get("message") or "")
    if status.get("reason") == _EVICTED and any(text in message for text in _LIMIT_MESSAGES):
        return message.strip().rstrip(".")
    return ""


def _deletion_requested(pod: Object) -> datetime | None:
    """When the deletion of the pod was requested; None if it was not."""
    metadata = pod["metadata"]
    if not metadata.get("deletionTimestamp"):
        return None
    grace = timedelta(seconds=metadata.get("deletionGracePeriodSeconds") or 0)  # the timestamp is its end
    return moment(metadata["deletionTimestamp"]) - grace


def _finished_at(end: Object) -> datetime:
    return moment(end["finishedAt"]) if end.get("finishedAt") else _UNKNOWN_TIME


def _failure(end: Object) -> Failure | None:
    try:
        left = decode_message(end.get("message") or "")
    except MessageError:
        return None
    return left if isinstance(left, Failure) else None


def _signal(code: int) -> str:
    return f" (signal {code - 128})" if 128 < code < 160 else ""


def _terminations(pod: Object) -> Iterator[tuple[str, Object]]:
    """Name and `terminated` state of each container of the pod that has ended."""
    for container in _containers(pod):
        terminated = (container.get("state") or {}).get("terminated")
        if terminated:
            yield container["name"], terminated


def _containers(pod: Object) -> list[Object]:
    status = _status(pod)
    return [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]


def _status(pod: Object) -> Object:
    return pod.get("status") or {}
