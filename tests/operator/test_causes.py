"""Why attempts fail: tables of pods as the API server shows them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from blendtune_api.contract import ExitCode, Failure, encode_message
from blendtune_api.v1alpha1 import Reason
from blendtune_operator.conditions import moment, timestamp
from blendtune_operator.names import Object
from blendtune_operator.plan.causes import cause_of_failure

DISRUPTED = encode_message(Failure(reason=Reason.DISRUPTED, message="asked to stop"))
NO_MEMORY = encode_message(Failure(reason=Reason.OUT_OF_MEMORY, message="rank 3 ran out of memory"))
BAD_DATA = encode_message(Failure(reason=Reason.BAD_DATA, message="line 7 is not JSON"))


def pod(
    exit_code: int | None, *, name: str = "pod", message: str = "", reason: str = "Error", **status: Any
) -> Object:
    ends = []
    if exit_code is not None:
        terminated = {
            "exitCode": exit_code,
            "reason": reason,
            "message": message,
            "finishedAt": "2026-01-01T00:00:00Z",
        }
        ends = [{"name": "pytorch", "state": {"terminated": terminated}}]
    return {
        "kind": "Pod",
        "metadata": {"name": name, "labels": {}},
        "status": {"phase": "Failed", "containerStatuses": ends, **status},
    }


def deleted(pod: Object, at: str, grace: int = 30) -> Object:
    """The pod, the deletion of which was requested `at` this time."""
    end = timestamp(moment(at) + timedelta(seconds=grace))
    metadata = {**pod["metadata"], "deletionTimestamp": end, "deletionGracePeriodSeconds": grace}
    return {**pod, "metadata": metadata}


def rejected(why: str) -> Object:
    """A pod that the kubelet did not take: it has no container statuses."""
    status = {"phase": "Failed", "reason": why, "message": "Pod was rejected: so it is"}
    metadata = {"name": "pod", "labels": {}}
    return {"kind": "Pod", "metadata": metadata, "spec": {"nodeName": "node-7"}, "status": status}


def with_ends(pod: Object, other: Object) -> Object:
    """The pod, the containers of which have ended as those of another one."""
    ends = other["status"]["containerStatuses"]
    return {**pod, "status": {**pod["status"], "containerStatuses": ends}}


def with_init(pod: Object, other: Object) -> Object:
    """The pod, with the containers of another one as its init containers."""
    ends = other["status"]["containerStatuses"]
    return {**pod, "status": {**pod["status"], "initContainerStatuses": ends}}


def not_started(words: str) -> Object:
    return pod(128, reason="StartError", message=f"failed to create containerd task: {words}")


BEFORE, AFTER = "2025-12-31T23:59:58Z", "2026-01-01T00:00:01Z"  # before and after the end of `pod`
SAME_SECOND = "2026-01-01T00:00:00Z"
EVICTED = {
    "kind": "Pod",
    "metadata": {"name": "pod", "labels": {}},
    "status": {"phase": "Failed", "reason": "Evicted", "message": "disk pressure"},
}
EXCESS = {
    **EVICTED,
    "status": {
        "phase": "Failed",
        "reason": "Evicted",
        "message": "Pod ephemeral local storage usage exceeds the total limit of containers 1Gi. ",
    },
}
TARGET = {"conditions": [{"type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler"}]}


@pytest.mark.parametrize(
    ("pods", "reason", "counted", "permanent", "words"),
    [
        pytest.param([pod(1)], Reason.STAGE_FAILED, True, False, "exit code 1", id="crash"),
        pytest.param([pod(139)], Reason.STAGE_FAILED, True, False, "signal 11", id="signal"),
        pytest.param(
            [pod(65, message=BAD_DATA)], Reason.BAD_DATA, True, True, "line 7 is not JSON", id="bad data"
        ),
        pytest.param([pod(70)], Reason.STAGE_FAILED, True, True, "no retry can mend", id="silent permanent"),
        pytest.param(
            [pod(137, reason="OOMKilled")], Reason.OUT_OF_MEMORY, True, False, "raise", id="out of memory"
        ),
        pytest.param([pod(143, message=DISRUPTED)], Reason.DISRUPTED, False, False, "stop", id="SIGTERM"),
        pytest.param([pod(143)], Reason.STAGE_FAILED, True, False, "143", id="unexplained SIGTERM"),
        pytest.param(
            [pod(137, **TARGET)], Reason.DISRUPTED, False, False, "PreemptionByScheduler", id="preempted"
        ),
        pytest.param(
            [EVICTED],
            Reason.DISRUPTED,
            False,
            False,
            "disk pressure",
            id="evicted",
        ),
        pytest.param(
            [pod(ExitCode.PEER_LOST, name="a"), pod(137, name="b", reason="OOMKilled")],
            Reason.OUT_OF_MEMORY,
            True,
            False,
            "pod b",
            id="a lost peer is not the cause",
        ),
        pytest.param(
            [pod(ExitCode.PEER_LOST, name="a"), pod(143, name="b", **TARGET)],
            Reason.DISRUPTED,
            False,
            False,
            "pod b",
            id="the peers of a preempted pod",
        ),
        pytest.param(
            [pod(143, name="a", message=DISRUPTED), pod(65, name="b", message=BAD_DATA)],
            Reason.BAD_DATA,
            True,
            True,
            "line 7",
            id="a permanent failure wins",
        ),
        pytest.param(
            [pod(ExitCode.PEER_LOST)], Reason.STAGE_FAILED, True, False, "200", id="only lost peers"
        ),
        pytest.param(
            [deleted(pod(143), BEFORE)], Reason.DISRUPTED, False, False, "pod was deleted", id="deleted"
        ),
        pytest.param(
            [deleted(pod(1), AFTER)],
            Reason.STAGE_FAILED,
            True,
            False,
            "exit code 1",
            id="deleted after its end",
        ),
        pytest.param(
            [deleted(pod(65, message=BAD_DATA), BEFORE)],
            Reason.BAD_DATA,
            True,
            True,
            "line 7",
            id="deleted, and permanent",
        ),
        pytest.param(
            [deleted(pod(143, name="a"), BEFORE), pod(ExitCode.PEER_LOST, name="b")],
            Reason.DISRUPTED,
            False,
            False,
            "pod a",
            id="the peers of a deleted pod",
        ),
        pytest.param(
            [deleted(pod(143, name="a", message=DISRUPTED), SAME_SECOND), pod(ExitCode.PEER_LOST, name="b")],
            Reason.STAGE_FAILED,
            True,
            False,
            "pod b",
            id="the rest of a gang is deleted after a peer was lost",
        ),
        pytest.param(
            [deleted(pod(137, name="a", reason="OOMKilled"), BEFORE), pod(ExitCode.PEER_LOST, name="b")],
            Reason.OUT_OF_MEMORY,
            True,
            False,
            "pod a",
            id="out of memory, and then deleted",
        ),
        pytest.param(
            [deleted(pod(1, name="a", message=NO_MEMORY), BEFORE), pod(ExitCode.PEER_LOST, name="b")],
            Reason.OUT_OF_MEMORY,
            True,
            False,
            "rank 3",
            id="its own message, and then deleted",
        ),
        *(
            pytest.param(
                [rejected(why)], Reason.DISRUPTED, False, False, f"node-7 was disrupted: {why}", id=why
            )
            for why in (
                "UnexpectedAdmissionError",
                "OutOfcpu",
                "OutOfnvidia.com/gpu",
                "NodeAffinity",
                "OfTomorrow",
            )
        ),
        *(
            pytest.param(
                [rejected(why)], Reason.STAGE_FAILED, True, False, f"rejected by its node: {why}", id=why
            )
            for why in ("SysctlForbidden", "TopologyAffinityError")
        ),
        pytest.param(
            [with_ends(rejected("OutOfmemory"), pod(137, reason="ContainerStatusUnknown"))],
            Reason.DISRUPTED,
            False,
            False,
            "OutOfmemory",
            id="rejected, with ends of containers that never were",
        ),
        pytest.param(
            [pod(255, reason="Unknown")], Reason.DISRUPTED, False, False, "restarted", id="rebooted"
        ),
        pytest.param(
            [pod(137, reason="ContainerStatusUnknown")], Reason.DISRUPTED, False, False, "lost it", id="lost"
        ),
        pytest.param([pod(255)], Reason.STAGE_FAILED, True, False, "exit code 255", id="its own 255"),
        *(
            pytest.param([not_started(words)], Reason.STAGE_FAILED, True, True, words, id=words)
            for words in (
                'exec: "python": executable file not found in $PATH: unknown',
                'exec: "/app/x": stat /app/x: no such file or directory: unknown',
                'exec: "/app/x": permission denied: unknown',
                "exec /usr/bin/python: exec format error",
            )
        ),
        *(
            pytest.param([not_started(words)], Reason.STAGE_FAILED, True, False, words, id=words)
            for words in (
                "nvidia-container-cli: initialization error: nvml error: driver not loaded: unknown",
                'error mounting "/var/lib/x": no such file or directory: unknown',
            )
        ),
        pytest.param(
            [pod(143, **TARGET, name="a"), with_init(pod(ExitCode.PEER_LOST, name="b"), pod(137))],
            Reason.DISRUPTED,
            False,
            False,
            "PreemptionByScheduler",
            id="the native sidecar of the peer of a preempted pod",
        ),
        pytest.param(
            [with_init(pod(None), pod(3))],
            Reason.STAGE_FAILED,
            True,
            False,
            "exit code 3",
            id="an init container",
        ),
        pytest.param([EXCESS], Reason.STAGE_FAILED, True, False, "raise its resources", id="own excess"),
        pytest.param(
            [deleted(pod(143, name="a"), BEFORE), pod(137, name="b", reason="OOMKilled")],
            Reason.OUT_OF_MEMORY,
            True,
            False,
            "pod b",
            id="a fault explains more than a deletion",
        ),
        pytest.param([], Reason.STAGE_FAILED, True, False, "BackoffLimitExceeded", id="no pod is left"),
        pytest.param([pod(0)], Reason.STAGE_FAILED, True, False, "BackoffLimitExceeded", id="no pod failed"),
    ],
)
def test_the_cause_of_a_failed_attempt(
    pods: list[Object], reason: Reason, counted: bool, permanent: bool, words: str
) -> None:
    cause = cause_of_failure(pods, "BackoffLimitExceeded: pod failed")
    assert (cause.reason, cause.counted, cause.permanent) == (reason, counted, permanent)
    assert words in cause.message
