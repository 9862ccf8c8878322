"""Why an attempt failed, by how its pods and their containers have ended."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import IntEnum

from blendtune_api.contract import ExitCode, Failure, MessageError, decode_message
from blendtune_api.v1alpha1 import Reason
from blendtune_operator.conditions import moment
from blendtune_operator.names import Object
from blendtune_operator.plan.advice import advised
from blendtune_operator.plan.pods import NEVER_STARTED, status_of, terminations

_OUT_OF_MEMORY = "OOMKilled"
_EVICTED = "Evicted"
# Parts of the kubelet's eviction message where a limit was exceeded: of the pod's ephemeral storage, of a
# container's, of an emptyDir.
_LIMIT_MESSAGES = (
    "exceeds the total limit of containers",
    "exceeded its local ephemeral storage",
    "exceeds the limit",
)
# The kubelet's reasons to reject a pod for what it asks for: nodes of this kind would reject another one too.
_UNFIT = frozenset(
    {
        "AppArmor",
        "InitContainerRestartPolicyForbidden",
        "PodFeatureUnsupported",
        "PodOSNotSupported",
        "PodOSSelectorNodeLabelDoesNotMatch",
        "SupplementalGroupsPolicyNotSupported",
        "SysctlForbidden",
        "TopologyAffinityError",
    }
)
_TOO_LONG = "DeadlineExceeded"  # a pod's own activeDeadlineSeconds, which nobody but a podTemplate sets
# Of a container that was lost with its exit code: its node was restarted, or its runtime forgot it.
_LOST = frozenset({"ContainerStatusUnknown", "Unknown"})
# Of a runtime's words: what stands in the way is in the image, and so on every node.
_WRONG_IMAGE = re.compile(
    r'\bexec: ".*(?:not found|no such file or directory|permission denied)|exec format error', re.DOTALL
)


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
    failed = _failed_containers(pod)
    if exceeded := _exceeded_limit(pod):
        text = f"pod {name} was evicted: {exceeded}: raise its resources in spec.cluster"
        first = min((_finished_at(end) for _, end in failed), default=_UNKNOWN_TIME)
        yield (_Blame.OWN_FAULT, first), Cause(reason=Reason.STAGE_FAILED, message=text)
        return
    if unfit := _unfit(pod):
        text = f"pod {name} was rejected by its node: {unfit}: change it in podTemplate, or use other nodes"
        yield (_Blame.OWN_FAULT, _UNKNOWN_TIME), Cause(reason=Reason.STAGE_FAILED, message=text)
        return
    for container, end in failed:
        yield _container_cause(f"container {container} of pod {name}", end, disruption, deleted)
    if not failed and disruption:
        node = (pod.get("spec") or {}).get("nodeName")
        where = f"pod {name} on node {node}" if node else f"pod {name}"
        yield (_Blame.DISRUPTED, _UNKNOWN_TIME), _disrupted(where, disruption, None)


def _failed_containers(pod: Object) -> list[tuple[str, Object]]:
    """Names and ends. Where work has begun, init containers are not to blame: they had ended well, or are
    native sidecars, which are stopped last.
    """
    status = status_of(pod)
    work, init = (
        [
            (name, end)
            for name, end in terminations(status.get(key) or [])
            if end.get("exitCode") != ExitCode.SUCCESS
        ]
        for key in ("containerStatuses", "initContainerStatuses")
    )
    return work or init


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
    if end.get("reason") in _LOST:
        lost = "its node was restarted, or lost it"
        return (_Blame.DISRUPTED, finished), _disrupted(where, lost, code)
    if end.get("reason") in NEVER_STARTED:
        return _not_started(where, end)
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


def _not_started(where: str, end: Object) -> tuple[_Rank, Cause]:
    """The cause that the runtime tells which could not start a container: there is no log of it."""
    words = str(end.get("message") or end["reason"])
    text = advised(f"{where} could not be started: {words}", "if other nodes can start it, cordon this one")
    permanent = _WRONG_IMAGE.search(words) is not None
    blame = _Blame.PERMANENT if permanent else _Blame.OWN_FAULT
    cause = Cause(
        reason=Reason.STAGE_FAILED, message=text, exit_code=int(end["exitCode"]), permanent=permanent
    )
    return (blame, _finished_at(end)), cause


def _disrupted(where: str, why: str, code: int | None) -> Cause:
    return Cause(
        reason=Reason.DISRUPTED, message=f"{where} was disrupted: {why}", exit_code=code, counted=False
    )


def _disruption(pod: Object) -> str:
    """Why the cluster took the pod away or its node did not take it (preemption, eviction, loss of the node,
    GPUs that are not there); empty if neither is so.
    """
    status = status_of(pod)
    for condition in status.get("conditions") or []:
        if condition["type"] == "DisruptionTarget" and condition["status"] == "True":
            reason, message = condition.get("reason"), condition.get("message")
            return _joined(reason, message) or "DisruptionTarget"
    if status.get("reason") not in (None, "", _TOO_LONG):
        return _joined(status["reason"], status.get("message"))
    return ""


def _unfit(pod: Object) -> str:
    """The kubelet's words where it rejected the pod for what it asks for; else empty."""
    status = status_of(pod)
    return _joined(status["reason"], status.get("message")) if status.get("reason") in _UNFIT else ""


def _joined(reason: str | None, message: str | None) -> str:
    return ": ".join(filter(None, (reason, (message or "").strip().rstrip("."))))


def _exceeded_limit(pod: Object) -> str:
    """The kubelet's message where it evicted the pod for exceeding a limit of its own; else empty.

    An eviction because the node ran short of something is a disruption instead.
    """
    status = status_of(pod)
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
