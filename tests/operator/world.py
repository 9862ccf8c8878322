"""A cluster of dicts for tests: it keeps objects as an API server does, and tests play the controllers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.operator.gangs import makes_a_job, pods_of, policy, success

from blendtune_api import codec
from blendtune_api.blend_study import BlendStudy
from blendtune_api.contract import Failure, Outcome, Progress, encode_message
from blendtune_api.v1alpha1 import BlendedFineTune, Gang, Reason, RubricEval
from blendtune_operator import names
from blendtune_operator.cluster import AlreadyExists, Conflict, Key, Refused
from blendtune_operator.conditions import timestamp
from blendtune_operator.names import Kind, Object
from blendtune_operator.plan import Event
from blendtune_operator.reconcile import reconcile
from blendtune_operator.same_content import is_same_content
from blendtune_operator.settings import Settings

START = datetime(2026, 1, 1, tzinfo=UTC)
GANG: Gang | None = None  # of all worlds, instead of what a run names


class World:
    """Serves `Cluster`. Pods linger after their Job is deleted until `let_go`."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings(gang=GANG)
        self.now = START
        self.objects: dict[tuple[str, str, str], Object] = {}
        self.created: list[tuple[str, str]] = []
        self.events: list[Event] = []
        self.writes = 0
        self.unserved: set[Kind] = set()
        self.reported: dict[str, list[Object]] = {}  # Events, by the UID of what they are about
        self.workloads: dict[str, Object] = {}  # Kueue's, by the UID of their Job
        self.refused: dict[str, str] = {}
        self.hidden: set[str] = set()  # names that the cache leaves out
        self.progress_answer: Progress | None = None
        self.conflicts = 0  # status writes that will be answered with a conflict
        self.made: set[str] = set()  # UIDs of what this operator has created, until it is started anew
        self._last_uid = 0

    async def get(self, kind: Kind, namespace: str, name: str) -> Object | None:
        return _copy(self.objects.get((kind, namespace, name)))

    def cached(self, kind: Kind, namespace: str, name: str) -> Object | None:
        return _copy(self.objects.get((kind, namespace, name)))

    def cached_children(self, owner_uid: str) -> list[Object]:
        return [obj for obj in self._children(owner_uid) if obj["metadata"]["name"] not in self.hidden]

    async def list_pods(self, namespace: str, owner_uid: str) -> list[Object]:
        pods = [obj for obj in self._children(owner_uid) if obj["kind"] == Kind.POD]
        return [pod for pod in pods if pod["metadata"]["namespace"] == namespace]

    def _children(self, owner_uid: str) -> list[Object]:
        labelled = ((obj, obj["metadata"].get("labels", {})) for obj in self.objects.values())
        return [_copy(obj) for obj, labels in labelled if labels.get(names.OWNER_UID) == owner_uid]

    async def workload(self, job: Object) -> Object | None:
        return _copy(self.workloads.get(job["metadata"]["uid"]))

    async def events_about(self, namespace: str, uid: str) -> tuple[Object, ...]:
        del namespace
        return tuple(self.reported.get(uid, ()))

    async def serves(self, kind: Kind) -> bool:
        return kind not in self.unserved

    async def create(self, obj: Object) -> Object:
        name = obj["metadata"]["name"]
        if name in self.refused:
            raise Refused(self.refused[name])
        if (obj["kind"], obj["metadata"]["namespace"], name) in self.objects:
            raise AlreadyExists(name)
        self.created.append((obj["kind"], name))
        self.writes += 1
        stored = self.put(obj)
        self.made.add(stored["metadata"]["uid"])
        return _copy(stored)

    async def has_made(self, found: Object, wanted: Object) -> bool:
        return found["metadata"]["uid"] in self.made or is_same_content(found, wanted)

    async def delete(self, obj: Object) -> None:
        current = self.objects.get(_key(obj))
        if current is None or current["metadata"]["uid"] != obj["metadata"]["uid"]:
            return
        self.writes += 1
        self.remove(current)

    async def set_suspend(self, obj: Object, suspend: bool) -> None:
        current = self.objects.get(_key(obj))
        if current is None or current["metadata"]["uid"] != obj["metadata"]["uid"]:
            return
        self.writes += 1
        current["spec"]["suspend"] = suspend
        current["metadata"]["generation"] += 1
        self._touch(current)

    async def write_status(self, obj: Object, status: Object) -> None:
        current = self.objects.get(_key(obj))
        if self.conflicts:
            self.conflicts -= 1
            raise Conflict("changed")
        if current is None or current["metadata"]["resourceVersion"] != obj["metadata"]["resourceVersion"]:
            raise Conflict("changed")
        self.writes += 1
        current["status"] = _copy(status)
        self._touch(current)

    async def progress(self, pod: Object) -> Progress | None:
        del pod
        return self.progress_answer

    async def emit_event(self, obj: Object, event: Event) -> None:
        del obj
        self.events.append(event)

    def reconcile(self, key: Key) -> timedelta | None:
        step = reconcile(self, key, self.settings, self.now)
        try:
            step.send(None)  # nothing here ever waits, so no event loop is needed
        except StopIteration as stop:
            delay: timedelta | None = stop.value
            return delay
        raise AssertionError("reconcile waits for something")

    def settle(self) -> None:
        """Reconciles every run until nothing is written any more."""
        for _ in range(50):
            before = self.writes
            delays = [self.reconcile(key) for key in self._keys()]
            if self.writes == before and timedelta() not in delays:
                return
        raise AssertionError("the operator never comes to rest")

    def _keys(self) -> list[Key]:
        return [
            Key(Kind(kind), place, name) for kind, place, name in self.objects if kind in names.PARENT_KINDS
        ]

    def wait(self, seconds: float) -> None:
        """Lets time pass, then reconciles."""
        self.now += timedelta(seconds=seconds)
        self.settle()

    def apply(self, run: BlendedFineTune | RubricEval | BlendStudy) -> Key:
        """Creates the run, or replaces its spec, which makes a new generation."""
        document = codec.encode_object(run)
        document["metadata"]["namespace"] = run.metadata.namespace
        document.pop("status", None)
        known = self.objects.get(_key(document))
        if known is None:
            self.put(document)
        elif known["spec"] != document["spec"]:
            known["spec"] = document["spec"]
            known["metadata"]["generation"] += 1
            self._touch(known)
        return Key(Kind(document["kind"]), run.metadata.namespace, run.metadata.name)

    def fine_tune(self, name: str = "ads") -> BlendedFineTune:
        run = codec.decode_object(self.objects[Kind.BLENDED_FINE_TUNE, "team", name])
        assert isinstance(run, BlendedFineTune)
        return run

    def rubric_eval(self, name: str = "ads") -> RubricEval:
        run = codec.decode_object(self.objects[Kind.RUBRIC_EVAL, "team", name])
        assert isinstance(run, RubricEval)
        return run

    def job(self, name: str) -> Object:
        return next(obj for obj in self.jobs() if obj["metadata"]["name"] == name)

    def jobs(self) -> list[Object]:
        """Those that are attempts; not the Jobs that controllers have made of gangs."""
        made = (obj for obj in self.objects.values() if obj["kind"] in names.ATTEMPT_KINDS)
        return [obj for obj in made if "made_of" not in obj]

    def active_jobs(self) -> list[Object]:
        return [job for job in self.jobs() if not (job.get("status") or {}).get("conditions")]

    def pods(self, job: Object | None = None) -> list[Object]:
        pods = [obj for obj in self.objects.values() if obj["kind"] == Kind.POD]
        return [pod for pod in pods if job is None or pod["job"] == job["metadata"]["name"]]

    def live_pods(self, job: Object | None = None) -> list[Object]:
        return [pod for pod in self.pods(job) if pod["status"]["phase"] in ("Pending", "Running")]

    def hold(self, job: Object, held: bool = True) -> None:
        """As a queue does: holds the Job or gang back, or admits it."""
        policy(job)["suspend"] = held

    def start(self, job: Object, phase: str = "Running", **status: object) -> None:
        """Makes the pods of a Job or gang, which no queue holds; running ones have running containers."""
        self.hold(job, False)
        if self.pods(job):
            for pod in self.pods(job):
                self._run_pod(pod, phase, status)
            return
        replicas, template, index_label = pods_of(job, self)
        owner = self._make_job(job) if makes_a_job(job) else job
        for index in range(replicas):
            pod: Object = {
                "apiVersion": "v1",
                "kind": "Pod",
                "job": job["metadata"]["name"],
                "metadata": {
                    "name": f"{job['metadata']['name']}-worker-{index}",
                    "namespace": job["metadata"]["namespace"],
                    "labels": {**template["metadata"]["labels"], index_label: str(index)},
                    "ownerReferences": [{"uid": owner["metadata"]["uid"], "controller": True}],
                },
                "spec": template["spec"],
            }
            self._run_pod(self.put(pod), phase, status)

    def _make_job(self, gang: Object) -> Object:
        """The Job that controllers make of a JobSet, or of a TrainJob by way of a JobSet."""
        owner, name = gang, gang["metadata"]["name"]
        kinds = (Kind.JOB_SET, Kind.JOB) if gang["kind"] == Kind.TRAIN_JOB else (Kind.JOB,)
        for kind in kinds:
            metadata = {
                "name": name if kind is Kind.JOB_SET else f"{name}-node-0",
                "namespace": gang["metadata"]["namespace"],
                "labels": gang["metadata"]["labels"],
                "ownerReferences": [{"uid": owner["metadata"]["uid"], "controller": True}],
            }
            owner = self.put({"kind": kind.value, "metadata": metadata, "spec": {}, "made_of": name})
        return owner

    def succeed(self, job: Object, outcome: Outcome | None) -> None:
        """Ends a Job well; its first pod leaves the outcome."""
        if not self.pods(job):
            self.start(job)
        for index, pod in enumerate(self.pods(job)):
            message = encode_message(outcome) if outcome is not None and index == 0 else ""
            self.end_pod(pod, 0, message)
        self._finish_job(job, success(job))

    def fail(
        self, job: Object, exit_code: int, message: str = "", *, reason: str = "Error", index: int = 0
    ) -> None:
        """One pod ends badly; the others are taken away, and the Job fails."""
        if not self.pods(job):
            self.start(job)
        pods = self.pods(job)
        self.end_pod(pods[index], exit_code, message, reason)
        for pod in pods:
            if pod is not pods[index]:
                self.objects.pop(_key(pod))
        self._finish_job(job, "Failed")

    def preempt(self, job: Object) -> None:
        """The pods are told to go, save a checkpoint and say so."""
        failure = Failure(reason=Reason.DISRUPTED, message="asked to stop; a checkpoint was saved")
        self.fail(job, 143, encode_message(failure))

    def let_go(self) -> None:
        """The pods whose Job is gone end at last."""
        owners = {job["metadata"]["name"] for job in self.jobs()}
        for pod in self.pods():
            if pod["job"] not in owners:
                self.objects.pop(_key(pod))

    def remove(self, obj: Object) -> None:
        """Deletes an object and, as the garbage collector does, what it owns; pods linger."""
        self.objects.pop(_key(obj), None)
        uid = obj["metadata"]["uid"]
        for child in list(self.objects.values()):
            owners = child["metadata"].get("ownerReferences", [])
            if child["kind"] != Kind.POD and any(reference["uid"] == uid for reference in owners):
                self.remove(child)

    def put(self, obj: Object) -> Object:
        stored = _copy(obj)
        self._last_uid += 1
        stored["metadata"] |= {
            "uid": f"uid-{self._last_uid}",
            "generation": 1,
            "creationTimestamp": timestamp(self.now),
        }
        self._touch(stored)
        self.objects[_key(stored)] = stored
        return stored

    def _touch(self, obj: Object) -> None:
        version = int(obj["metadata"].get("resourceVersion", "0"))
        obj["metadata"]["resourceVersion"] = str(version + 1)

    def _run_pod(self, pod: Object, phase: str, status: object) -> None:
        assert isinstance(status, dict)
        containers = [
            {"name": container["name"], "state": {"running": {"startedAt": timestamp(self.now)}}}
            for container in pod["spec"]["containers"]
            if phase == "Running"
        ]
        pod["status"] = {"phase": phase, "containerStatuses": containers, **status}

    def end_pod(self, pod: Object, exit_code: int, message: str, reason: str = "") -> None:
        container = pod["spec"]["containers"][0]["name"]
        terminated = {
            "exitCode": exit_code,
            "reason": reason or ("Completed" if exit_code == 0 else "Error"),
            "message": message,
            "startedAt": timestamp(self.now),
            "finishedAt": timestamp(self.now),
        }
        pod["status"] |= {
            "phase": "Failed" if exit_code else "Succeeded",
            "containerStatuses": [{"name": container, "state": {"terminated": terminated}}],
        }

    def _finish_job(self, job: Object, condition: str) -> None:
        job["status"] = {"conditions": [{"type": condition, "status": "True", "reason": condition}]}

    def __iter__(self) -> Iterator[Object]:
        return iter(self.objects.values())


def _copy(value: Any) -> Any:
    """A copy by way of JSON: what can't be said in JSON can't be in an object."""
    return json.loads(json.dumps(value))


def _key(obj: Object) -> tuple[str, str, str]:
    return obj["kind"], obj["metadata"]["namespace"], obj["metadata"]["name"]
