"""A container does not start, or ends."""

from __future__ import annotations

from tests.cluster.situations.situation import (
    REHEARSE,
    STARTING,
    TRAIN,
    Group,
    Situation,
)
from tests.cluster.situations.steps import (
    SCHEDULED,
    ends,
    loops,
    now,
    on_node,
    state,
    status,
    waits,
)

from blendtune_api.v1alpha1 import (
    Cluster,
    Reason,
    State,
)

_NEVER = "1970-01-01T00:00:00Z"  # when a container began that was not started
_NO_PROGRAM = (
    "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create "
    'failed: unable to start container process: exec: "python": executable file not found in $PATH: unknown'
)
_NO_DRIVER = (
    "failed to create containerd task: failed to create shim task: OCI runtime create failed: "
    "nvidia-container-cli: initialization error: nvml error: driver not loaded: unknown"
)

CONTAINERS = Group(
    title="A container",
    situations=(
        Situation(
            title="The image lacks the program",
            **STARTING,
            then=(
                waits(
                    "RunContainerError",
                    'failed to create containerd task: exec: "python": executable file not found in $PATH',
                ),
            ),
            message="pod ads-blend-abcde cannot start container blend: RunContainerError: failed "
            'to create containerd task: exec: "python": executable file not found in $PATH: '
            "take one of Blendtune's images, or one made from it",
        ),
        Situation(
            title="The image runs as root",
            **STARTING,
            then=(
                waits(
                    "CreateContainerConfigError",
                    "container has runAsNonRoot and image will run as root (container: blend)",
                ),
            ),
            message="pod ads-blend-abcde cannot start container blend: "
            "CreateContainerConfigError: container has runAsNonRoot and image will run as "
            "root (container: blend): take an image that does not run as root, or set "
            "runAsUser in podTemplate",
        ),
        Situation(
            title="An init container runs on",
            **STARTING,
            then=(
                on_node("blend"),
                status(
                    {
                        "phase": "Pending",
                        "conditions": [SCHEDULED],
                        "initContainerStatuses": [state("wait-for-db", {"running": {"startedAt": now()}})],
                        "containerStatuses": [state("blend", {"waiting": {"reason": "PodInitializing"}})],
                    }
                ),
            ),
            message="init container wait-for-db of pod ads-blend-abcde on node node-7 still "
            "runs, and its other containers wait for it: `kubectl logs ads-blend-abcde -c "
            "wait-for-db` says what it does",
        ),
        Situation(
            title="An init container fails again and again",
            **STARTING,
            then=(loops("wait-for-db", 1, init=True),),
            message="container wait-for-db of pod ads-blend-abcde ends again and again (Error, "
            "exit code 1): `kubectl logs ads-blend-abcde -c wait-for-db --previous` says why",
        ),
        Situation(
            title="A native sidecar of the rehearsal fails again and again",
            **REHEARSE,
            shown=State.REHEARSING,
            reason=Reason.STARTING,
            then=(loops("istio-proxy", 255, init=True, stage="rehearse"),),
            message="container istio-proxy of pod ads-rehearse-abcde ends again and again "
            "(Error, exit code 255): `kubectl logs ads-rehearse-abcde -c istio-proxy "
            "--previous` says why",
        ),
        Situation(
            title="A sidecar outlives the training",
            **TRAIN,
            shown=State.TRAINING,
            reason=Reason.RUNNING,
            then=(
                *(
                    status(
                        {
                            "phase": "Running",
                            "containerStatuses": [
                                state(
                                    "pytorch",
                                    {"terminated": {"exitCode": 0, "startedAt": "2026-01-01T00:00:00Z"}},
                                ),
                                state("istio-proxy", {"running": {"startedAt": "2026-01-01T00:00:00Z"}}),
                            ],
                        },
                        "train",
                        index,
                    )
                    for index in (0, 1)
                ),
            ),
            message="attempt 1 is running; but container istio-proxy of pod ads-train-1-worker-0 "
            "still runs though pytorch has ended: have it run as a native sidecar, or switch "
            "its injection off by a label or annotation in podTemplate",
        ),
        Situation(
            title="The image lacks the program, and the pod has ended",
            shown=State.FAILED,
            reason=Reason.STAGE_FAILED,
            then=(ends("blend", "blend", 128, "StartError", startedAt=_NEVER, message=_NO_PROGRAM),),
            message=f"container blend of pod ads-blend-abcde could not be started: {_NO_PROGRAM}: take one "
            "of Blendtune's images, or one made from it",
        ),
        Situation(
            title="The node cannot start the container of a pod of the training",
            **TRAIN,
            shown=State.TRAINING,
            reason=Reason.BACKING_OFF,
            then=(ends("train", "pytorch", 128, "StartError", startedAt=_NEVER, message=_NO_DRIVER),),
            message="attempt 2 follows after: StageFailed: container pytorch of pod ads-train-1-worker-0 "
            f"could not be started: {_NO_DRIVER}: if other nodes can start it, cordon this one",
        ),
        Situation(
            title="It exceeds its memory limit",
            shown=State.BLENDING,
            reason=Reason.BACKING_OFF,
            then=(ends("blend", "blend", 137, "OOMKilled"),),
            message="attempt 2 follows after: OutOfMemory: container blend of pod "
            "ads-blend-abcde exceeded its memory limit (OOMKilled): raise its resources in "
            "spec.cluster",
        ),
        Situation(
            title="It ends with an exit code, and no attempts are left",
            spec={"cluster": Cluster(nodes=2, gpus_per_node=1, backoff_limit=0)},
            shown=State.FAILED,
            reason=Reason.BACKOFF_LIMIT_EXCEEDED,
            then=(ends("blend", "blend", 1, "Error"),),
            message="attempt 1 was the last that spec.cluster.backoffLimit (0) allows; it ended "
            "so: container blend of pod ads-blend-abcde ended with exit code 1: see its log",
        ),
        Situation(
            title="The pod exceeds its ephemeral storage",
            shown=State.BLENDING,
            reason=Reason.BACKING_OFF,
            then=(
                ends(
                    "blend",
                    "blend",
                    137,
                    "Error",
                    {
                        "reason": "Evicted",
                        "message": "Pod ephemeral local storage usage exceeds the total limit of "
                        "containers 1Gi. ",
                    },
                ),
            ),
            message="attempt 2 follows after: StageFailed: pod ads-blend-abcde was evicted: Pod "
            "ephemeral local storage usage exceeds the total limit of containers 1Gi: raise "
            "its resources in spec.cluster",
        ),
    ),
)
