"""Fakes of the controllers that a cluster without nodes lacks: the kubelet and the training operator.

Level-triggered, like the real ones: each round lists all pods and PyTorchJobs and moves each a step further.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from tests.cluster.client import Client, Refused
from tests.cluster.fake_gangs import FAKE_GANGS
from tests.operator.builders import result_of

from blendtune_api.contract import encode_message
from blendtune_operator.conditions import timestamp
from blendtune_operator.names import ATTEMPT, COMPLETION_INDEX, OWNER_UID, REPLICA_INDEX, STAGE, Kind, Object

# An object may change or go away at any time, and a new kind's storage takes a moment to be ready.
_TRANSIENT = (403, 404, 409, 429)
JOB_NAME = "training.kubeflow.org/job-name"


@dataclass(frozen=True)
class PodOutcome:
    """How the pods of an attempt end. Without an exit code they run on."""

    exit_code: int | None = 0
    message: str | None = None  # of the container's end; None: the stage's result, where it succeeds
    reason: str = ""  # of the container's end
    disrupted: bool = False
    address: str = ""  # of rank 0, which serves its progress there


Policy = Callable[[str, int], PodOutcome | None]


@dataclass
class FakeControllers:
    """`policy` says how the pods of a stage's attempt end; None leaves them to the test.

    They serve one namespace, or all. Without `gangs` nothing acts on what stands for a gang.
    """

    client: Client
    namespace: str | None = None
    policy: Policy = lambda *_: PodOutcome()
    gangs: bool = True

    def round(self) -> None:
        served = self.gangs and self._serves(Kind.PYTORCH_JOB)
        jobs = self.client.list(Kind.PYTORCH_JOB, self.namespace) if served else []
        for fake in FAKE_GANGS if self.gangs else ():
            for gang in self.client.list(fake.kind, self.namespace) if self._serves(fake.kind) else ():
                self._tolerant(fake.sync, self.client, gang)
        pods = self.client.list(Kind.POD, self.namespace, OWNER_UID)
        for job in jobs:
            self._tolerant(self._sync_job, job, [pod for pod in pods if _job_of(pod) == _name(job)])
        for pod in pods:
            self._tolerant(self._sync_pod, pod)

    def _serves(self, kind: Kind) -> bool:
        return self.client.find(kind.path(self.namespace)) is not None

    def _tolerant(self, sync: Callable[..., None], *objects: object) -> None:
        try:
            sync(*objects)
        except Refused as error:
            if error.status not in _TRANSIENT:
                raise

    def _sync_pod(self, pod: Object) -> None:
        phase = pod["status"].get("phase")
        if phase in ("Succeeded", "Failed") or pod["metadata"].get("deletionTimestamp"):
            return
        labels = pod["metadata"]["labels"]
        outcome = self.policy(labels[STAGE], int(labels[ATTEMPT]))
        if outcome is None:
            return
        first = int(labels.get(REPLICA_INDEX) or labels.get(COMPLETION_INDEX) or 0) == 0
        now = timestamp(datetime.now(UTC))
        container = pod["spec"]["containers"][0]["name"]
        running = {"name": container, "image": "", "imageID": "", "ready": True, "restartCount": 0}
        if phase != "Running":
            running["state"] = {"running": {"startedAt": now}}
            address = (
                {"podIP": outcome.address, "podIPs": [{"ip": outcome.address}]} if outcome.address else {}
            )
            status = {"phase": "Running", "startTime": now, "containerStatuses": [running], **address}
            self.client.set_status(pod, status)
        elif outcome.exit_code is not None:
            message = outcome.message
            if message is None:
                succeeded = outcome.exit_code == 0 and first
                message = encode_message(result_of(labels[STAGE])) if succeeded else ""
            ended = {
                "exitCode": outcome.exit_code,
                "reason": outcome.reason or "Completed",
                "message": message,
                "startedAt": now,
                "finishedAt": now,
            }
            status = {
                "phase": "Succeeded" if outcome.exit_code == 0 else "Failed",
                "containerStatuses": [{**running, "ready": False, "state": {"terminated": ended}}],
            }
            if outcome.disrupted:
                status["conditions"] = [
                    {"type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler",
                     "lastTransitionTime": now}
                ]  # fmt: skip
            self.client.set_status(pod, status)

    def _sync_job(self, job: Object, pods: list[Object]) -> None:
        """The training operator: Worker pods, and the conditions that they amount to."""
        known = (job.get("status") or {}).get("conditions") or []
        conditions = {item["type"] for item in known if item["status"] == "True"}
        if "Succeeded" in conditions or "Failed" in conditions:
            return
        if job["spec"]["runPolicy"].get("suspend"):
            for pod in pods:
                self.client.delete(pod)
            if "Suspended" not in conditions:
                self._condition(job, "Suspended")
            return
        worker = job["spec"]["pytorchReplicaSpecs"]["Worker"]
        present = {pod["metadata"]["labels"][REPLICA_INDEX] for pod in pods}
        phases = [pod["status"].get("phase") for pod in pods]
        if "Failed" in phases:
            for pod in pods:
                if pod["status"].get("phase") not in ("Succeeded", "Failed"):
                    self.client.delete(pod)
            self._condition(job, "Failed")
        elif phases.count("Succeeded") == worker["replicas"]:
            self._condition(job, "Succeeded")
        else:
            for index in range(worker["replicas"]):
                if str(index) not in present:
                    self._create_worker(job, worker["template"], index)
            if "Running" not in conditions:
                self._condition(job, "Running")

    def _create_worker(self, job: Object, template: Object, index: int) -> None:
        labels = {JOB_NAME: _name(job), "training.kubeflow.org/replica-type": "worker",
                  REPLICA_INDEX: str(index)}  # fmt: skip
        owner = {"apiVersion": job["apiVersion"], "kind": job["kind"], "name": _name(job),
                 "uid": job["metadata"]["uid"], "controller": True, "blockOwnerDeletion": True}  # fmt: skip
        self.client.create({
            "apiVersion": "v1", "kind": "Pod", "spec": template["spec"],
            "metadata": {"name": f"{_name(job)}-worker-{index}", "namespace": job["metadata"]["namespace"],
                         "labels": template["metadata"]["labels"] | labels, "ownerReferences": [owner]},
        })  # fmt: skip

    def _condition(self, job: Object, type: str) -> None:
        now = timestamp(datetime.now(UTC))
        condition = {"type": type, "status": "True", "reason": f"PyTorchJob{type}", "message": "",
                     "lastTransitionTime": now, "lastUpdateTime": now}  # fmt: skip
        known = (job.get("status") or {}).get("conditions") or []
        past = [{**item, "status": "False"} for item in known if item["type"] != type]
        self.client.set_status(job, {"conditions": [*past, condition], "replicaStatuses": {}})


@contextmanager
def running(controllers: FakeControllers) -> Iterator[FakeControllers]:
    """Runs round after round in a thread. What made it stop is raised, or noted on the test's own failure."""
    stop, errors = threading.Event(), []

    def run() -> None:
        pause = 0.05
        while not stop.wait(pause):
            begin = time.monotonic()
            try:
                controllers.round()
                pause = max(0.05, time.monotonic() - begin)  # at most half of the time goes into listing
            except Refused as error:
                if error.status not in _TRANSIENT:
                    errors.append(error)
                    return
            except Exception as error:
                errors.append(error)
                return

    thread = threading.Thread(target=run, name="fake controllers", daemon=True)
    thread.start()
    try:
        yield controllers
    except BaseException as error:
        if errors:  # why the test waited in vain
            error.add_note(f"the fake controllers had stopped: {errors[0]!r}")
        raise
    finally:
        stop.set()
        thread.join(30)
    if errors:
        raise errors[0]


def _name(obj: Object) -> str:
    return str(obj["metadata"]["name"])


def _job_of(pod: Object) -> str:
    return str(pod["metadata"]["labels"].get(JOB_NAME, ""))
