"""A volume cannot be used."""

from __future__ import annotations

from tests.cluster.situations.situation import (
    NO_NODE,
    STARTING,
    TRAIN,
    Group,
    Situation,
)
from tests.cluster.situations.steps import (
    on_node,
    tells,
    unschedulable,
)

from blendtune_api.v1alpha1 import (
    ConditionType,
    Reason,
    State,
)

VOLUMES = Group(
    title="A volume",
    situations=(
        Situation(
            title="The claim is not bound to a volume",
            **NO_NODE,
            then=(
                unschedulable(
                    "0/3 nodes are available: pod has unbound immediate PersistentVolumeClaims. not found"
                ),
            ),
            message="pod ads-blend-abcde cannot be scheduled: 0/3 nodes are available: pod has "
            "unbound immediate PersistentVolumeClaims. not found: `kubectl describe pvc` "
            "says why a claim is not bound, such as a storage class that is not there",
        ),
        Situation(
            title="The volume is on other nodes than the GPUs",
            stage="train",
            condition=ConditionType.TRAINING_SUCCEEDED,
            **NO_NODE,
            then=(
                unschedulable(
                    "0/5 nodes are available: 2 node(s) had volume node affinity conflict, 3 "
                    "node(s) didn't match "
                    "Pod's node affinity/selector. preemption: 0/5 nodes are available: 5 "
                    "Preemption is not helpful "
                    "for scheduling.",
                    "train",
                ),
            ),
            message="pod ads-train-1-worker-0 cannot be scheduled: 0/5 nodes are available: 2 "
            "node(s) had volume node affinity conflict, 3 node(s) didn't match Pod's node "
            "affinity/selector: its claim's volume is bound to other nodes than it may use: "
            "move one of them",
        ),
        Situation(
            title="A ReadWriteOnce volume is attached to another node",
            **TRAIN,
            shown=State.TRAINING,
            reason=Reason.STARTING,
            then=(
                on_node("train"),
                on_node("train", 1),
                tells(
                    "FailedAttachVolume",
                    'Multi-Attach error for volume "pvc-1" Volume is already used by pod(s) other-train-1',
                    "train",
                ),
            ),
            message="pod ads-train-1-worker-0 on node node-7 has no container yet: FailedAttachVolume: "
            'Multi-Attach error for volume "pvc-1" Volume is already used by pod(s) '
            "other-train-1: the volume is attached to another node: wait for its pod to end, or use a "
            "ReadWriteMany claim (2 pods wait)",
        ),
        Situation(
            title="The storage does not answer",
            **STARTING,
            then=(
                on_node("blend"),
                tells(
                    "FailedMount", 'MountVolume.SetUp failed for volume "pv-1" : mount failed: exit status 32'
                ),
            ),
            message="pod ads-blend-abcde on node node-7 has no container yet: FailedMount: "
            'MountVolume.SetUp failed for volume "pv-1" : mount failed: exit status 32: '
            "`kubectl get volumeattachments` shows the volume; whoever runs its storage must "
            "mend it",
        ),
        Situation(
            title="The volume's driver does not run on the node",
            **STARTING,
            then=(
                on_node("blend"),
                tells(
                    "FailedMount",
                    'MountVolume.MountDevice failed for volume "pv-1" : kubernetes.io/csi: driver name '
                    "nfs.csi.k8s.io not found in the list of registered CSI drivers",
                ),
            ),
            message="pod ads-blend-abcde on node node-7 has no container yet: FailedMount: "
            'MountVolume.MountDevice failed for volume "pv-1" : kubernetes.io/csi: driver '
            "name nfs.csi.k8s.io not found in the list of registered CSI drivers: the node "
            "does not run the volume's CSI driver: install it",
        ),
    ),
)
