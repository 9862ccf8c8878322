"""What kubelet, scheduler, Kueue, administrators and others do in a situation, written as they write it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from tests.cluster.client import Refused
from tests.cluster.people import restrict
from tests.cluster.scenario import Scenario
from tests.e2e.waiting import until

from blendtune_operator.conditions import timestamp
from blendtune_operator.names import WORKLOAD_JOB_UID, Kind, Object
from blendtune_operator.plan.children import pod_index

Step = Callable[[Scenario], None]
NODE = "node-7"
_POLICIES = "/apis/admissionregistration.k8s.io/v1"
SCHEDULED: Object = {"type": "PodScheduled", "status": "True"}


def now() -> str:
    return timestamp(datetime.now(UTC))


def pod_of(world: Scenario, stage: str, index: int = 0) -> Object:
    """The pod of the stage with this index, once it is there."""

    def found() -> Object | None:
        pods = world.client.list(Kind.POD, world.namespace, f"blendtune.io/stage={stage}")
        return next((pod for pod in pods if pod_index(pod) == index), None)

    pod: Object = world.wait_for(f"pod {index} of {stage}", found)
    return pod


def child_of(world: Scenario, kind: Kind, name: str) -> Object:
    found: Object = world.wait_for(f"{kind} {name}", lambda: world.client.get(kind, world.namespace, name))
    return {**found, "apiVersion": kind.api_version, "kind": kind.value}


# The kubelet and the scheduler.


def unschedulable(message: str, stage: str = "blend", reason: str = "Unschedulable") -> Step:
    condition = {"type": "PodScheduled", "status": "False", "reason": reason, "message": message}
    return status({"phase": "Pending", "conditions": [condition]}, stage)


def waits(
    reason: str,
    message: str = "",
    stage: str = "blend",
    container: str = "",
    init: bool = False,
    index: int = 0,
) -> Step:
    """A container of a pod waits, with this reason."""
    words = {"reason": reason, **({"message": message} if message else {})}
    listed = [state(container or stage, {"waiting": words})]
    return status(
        {"phase": "Pending", "conditions": [SCHEDULED], _list(init): listed}, stage, index
    )  # fmt: skip


def loops(container: str, exit_code: int, init: bool, stage: str = "blend") -> Step:
    ended = {"exitCode": exit_code, "reason": "Error", "startedAt": now(), "finishedAt": now()}
    waiting = {
        "reason": "CrashLoopBackOff",
        "message": f"back-off 5m0s restarting failed container={container}",
    }
    looping = {
        **state(container, {"waiting": waiting}),
        "lastState": {"terminated": ended},
        "restartCount": 6,
    }
    return status({"phase": "Pending", "conditions": [SCHEDULED], _list(init): [looping]}, stage)


def runs(
    stage: str, container: str, ready: bool = True, init: bool = False, index: int = 0, **more: Any
) -> Step:
    running = state(container, {"running": {"startedAt": now()}}, ready)
    return status({"phase": "Running", _list(init): [running], **more}, stage, index)


def ends(
    stage: str, container: str, exit_code: int, reason: str, pod: Mapping[str, Any] | None = None, **more: str
) -> Step:
    """A pod fails by the end of its container; `pod` is more of its status, `more` of that end."""
    end = {"exitCode": exit_code, "reason": reason, "startedAt": now(), "finishedAt": now(), **more}
    listed = [state(container, {"running": None, "terminated": end})]
    return status({"phase": "Failed", "containerStatuses": listed, **(pod or {})}, stage)


def state(container: str, state: Object, ready: bool = False) -> Object:
    """Of a container, as a kubelet reports it."""
    return {
        "name": container, "image": "registry.example/blendtune:1", "imageID": "", "ready": ready,
        "restartCount": 0, "state": state,
    }  # fmt: skip


def status(status: Object, stage: str = "blend", index: int = 0) -> Step:
    """The kubelet, or the scheduler, writes the status of a pod."""

    def write(world: Scenario) -> None:
        world.client.set_status(pod_of(world, stage, index), status)

    return write


def on_node(stage: str, index: int = 0) -> Step:
    """The scheduler gives the pod to a node."""

    def bind(world: Scenario) -> None:
        metadata = pod_of(world, stage, index)["metadata"]
        path = Kind.POD.path(world.namespace, metadata["name"]) + "/binding"
        target = {"apiVersion": "v1", "kind": "Node", "name": NODE}
        world.client.call("POST", path, {"metadata": {"name": metadata["name"]}, "target": target})

    return bind


def removed(stage: str, index: int = 0, grace: int = 1) -> Step:
    """Somebody deletes a pod; only the kubelet of its node could complete that."""

    def delete(world: Scenario) -> None:
        name = pod_of(world, stage, index)["metadata"]["name"]
        world.client.call("DELETE", Kind.POD.path(world.namespace, name), {"gracePeriodSeconds": grace})

    return delete


def tells(reason: str, message: str, stage: str = "blend", type: str = "Warning", index: int = 0) -> Step:
    """An Event about a pod."""
    return lambda world: _event(world, pod_of(world, stage, index), reason, message, type)


def tells_of(kind: Kind, name: str, reason: str, message: str) -> Step:
    """A Warning about a child of the run."""
    return lambda world: _event(world, child_of(world, kind, name), reason, message, "Warning")


def acts_on(kind: Kind, name: str) -> Step:
    """Its controller has seen a child."""
    return lambda world: (world.client.set_status(child_of(world, kind, name), {"startTime": now()}), None)[1]


def _event(world: Scenario, about: Object, reason: str, message: str, type: str) -> None:
    metadata = about["metadata"]
    involved = {"kind": about["kind"], **{key: metadata[key] for key in ("name", "namespace", "uid")}}
    world.client.call("POST", f"/api/v1/namespaces/{world.namespace}/events", {
        "metadata": {"generateName": "event-", "namespace": world.namespace},
        "involvedObject": involved, "type": type, "reason": reason, "message": message,
        "firstTimestamp": now(), "lastTimestamp": now(), "count": 1, "source": {"component": "kubelet"},
    })  # fmt: skip


def _list(init: bool) -> str:
    return "initContainerStatuses" if init else "containerStatuses"


# Administrators, and what they have installed.


def there_is(collection: str, name: str, **content: Any) -> Step:
    """An object of the namespace."""
    return lambda world: world.client.call(
        "POST", f"/api/v1/namespaces/{world.namespace}/{collection}", {"metadata": {"name": name}, **content}
    )


def quota(limits: Mapping[str, str]) -> Step:
    """A ResourceQuota that its controller has counted."""

    def create(world: Scenario) -> None:
        path = f"/api/v1/namespaces/{world.namespace}/resourcequotas"
        world.client.call("POST", path, {"metadata": {"name": "small"}, "spec": {"hard": limits}})
        used = dict.fromkeys(limits, "0")
        change = {"status": {"hard": limits, "used": used}}
        world.client.call("PATCH", f"{path}/small/status", change, "application/merge-patch+json")

    return create


def enforce_restricted(world: Scenario) -> None:
    restrict(world.client, world.namespace)


def policy_denies(resource: str, group: str = "") -> Step:
    """A ValidatingAdmissionPolicy that admits no such object in the namespace."""

    def install(world: Scenario) -> None:
        name = f"no-{resource}.{world.namespace}"
        rule = {
            "apiGroups": [group],
            "apiVersions": ["v1"],
            "operations": ["CREATE"],
            "resources": [resource],
        }
        selector = {"matchLabels": {"kubernetes.io/metadata.name": world.namespace}}
        specs: dict[str, Object] = {
            "validatingadmissionpolicies": {
                "matchConstraints": {"resourceRules": [rule], "namespaceSelector": selector},
                "validations": [{"expression": "false", "message": "label cost-centre is required"}],
            },
            "validatingadmissionpolicybindings": {"policyName": name, "validationActions": ["Deny"]},
        }
        for plural, spec in specs.items():
            world.client.call("POST", f"{_POLICIES}/{plural}", {"metadata": {"name": name}, "spec": spec})
        until("the policy is obeyed", lambda: "cost-centre" in _probed(world, resource), every=0.2)

    return install


def webhook_is_silent(world: Scenario) -> None:
    """A webhook that judges Jobs, and whose own pods are gone."""
    rule = {"apiGroups": ["batch"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["jobs"]}
    hook = {
        "name": "jobs.policy.example", "rules": [rule], "failurePolicy": "Fail", "sideEffects": "None",
        "admissionReviewVersions": ["v1"], "clientConfig": {"url": "https://127.0.0.1:1/"},
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": world.namespace}},
    }  # fmt: skip
    body = {"metadata": {"name": f"silent.{world.namespace}"}, "webhooks": [hook]}
    world.client.call("POST", f"{_POLICIES}/validatingwebhookconfigurations", body)
    until("it is asked", lambda: "jobs.policy.example" in _probed(world, "jobs"), every=0.2)


def _probed(world: Scenario, resource: str) -> str:
    """Why an object of this resource is refused; empty where it is not."""
    pod = {"restartPolicy": "Never", "containers": [{"name": "main", "image": "image"}]}
    metadata = {"name": "probe", "namespace": world.namespace}
    kind = Kind.POD if resource == "pods" else Kind.JOB
    spec = pod if kind is Kind.POD else {"template": {"spec": pod}}
    try:
        world.client.call(
            "POST", f"{kind.path(world.namespace)}?dryRun=All", {"metadata": metadata, "spec": spec}
        )
    except Refused as error:
        return error.message
    return ""


# Kueue.


def suspends(kind: Kind, name: str) -> Step:
    def suspend(world: Scenario) -> None:
        child_of(world, kind, name)
        change = {"suspend": True} if kind is not Kind.PYTORCH_JOB else {"runPolicy": {"suspend": True}}
        world.client.patch(kind, world.namespace, name, {"spec": change})

    return suspend


def workload(
    *conditions: tuple[str, str, str, str],
    active: bool = True,
    checks: Sequence[Object] = (),
    job: str = "ads-blend",
) -> Step:
    """Kueue's Workload of a Job; conditions have type, status, reason and message."""

    def create(world: Scenario) -> None:
        labels = {WORKLOAD_JOB_UID: child_of(world, Kind.JOB, job)["metadata"]["uid"]}
        listed = [
            dict(zip(("type", "status", "reason", "message"), item, strict=True)) for item in conditions
        ]  # fmt: skip
        world.client.create({
            "apiVersion": Kind.WORKLOAD.api_version, "kind": Kind.WORKLOAD.value,
            "metadata": {"name": f"job-{job}", "namespace": world.namespace, "labels": labels},
            "spec": {"active": active},
            "status": {"conditions": listed, "admissionChecks": list(checks)},
        })  # fmt: skip

    return create


# People.


def edits(spec: Object) -> Step:
    return lambda world: (
        world.client.patch(Kind.BLENDED_FINE_TUNE, world.namespace, "ads", {"spec": spec}),
        None,
    )[1]
