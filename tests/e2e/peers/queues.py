"""A queue of Kueue for one namespace, and a Job of somebody else that wants all of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.e2e.images import OPERATOR
from tests.e2e.namespaces import Namespace
from tests.e2e.waiting import until

QUEUE = "team"
QUOTA = 2  # pods
URGENT = "urgent"  # a priority above that of runs, which have none
_API = "kueue.x-k8s.io/v1beta2"
_RESTRICTED = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "runAsUser": 65532,
    "seccompProfile": {"type": "RuntimeDefault"},
}


@contextmanager
def queue(namespace: Namespace) -> Iterator[None]:
    """A LocalQueue with room for as many pods as the quota says; who is urgent preempts who is not."""
    name = namespace.name
    flavor = {"name": name, "resources": [{"name": "pods", "nominalQuota": QUOTA}]}
    cluster_wide = [
        _object("ResourceFlavor", name, {}),
        {**_object("WorkloadPriorityClass", URGENT), "value": 1000},
        _object("ClusterQueue", name, {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}},
            "resourceGroups": [{"coveredResources": ["pods"], "flavors": [flavor]}],
            "preemption": {"withinClusterQueue": "LowerPriority"},
        }),
    ]  # fmt: skip
    local = _object("LocalQueue", QUEUE, {"clusterQueue": name})
    namespace.kubectl.apply(_listed([*cluster_wide, local]))
    yield
    namespace.kubectl("delete", "bft,jobs,localqueue", "--all", "--timeout=120s")
    until("no Workload is left", lambda: not namespace.kubectl.list("workloads"))
    namespace.kubectl("delete", "clusterqueue,resourceflavor", name, "--timeout=60s")


@contextmanager
def taken(namespace: Namespace, priority: str = "") -> Iterator[None]:
    """A Job takes the whole quota, at once if it is urgent, and gives it back at the end."""
    labels = {"kueue.x-k8s.io/queue-name": QUEUE}
    if priority:
        labels["kueue.x-k8s.io/priority-class"] = priority
    container = {
        "name": "main",
        "image": OPERATOR,
        "command": ["sleep", "infinity"],
        "securityContext": _RESTRICTED,
    }
    pods = {"restartPolicy": "Never", "terminationGracePeriodSeconds": 0, "containers": [container]}
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "of-another", "labels": labels},
        "spec": {
            "suspend": True,
            "parallelism": QUOTA,
            "completions": QUOTA,
            "template": {"spec": pods},
        },
    }
    namespace.kubectl.apply(json.dumps(job))
    until("it has started", lambda: _active(namespace) == QUOTA)
    try:
        yield
    finally:
        namespace.kubectl("delete", "job", "of-another", "--cascade=foreground", "--timeout=120s")


def workload_of(namespace: Namespace, owner: str) -> dict[str, Any]:
    """The Workload that Kueue made for the object of this name."""
    found = (
        workload
        for workload in namespace.kubectl.list("workloads")
        for reference in workload["metadata"].get("ownerReferences", [])
        if reference["name"] == owner
    )
    return next(found)


def set_active(namespace: Namespace, owner: str, active: bool) -> None:
    """Deactivates the Workload of an object, as an administrator does, or activates it again."""
    name = workload_of(namespace, owner)["metadata"]["name"]
    patch = json.dumps({"spec": {"active": active}})
    namespace.kubectl("patch", "workload", name, "--type=merge", f"--patch={patch}")


def _active(namespace: Namespace) -> int:
    return int(namespace.kubectl.get("job", "of-another")["status"].get("active", 0))


def _object(kind: str, name: str, spec: dict[str, Any] | None = None) -> dict[str, Any]:
    found: dict[str, Any] = {"apiVersion": _API, "kind": kind, "metadata": {"name": name}}
    return found if spec is None else {**found, "spec": spec}


def _listed(objects: list[dict[str, Any]]) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
