"""Fakes of the controllers of JobSets and TrainJobs. The Job controller below them is the real one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from tests.cluster.client import Client

from blendtune_operator.conditions import timestamp
from blendtune_operator.names import Kind, Object
from blendtune_operator.plan.children import JobPhase, failure_of, is_terminating, phase_of

REPLICATED_JOB = "jobset.sigs.k8s.io/replicatedjob-name"


@dataclass(frozen=True)
class FakeGang:
    """`make` returns what the controller makes of an object, which is suspended, and ends, as that is."""

    kind: Kind
    success: str
    make: Callable[[Client, Object], Object | None]

    def sync(self, client: Client, gang: Object) -> None:
        if phase_of(gang) in (JobPhase.SUCCEEDED, JobPhase.FAILED) or is_terminating(gang):
            return
        wanted = self.make(client, gang)
        if wanted is None:
            return
        kind, metadata = Kind(wanted["kind"]), wanted["metadata"]
        made = client.get(kind, metadata["namespace"], metadata["name"])
        if made is None:
            client.create(wanted)
            return
        suspended = wanted["spec"]["suspend"]
        if bool(made["spec"].get("suspend")) != suspended:
            client.patch(kind, metadata["namespace"], metadata["name"], {"spec": {"suspend": suspended}})
        match phase_of(made):
            case JobPhase.SUCCEEDED:
                _set(client, gang, self.success, "AllJobsCompleted")
            case JobPhase.FAILED:
                _set(client, gang, "Failed", "FailedJobs", failure_of(made))
            case JobPhase.QUEUED if suspended:
                _set(client, gang, "Suspended", "Suspended")
            case JobPhase.ACTIVE if not suspended:
                _set(client, gang, "Suspended", "Resumed", status="False")


def _job(_: Client, job_set: Object) -> Object:
    """The only Job of a JobSet."""
    (replicated,) = job_set["spec"]["replicatedJobs"]
    assert replicated["replicas"] == 1
    name = job_set["metadata"]["name"]
    template = replicated["template"]
    labels = {"jobset.sigs.k8s.io/jobset-name": name, REPLICATED_JOB: replicated["name"]}
    pods = template["spec"]["template"]
    pods = {
        "metadata": {**pods["metadata"], "labels": {**pods["metadata"]["labels"], **labels}},
        "spec": {**pods["spec"], "subdomain": name},
    }
    spec = {**template["spec"], "template": pods, "suspend": bool(job_set["spec"].get("suspend"))}
    metadata = {"labels": {**template["metadata"]["labels"], **labels}}
    return _owned(job_set, Kind.JOB, f"{name}-{replicated['name']}-0", metadata, spec)


def _job_set(client: Client, train_job: Object) -> Object | None:
    """The JobSet of a TrainJob, by its runtime; none where that is not there."""
    metadata, reference = train_job["metadata"], train_job["spec"]["runtimeRef"]
    assert reference["kind"] == Kind.TRAINING_RUNTIME
    runtime = client.get(Kind.TRAINING_RUNTIME, metadata["namespace"], reference["name"])
    if runtime is None:
        return None
    template = runtime["spec"]["template"]
    (replicated,) = template["spec"]["replicatedJobs"]
    step = replicated["template"]["metadata"]["labels"]["trainer.kubeflow.org/trainjob-ancestor-step"]
    containers = replicated["template"]["spec"]["template"]["spec"]["containers"]
    assert step == "trainer" and "node" in [item["name"] for item in containers]
    spec = {**template["spec"], "suspend": bool(train_job["spec"].get("suspend"))}
    return _owned(train_job, Kind.JOB_SET, metadata["name"], template["metadata"], spec)


def _owned(owner: Object, kind: Kind, name: str, metadata: Object, spec: Object) -> Object:
    reference = {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }
    own = {"name": name, "namespace": owner["metadata"]["namespace"], "ownerReferences": [reference]}
    return {
        "apiVersion": kind.api_version,
        "kind": kind.value,
        "metadata": {**metadata, **own},
        "spec": spec,
    }


def _set(
    client: Client, gang: Object, type: str, reason: str, message: str = "", status: str = "True"
) -> None:
    """Sets a condition, unless it is so."""
    known = {item["type"]: item for item in (gang.get("status") or {}).get("conditions") or []}
    if (known.get(type) or {}).get("status") == status or (type not in known and status == "False"):
        return
    condition = {"type": type, "status": status, "reason": reason, "message": message}
    known[type] = {**condition, "lastTransitionTime": timestamp(datetime.now(UTC))}
    client.set_status(gang, {"conditions": list(known.values())})


FAKE_GANGS = (
    FakeGang(Kind.TRAIN_JOB, "Complete", _job_set),
    FakeGang(Kind.JOB_SET, "Completed", _job),
)
