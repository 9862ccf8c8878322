"""A queue holds the run back."""

from __future__ import annotations

from tests.cluster.situations.situation import (
    QUEUED,
    Group,
    Situation,
)
from tests.cluster.situations.steps import (
    suspends,
    workload,
)

from blendtune_api.v1alpha1 import (
    Cluster,
    Reason,
    State,
)
from blendtune_operator.names import Kind

QUEUES = Group(
    title="A queue",
    situations=(
        Situation(
            title="It has no room now",
            **QUEUED,
            then=(
                workload(
                    (
                        "QuotaReserved",
                        "False",
                        "Pending",
                        "couldn't assign flavors to pod set main: insufficient unused quota for "
                        "nvidia.com/gpu in flavor "
                        "a100, 2 more needed",
                    )
                ),
            ),
            message="attempt 1 waits in queue gpus for room: Pending: couldn't assign flavors to "
            "pod set main: insufficient unused quota for nvidia.com/gpu in flavor a100, 2 "
            "more needed: it starts once others in the queue have ended, or with more quota",
        ),
        Situation(
            title="It never has room",
            **QUEUED,
            then=(
                workload(
                    (
                        "QuotaReserved",
                        "False",
                        "Pending",
                        "couldn't assign flavors to pod set main: insufficient quota for "
                        "nvidia.com/gpu in flavor a100, "
                        "previously considered podsets requests (0) + current podset request "
                        "(16) > maximum capacity (8)",
                    )
                ),
            ),
            message="attempt 1 waits in queue gpus for room: Pending: couldn't assign flavors to "
            "pod set main: insufficient quota for nvidia.com/gpu in flavor a100, previously "
            "considered podsets requests (0) + current podset request (16) > maximum "
            "capacity (8): the queue never has room for it: ask for less, or have its quota raised",
        ),
        Situation(
            title="It is not there",
            **QUEUED,
            then=(workload(("QuotaReserved", "False", "Inadmissible", "LocalQueue gpus doesn't exist")),),
            message="attempt 1 waits in queue gpus for room: Inadmissible: LocalQueue gpus "
            "doesn't exist: create it, or correct spec.cluster.queueName",
        ),
        Situation(
            title="It is stopped",
            **QUEUED,
            then=(workload(("QuotaReserved", "False", "Inadmissible", "ClusterQueue research is inactive")),),
            message="attempt 1 waits in queue gpus for room: Inadmissible: ClusterQueue research "
            "is inactive: `kubectl describe clusterqueue research` says why",
        ),
        Situation(
            title="Kueue has preempted the run",
            **QUEUED,
            then=(
                workload(
                    (
                        "QuotaReserved",
                        "False",
                        "Pending",
                        "Preempted to accommodate a workload (UID: 1, JobUID: 2) due to "
                        "prioritization in the ClusterQueue",
                    )
                ),
            ),
            message="attempt 1 waits in queue gpus for room: Pending: Preempted to accommodate a "
            "workload (UID: 1, JobUID: 2) due to prioritization in the ClusterQueue: it goes "
            "on from its checkpoint once there is room again",
        ),
        Situation(
            title="Kueue has given up",
            **QUEUED,
            then=(
                workload(
                    ("Evicted", "True", "Deactivated", "exceeding the maximum number of re-queuing retries"),
                    active=False,
                ),
            ),
            message="attempt 1 waits in queue gpus for room: Kueue has given up and deactivated "
            "Workload job-ads-blend (Deactivated: exceeding the maximum number of re-queuing "
            "retries): once the cause is mended, set spec.active of Workload job-ads-blend to true",
        ),
        Situation(
            title="An admission check is not ready",
            **QUEUED,
            then=(
                workload(
                    ("QuotaReserved", "True", "QuotaReserved", "Quota reserved in ClusterQueue research"),
                    checks=[
                        {
                            "name": "provisioning",
                            "state": "Pending",
                            "message": "waiting for nodes to be provisioned",
                        }
                    ],
                ),
            ),
            message="attempt 1 waits in queue gpus for room: Kueue has room, and admission check "
            "provisioning is not ready (Pending: waiting for nodes to be provisioned): see "
            "what runs it",
        ),
        Situation(
            title="Kueue does not look at such Jobs",
            **QUEUED,
            message="attempt 1 waits in queue gpus for room: Kueue has made no Workload for Job "
            "ads-blend: is Job among the integrations of its configuration?",
        ),
        Situation(
            title="Kueue is not installed",
            shown=State.QUEUED,
            reason=Reason.QUEUED,
            spec={"cluster": Cluster(nodes=2, gpus_per_node=1, queue_name="gpus")},
            message="attempt 1 waits in queue gpus for room: it waits for Kueue, and the API "
            "server knows no Workload of kueue.x-k8s.io/v1beta2: install Kueue, or suspend "
            "the run, leave spec.cluster.queueName out, and resume it",
        ),
        Situation(
            title="Something has suspended a Job of a run without a queue",
            shown=State.QUEUED,
            reason=Reason.QUEUED,
            then=(suspends(Kind.JOB, "ads-blend"),),
            message="attempt 1 waits: Job ads-blend was suspended, and the run names no queue; "
            "whoever suspended it must resume it. Kueue does so where it manages Jobs that "
            "name none: then suspend the run, set spec.cluster.queueName, and resume it",
        ),
    ),
)
