"""Plays what a cluster without nodes lacks: kubelets, and the training operator.

Level-triggered, like the real ones: each round looks at all pods and PyTorchJobs and does what is due.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from tests.cluster.client import Client, Refused
from tests.operator.builders import blend_result, eval_result, train_result

from blendtune_api.contract import Outcome, encode_message
from blendtune_operator.conditions import timestamp
from blendtune_operator.names import ATTEMPT, OWNER_UID, REPLICA_INDEX, STAGE, Kind, Object

# What is played may change or go away at any time, and a new kind's storage has to be made ready.
_PASSING = (403, 404, 409, 429)
JOB_NAME = "training.kubeflow.org/job-name"
_RESULTS: dict[str, Callable[[], Outcome]] = {
    "blend": blend_result,
    "train": train_result,
    "eval": eval_result,
}


@dataclass(frozen=True)
class Play:
    """What becomes of the pods of an attempt. Without an end they run on."""

    exit_code: int | None = 0
    message: str | None = None  # None: the stage's result, when it ends well
    reason: str = ""  # of the container's end
    disrupted: bool = False
    address: str = ""  # of rank 0, for its progress


Policy = Callable[[str, int], Play]


@dataclass
class Players:
    client: Client
    namespace: str | None = None
    policy: Policy = lambda *_: Play()

    def round(self) -> None:
        served = self.client.find(Kind.PYTORCH_JOB.path(self.namespace)) is not None
        jobs = self.client.list(Kind.PYTORCH_JOB, self.namespace) if served else []
        pods = self.client.list(Kind.POD, self.namespace, OWNER_UID)
        for job in jobs:
            self._tolerant(self._play_gang, job, [pod for pod in pods if _job_of(pod) == _name(job)])
        for pod in pods:
            self._tolerant(self._play_pod, pod)

    def _tolerant(self, play: Callable[..., None], *things: object) -> None:
        try:
            play(*things)
        except Refused as error:
            if error.status not in _PASSING:
                raise

    def _play_pod(self, pod: Object) -> None:
        phase = pod["status"].get("phase")
        if phase in ("Succeeded", "Failed") or pod["metadata"].get("deletionTimestamp"):
            return
        labels = pod["metadata"]["labels"]
        play = self.policy(labels[STAGE], int(labels[ATTEMPT]))
        first = int(labels.get(REPLICA_INDEX, 0)) == 0
        now = timestamp(datetime.now(UTC))
        container = pod["spec"]["containers"][0]["name"]
        running = {"name": container, "image": "", "imageID": "", "ready": True, "restartCount": 0}
        if phase != "Running":
            running["state"] = {"running": {"startedAt": now}}
            address = {"podIP": play.address, "podIPs": [{"ip": play.address}]} if play.address else {}
            status = {"phase": "Running", "startTime": now, "containerStatuses": [running], **address}
            self.client.set_status(pod, status)
        elif play.exit_code is not None:
            result = _RESULTS[labels[STAGE]]
            message = play.message
            if message is None:
                message = encode_message(result()) if play.exit_code == 0 and first else ""
            ended = {"exitCode": play.exit_code, "reason": play.reason or "Completed", "message": message,
                     "startedAt": now, "finishedAt": now}  # fmt: skip
            status = {
                "phase": "Succeeded" if play.exit_code == 0 else "Failed",
                "containerStatuses": [{**running, "ready": False, "state": {"terminated": ended}}],
            }
            if play.disrupted:
                status["conditions"] = [
                    {"type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler",
                     "lastTransitionTime": now}
                ]  # fmt: skip
            self.client.set_status(pod, status)

    def _play_gang(self, job: Object, pods: list[Object]) -> None:
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
def playing(players: Players) -> Iterator[Players]:
    """Plays in a thread of its own, round after round."""
    stop, errors = threading.Event(), []

    def play() -> None:
        pause = 0.05
        while not stop.wait(pause):
            begin = time.monotonic()
            try:
                players.round()
                pause = max(0.05, time.monotonic() - begin)  # half of the time at most is spent on looking
            except Refused as error:
                if error.status not in _PASSING:
                    errors.append(error)
                    return
            except Exception as error:  # shown by the test that runs
                errors.append(error)
                return

    thread = threading.Thread(target=play, name="players", daemon=True)
    thread.start()
    try:
        yield players
    except BaseException as error:
        if errors:  # why the test waited in vain
            error.add_note(f"the players had given up: {errors[0]!r}")
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
