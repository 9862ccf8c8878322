"""What to do, by the words in which the API server, the scheduler and the kubelet say what is wrong."""

from __future__ import annotations

import re

_QUOTA = "wait until others of the namespace end, or have quota {} raised"
_POLICY = "change what it objects to in spec.cluster, or ask whoever runs it"

# The first that fits counts: what is wrong with the run's own objects stands before what the cluster lacks.
_ADVICE = tuple(
    (re.compile(pattern, re.IGNORECASE), advice)
    for pattern, advice in (
        # What is named and is not there.
        (r'persistentvolumeclaim "([^"]+)" not found', "create claim {}, or correct spec.storage or the URI"),
        (r'persistentvolumeclaim "([^"]+)" is being deleted', "create claim {} anew once it is gone"),
        (r'serviceaccount "([^"]+)" not found', "create ServiceAccount {}, or correct spec.credentials"),
        (r'\b(secret|configmap) "([^"]+)" not found', "create {} {}, and the pod starts"),
        (r"references non-existent (?:secret|config) key: ([^\s,]+)", "add key {}, and the pod starts"),
        (r"couldn't find key (\S+) in (\S+) (?:[^/\s]+/)?(\S+)", "add key {} to {} {}, and the pod starts"),
        (r"no PriorityClass with name (\S+)", "create it, or correct priorityClassName in podTemplate"),
        (r'runtimeclass\S* "([^"]+)" not found', "create it, or correct runtimeClassName in podTemplate"),
        # What the API server refuses.
        (r"exceeded quota: ([^,\s]+)", _QUOTA),
        (
            r"failed quota: ([^:\s]+): must specify",
            "set them in spec.cluster, for init containers in podTemplate",
        ),
        (
            r"(?:maximum|minimum) \S+ usage per|\S+ max limit to request ratio",
            "set the stage's resources in spec.cluster within the namespace's LimitRange",
        ),
        (
            r"violates PodSecurity",
            "set what is named in spec.cluster's podTemplate, or have the namespace's level changed",
        ),
        (
            r"security context constraint",
            "on OpenShift, the chart's runs.platformUser leaves user and group to the platform",
        ),
        (r"failed calling webhook", "the webhook does not answer: whoever runs it must mend it"),
        (r"admission webhook .* denied|ValidatingAdmissionPolicy .* denied", _POLICY),
        (r"is being terminated", "the namespace is being deleted: apply the run in another one"),
        (r"\bis invalid: ", "correct spec.cluster's podTemplate or resources"),
        # What keeps a Workload from being admitted.
        (r"LocalQueue (\S+) (?:doesn't|is terminating)", "create it, or correct spec.cluster.queueName"),
        (r"LocalQueue (\S+) is (?:inactive|stopped)", "`kubectl describe localqueue {}` says why"),
        (r"ClusterQueue (\S+) (?:is inactive|doesn't)", "`kubectl describe clusterqueue {}` says why"),
        (r"> maximum capacity", "the queue never has room for it: ask for less, or have its quota raised"),
        (r"insufficient unused quota", "it starts once others in the queue have ended, or with more quota"),
        (r"Preempted to accommodate", "it goes on from its checkpoint once there is room again"),
        # What keeps a pod from a node.
        (
            r"unbound immediate PersistentVolumeClaims|find available persistent volumes to bind",
            "`kubectl describe pvc` says why a claim is not bound, such as a storage class that is not there",
        ),
        (
            r"volume node affinity conflict",
            "its claim's volume is bound to other nodes than it may use: move one of them",
        ),
        (r"exceed max volume count", "the nodes can attach no more volumes: free one, or add a node"),
        (
            r"Insufficient (\S+/[^\s,]+?)\.?(?:[,\s]|$)",
            "wait until {} are free, ask for fewer in spec.cluster, or add nodes",
        ),
        (
            r"Insufficient (cpu|memory|ephemeral-storage)",
            "ask for less {} in spec.cluster's resources, or add nodes",
        ),
        (
            r"untolerated taint",
            "add a toleration to the GPU preset or to spec.cluster's podTemplate, or use other nodes",
        ),
        (
            r"didn't match Pod's node affinity/selector",
            "compare the node selector of GPU preset and podTemplate with `kubectl get nodes --show-labels`",
        ),
        (r"were unschedulable", "`kubectl uncordon` nodes, or add some"),
        (r"no nodes available", "add nodes to the cluster"),
        (r"scheduling gates", "whoever has set the pod's scheduling gates must remove them"),
        # What keeps a container from starting.
        (r"^Pulling", "it starts once the image is there"),
        (
            r"Multi-Attach error",
            "the volume is attached to another node: wait for its pod to end, or use a ReadWriteMany claim",
        ),
        (r"list of registered CSI drivers", "the node does not run the volume's CSI driver: install it"),
        (r"runAsNonRoot", "take an image that does not run as root, or set runAsUser in podTemplate"),
        (
            r"executable file not found|no such file or directory",
            "take one of Blendtune's images, or one made from it",
        ),
        (
            r"FailedCreatePodSandBox|NetworkNotReady",
            "the node's network or runtime must be mended: cordon it, and delete the pod",
        ),
        (
            r"FailedAttachVolume|FailedMount|FailedMapVolume",
            "`kubectl get volumeattachments` shows the volume; whoever runs its storage must mend it",
        ),
    )
)  # fmt: skip


def advised(words: str, otherwise: str) -> str:
    """The words, and after them what to do: `otherwise` where nothing better is known."""
    for pattern, advice in _ADVICE:
        found = pattern.search(words)
        if found:
            return f"{words.strip().rstrip('.')}: {advice.format(*found.groups())}"
    return f"{words.strip().rstrip('.')}: {otherwise}"
