"""No node takes a pod, or its node fails."""

from __future__ import annotations

from tests.cluster.situations.situation import (
    NO_NODE,
    STARTING,
    TRAIN,
    Group,
    Situation,
)
from tests.cluster.situations.steps import (
    SCHEDULED,
    Step,
    ends,
    on_node,
    removed,
    runs,
    status,
    tells,
    unschedulable,
)

from blendtune_api.v1alpha1 import (
    ConditionType,
    Reason,
    State,
)


def _disruption(why: str, message: str, **pod: str) -> Step:
    """The end of a pod of the training that something removes; the Job of another stage makes a new one."""
    condition = {"type": "DisruptionTarget", "status": "True", "reason": why, "message": message}
    return ends("train", "pytorch", 143, "Error", {"conditions": [condition], **pod})


def _rejected(stage: str, reason: str, message: str) -> Step:
    """The kubelet does not take a pod that the scheduler gave to its node; no container is made."""
    return status({"phase": "Failed", "reason": reason, "message": f"Pod was rejected: {message}"}, stage)


_NO_DEVICES = (
    "Allocate failed due to requested number of devices unavailable for nvidia.com/gpu. "
    "Requested: 1, Available: 0, which is unexpected"
)

NODES = Group(
    title="Nodes and the scheduler",
    situations=(
        Situation(
            title="No GPUs are free",
            stage="train",
            condition=ConditionType.TRAINING_SUCCEEDED,
            **NO_NODE,
            then=(
                unschedulable(
                    "0/3 nodes are available: 3 Insufficient nvidia.com/gpu. preemption: 0/3 "
                    "nodes are available: 3 "
                    "No preemption victims found for incoming pod.",
                    "train",
                ),
            ),
            message="pod ads-train-1-worker-0 cannot be scheduled: 0/3 nodes are available: 3 "
            "Insufficient nvidia.com/gpu: wait until nvidia.com/gpu are free, ask for fewer "
            "in spec.cluster, or add nodes",
        ),
        Situation(
            title="The nodes are tainted",
            **NO_NODE,
            then=(
                unschedulable(
                    "0/3 nodes are available: 3 node(s) had untolerated taint {dedicated: research}."
                ),
            ),
            message="pod ads-blend-abcde cannot be scheduled: 0/3 nodes are available: 3 node(s) "
            "had untolerated taint {dedicated: research}: add a toleration to the GPU preset "
            "or to spec.cluster's podTemplate, or use other nodes",
        ),
        Situation(
            title="No node has the GPU type's label",
            stage="train",
            condition=ConditionType.TRAINING_SUCCEEDED,
            **NO_NODE,
            then=(
                unschedulable(
                    "0/3 nodes are available: 3 node(s) didn't match Pod's node affinity/selector.", "train"
                ),
            ),
            message="pod ads-train-1-worker-0 cannot be scheduled: 0/3 nodes are available: 3 "
            "node(s) didn't match Pod's node affinity/selector: compare the node selector of "
            "GPU preset and podTemplate with `kubectl get nodes --show-labels`",
        ),
        Situation(
            title="Too little memory is free",
            stage="eval",
            condition=ConditionType.EVALUATION_SUCCEEDED,
            **NO_NODE,
            then=(unschedulable("0/3 nodes are available: 3 Insufficient memory.", "eval"),),
            message="pod ads-eval-abcde cannot be scheduled: 0/3 nodes are available: 3 "
            "Insufficient memory: ask for less memory in spec.cluster's resources, or add nodes",
        ),
        Situation(
            title="All nodes are cordoned",
            **NO_NODE,
            then=(unschedulable("0/3 nodes are available: 3 node(s) were unschedulable."),),
            message="pod ads-blend-abcde cannot be scheduled: 0/3 nodes are available: 3 node(s) "
            "were unschedulable: `kubectl uncordon` nodes, or add some",
        ),
        Situation(
            title="Something has set a scheduling gate",
            **NO_NODE,
            then=(
                unschedulable(
                    "Scheduling is blocked due to non-empty scheduling gates", reason="SchedulingGated"
                ),
            ),
            message="pod ads-blend-abcde cannot be scheduled: Scheduling is blocked due to "
            "non-empty scheduling gates: whoever has set the pod's scheduling gates must "
            "remove them",
        ),
        Situation(
            title="No scheduler looks at the pod",
            **STARTING,
            message="pod ads-blend-abcde has no node, and no scheduler says why: see that the "
            "scheduler of the cluster, or the one that podTemplate names, runs",
        ),
        Situation(
            title="The node's network cannot take the pod",
            **STARTING,
            then=(
                on_node("blend"),
                tells(
                    "FailedCreatePodSandBox",
                    'Failed to create pod sandbox: plugin type="calico" failed (add): no more IP addresses',
                ),
            ),
            message="pod ads-blend-abcde on node node-7 has no container yet: "
            'FailedCreatePodSandBox: Failed to create pod sandbox: plugin type="calico" '
            "failed (add): no more IP addresses: the node's network or runtime must be "
            "mended: cordon it, and delete the pod",
        ),
        Situation(
            title="The node of a training pod does not answer",
            **TRAIN,
            shown=State.TRAINING,
            reason=Reason.RUNNING,
            then=(
                on_node("train"),
                runs(
                    "train",
                    "pytorch",
                    conditions=[
                        SCHEDULED,
                        {"type": "ContainersReady", "status": "True"},
                        {"type": "Ready", "status": "False"},
                    ],
                ),
                runs("train", "pytorch", index=1),
            ),
            message="attempt 1 is running; but node node-7 of pod ads-train-1-worker-0 does not "
            "answer (`kubectl describe node node-7`): the pod is given up after some "
            "minutes; if the node is gone for good, `kubectl delete node node-7` frees it",
        ),
        Situation(
            title="The node is gone, and its pod cannot end",
            **TRAIN,
            shown=State.TRAINING,
            reason=Reason.RUNNING,
            then=(
                on_node("train"),
                runs("train", "pytorch"),
                runs("train", "pytorch", index=1),
                removed("train"),
            ),
            message="attempt 1 is running; but pod ads-train-1-worker-0 on node node-7 should "
            "have ended and is held because its node does not answer: if the node is gone "
            "for good, `kubectl delete node node-7` frees it",
        ),
        Situation(
            title="The node has fewer GPUs than it says, and rejects a pod of the training",
            **TRAIN,
            shown=State.TRAINING,
            reason=Reason.BACKING_OFF,
            then=(on_node("train"), _rejected("train", "UnexpectedAdmissionError", _NO_DEVICES)),
            message="attempt 2 follows after: Disrupted: pod ads-train-1-worker-0 on node node-7 was "
            "disrupted: UnexpectedAdmissionError: Pod was rejected: Allocate failed due to requested number "
            "of devices unavailable for nvidia.com/gpu. Requested: 1, Available: 0, which is unexpected",
        ),
        Situation(
            title="The node rejects what the pod asks for",
            shown=State.BLENDING,
            reason=Reason.BACKING_OFF,
            then=(
                _rejected(
                    "blend", "SysctlForbidden", 'forbidden sysctl: "net.core.somaxconn" not allowlisted'
                ),
            ),
            message="attempt 2 follows after: StageFailed: pod ads-blend-abcde was rejected by its node: "
            'SysctlForbidden: Pod was rejected: forbidden sysctl: "net.core.somaxconn" not allowlisted: '
            "change it in podTemplate, or use other nodes",
        ),
        Situation(
            title="The node was restarted under a pod of the training",
            **TRAIN,
            shown=State.TRAINING,
            reason=Reason.BACKING_OFF,
            then=(ends("train", "pytorch", 255, "Unknown"),),
            message="attempt 2 follows after: Disrupted: container pytorch of pod ads-train-1-worker-0 was "
            "disrupted: its node was restarted, or lost it",
        ),
        Situation(
            title="The node ran short of memory and evicted a pod of the training",
            **TRAIN,
            shown=State.TRAINING,
            reason=Reason.BACKING_OFF,
            then=(
                _disruption(
                    "TerminationByKubelet",
                    "The node was low on resource: memory. Threshold quantity: 100Mi, available: 40Mi. ",
                    reason="Evicted",
                ),
            ),
            message="attempt 2 follows after: Disrupted: container pytorch of pod ads-train-1-worker-0 was "
            "disrupted: TerminationByKubelet: The node was low on resource: memory. Threshold "
            "quantity: 100Mi, available: 40Mi",
        ),
        Situation(
            title="A pod of higher priority took the place of one of the training",
            **TRAIN,
            shown=State.TRAINING,
            reason=Reason.BACKING_OFF,
            then=(
                _disruption(
                    "PreemptionByScheduler",
                    "default-scheduler: preempting to accommodate a higher priority pod",
                ),
            ),
            message="attempt 2 follows after: Disrupted: container pytorch of pod ads-train-1-worker-0 was "
            "disrupted: PreemptionByScheduler: default-scheduler: preempting to "
            "accommodate a higher priority pod",
        ),
        Situation(
            title="The node of a pod of the training was drained",
            **TRAIN,
            shown=State.TRAINING,
            reason=Reason.BACKING_OFF,
            then=(_disruption("EvictionByEvictionAPI", "Eviction API: evicting"),),
            message="attempt 2 follows after: Disrupted: container pytorch of pod ads-train-1-worker-0 was "
            "disrupted: EvictionByEvictionAPI: Eviction API: evicting",
        ),
    ),
)
