"""The children of a run as they are in the cluster, and what each of them is doing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum, auto

from blendtune_api.contract import Progress
from blendtune_api.v1alpha1 import Attempt, BlendedFineTune, Stage
from blendtune_operator import names
from blendtune_operator.conditions import moment
from blendtune_operator.gang import BACKENDS
from blendtune_operator.names import Kind, Object, Parent
from blendtune_operator.plan.recorded import Recorded, gang_of, recorded_by

_SUCCEEDED = ("Complete", "Completed", "Succeeded")  # of a Job or TrainJob, a JobSet, a PyTorchJob
_INDEX_LABELS = sorted({backend.index_label for backend in BACKENDS.values()})
_UNKNOWN_INDEX = 2**31


class JobPhase(Enum):
    """What an attempt is doing, by the conditions of its object."""

    QUEUED = auto()  # suspended by a queue: it has no pods
    ACTIVE = auto()
    SUCCEEDED = auto()
    FAILED = auto()


@dataclass(frozen=True, kw_only=True, slots=True)
class Children:
    """The objects that a plan is made from; `of` sorts out which of them are the owner's.

    `objects` are those that the status of their owner records, `foreign` those that only say that they
    belong to it. `progress` is the answer of rank 0, if it was asked for this plan; `queued_by` are the
    Workloads of the Jobs that a queue holds, by the UID of the Job; `missing` says what is not there that the
    pods wait for; `events` are those of what has waited for long, by its UID; `unserved` are the kinds that
    the API server does not know.
    """

    objects: tuple[Object, ...] = ()
    foreign: tuple[Object, ...] = ()
    recorded: Recorded = field(default_factory=Recorded)
    progress: Progress | None = None
    queued_by: Mapping[str, Object] = field(default_factory=dict)
    missing: str = ""
    events: Mapping[str, Sequence[Object]] = field(default_factory=dict)
    unserved: frozenset[Kind] = frozenset()

    @classmethod
    def of(
        cls, owner: Parent, objects: Iterable[Object], unserved: frozenset[Kind] = frozenset()
    ) -> Children:
        """The children of one owner, of what `claimed` leaves of the objects."""
        objects = tuple(obj for obj in objects if obj["metadata"]["namespace"] == owner.metadata.namespace)
        recorded = recorded_by(owner.status)
        if isinstance(owner, BlendedFineTune):
            recorded = recorded.with_jobs(objects, BACKENDS[gang_of(owner.status)].makes)
        candidates = claimed(owner, objects)
        return cls(
            objects=tuple(obj for obj in candidates if recorded.has(obj)),
            foreign=tuple(obj for obj in candidates if not recorded.has(obj)),
            recorded=recorded,
            unserved=unserved,
        )

    def with_object(self, obj: Object) -> Children:
        return replace(self, objects=(*self.objects, obj))

    def without(self, kind: Kind, name: str) -> Children:
        kept = (obj for obj in self.objects if (obj["kind"], obj["metadata"]["name"]) != (kind, name))
        return replace(self, objects=tuple(kept))

    def with_pods(self, pods: list[Object]) -> Children:
        """The children with these pods in place of the old ones, of which those that ended are kept too.

        A pod that ended may be deleted by now and still explain why its attempt failed.
        """
        pods = [pod for pod in pods if self.recorded.has(pod)]
        present = {pod["metadata"]["uid"] for pod in pods}
        ended = (pod for pod in self._of(Kind.POD) if not is_live(pod))
        gone = (pod for pod in ended if pod["metadata"]["uid"] not in present)
        return replace(self, objects=(*self.workloads(), *pods, *gone))

    def find(self, kind: Kind, name: str) -> Object | None:
        return _named(self.objects, kind, name)

    def find_foreign(self, kind: Kind, name: str) -> Object | None:
        """What has the name of a child and is not recorded."""
        return _named(self.foreign, kind, name)

    def config_maps(self) -> tuple[Object, ...]:
        return tuple(self._of(Kind.CONFIG_MAP))

    def attempts(self, stage: Stage) -> dict[int, Object]:
        """The objects of a stage's attempts, by number."""
        recorded = ((self.recorded.attempts.get(obj["metadata"]["uid"]), obj) for obj in self.workloads())
        return {at[1]: obj for at, obj in recorded if at is not None and at[0] is stage}

    def pods(self, stage: Stage, attempt: int | None = None) -> tuple[Object, ...]:
        """The pods of a stage, or of one attempt of it, in the order of their index.

        A queue may preempt the pods of an attempt and admit it again. Of several pods with the same attempt
        and index the live ones and the latest are returned; earlier ones that ended are left out.
        """
        pods = [
            pod
            for pod in self._of(Kind.POD)
            for of_stage, number in (self.recorded.attempts[names.controller_uid(pod)],)
            if of_stage is stage and attempt in (None, number)
        ]
        latest: dict[tuple[str, int], str] = {}
        for pod in pods:
            latest[_slot(pod)] = max(latest.get(_slot(pod), ""), _created(pod))
        current = (pod for pod in pods if is_live(pod) or _created(pod) == latest[_slot(pod)])
        return tuple(sorted(current, key=lambda pod: (pod_index(pod), pod["metadata"]["name"])))

    def workloads(self) -> tuple[Object, ...]:
        """All children except the pods, which are deleted with their Jobs."""
        return tuple(obj for obj in self.objects if obj["kind"] != Kind.POD)

    def claimed_workloads(self) -> tuple[Object, ...]:
        """With those that the status does not record, which the garbage collector would remove too."""
        return tuple(obj for obj in (*self.objects, *self.foreign) if obj["kind"] != Kind.POD)

    def namesakes(self, child: Object) -> tuple[Object, ...]:
        """What the child was made from: it has its name."""
        name = child["metadata"]["name"]
        return tuple(obj for obj in self.foreign if obj["metadata"]["name"] == name)

    def makers(self, attempt: Attempt) -> tuple[str, ...]:
        """UIDs of what makes the pods of an attempt: its child, and the Job that follows from that."""
        job = self.recorded.jobs.get((attempt.stage, attempt.number), attempt.job_uid)
        return tuple(uid for uid in (attempt.uid, job) if uid)

    def events_of_attempt(self, attempt: Attempt) -> tuple[Object, ...]:
        return tuple(event for uid in self.makers(attempt) for event in self.events.get(uid, ()))

    def events_of_pod(self, pod: Object) -> Sequence[Object]:
        return self.events.get(pod["metadata"]["uid"], ())

    def _of(self, kind: Kind) -> Iterator[Object]:
        return (obj for obj in self.objects if obj["kind"] == kind)


def _named(objects: Iterable[Object], kind: Kind, name: str) -> Object | None:
    return next((obj for obj in objects if (obj["kind"], obj["metadata"]["name"]) == (kind, name)), None)


def claimed(owner: Parent, objects: Iterable[Object]) -> tuple[Object, ...]:
    """The objects that say that they are children of this owner: by their label, all but pods also by the
    controller reference.

    Objects of other namespaces are dropped: a user of another namespace may label theirs as they like.
    """
    uid, namespace = owner.metadata.uid, owner.metadata.namespace
    return tuple(
        obj
        for obj in objects
        if obj["metadata"]["namespace"] == namespace
        and _labels(obj).get(names.OWNER_UID) == uid
        and (obj["kind"] == Kind.POD or names.is_owned_by(obj, uid))
    )


def phase_of(job: Object) -> JobPhase:
    """What an attempt is doing, by the conditions of its object and by whether it is suspended."""
    conditions = (job.get("status") or {}).get("conditions") or []
    true = {condition["type"] for condition in conditions if condition["status"] == "True"}
    if not true.isdisjoint(_SUCCEEDED):
        return JobPhase.SUCCEEDED
    if "Failed" in true:
        return JobPhase.FAILED
    run_policy = job["spec"].get("runPolicy") or {}
    if "Suspended" in true or job["spec"].get("suspend") or run_policy.get("suspend"):
        return JobPhase.QUEUED
    return JobPhase.ACTIVE


def failure_of(job: Object) -> str:
    """Reason and message of the Failed condition of an attempt; empty without one."""
    conditions = (job.get("status") or {}).get("conditions") or []
    for condition in conditions:
        if condition["type"] == "Failed" and condition["status"] == "True":
            return ": ".join(filter(None, (condition.get("reason"), condition.get("message"))))
    return ""


def ended_at(job: Object) -> datetime | None:
    """The end of an attempt by its object's status; None while it has not ended or does not say when."""
    status = job.get("status") or {}
    if status.get("completionTime"):
        return moment(status["completionTime"])
    ends = (
        condition.get("lastTransitionTime")
        for condition in status.get("conditions") or []
        if condition["type"] in (*_SUCCEEDED, "Failed") and condition["status"] == "True"
    )
    end = next(ends, None)
    return None if end is None else moment(end)


def active_since(job: Object) -> datetime | None:
    """When an attempt could first have pods: its creation, or the last change of Suspended."""
    conditions = (job.get("status") or {}).get("conditions") or []
    suspended = (each.get("lastTransitionTime") for each in conditions if each["type"] == "Suspended")
    times = (job["metadata"].get("creationTimestamp"), *suspended)
    return max((moment(time) for time in times if time), default=None)


def is_terminating(obj: Object) -> bool:
    return bool(obj["metadata"].get("deletionTimestamp"))


def is_live(pod: Object) -> bool:
    """Whether the pod may still run a container or hold a device."""
    return (pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed")


def has_started(pod: Object) -> bool:
    """Whether a container of the pod has run, or runs."""
    status = pod.get("status") or {}
    containers = [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]
    states = [item.get("state") or {} for item in containers]
    return any(state.get("running") or state.get("terminated") for state in states)


def runs_work(pod: Object) -> bool:
    """Whether a container of the pod other than its init containers has run, or runs."""
    states = [item.get("state") or {} for item in (pod.get("status") or {}).get("containerStatuses") or []]
    return any(state.get("running") or state.get("terminated") for state in states)


def is_scheduled(pod: Object) -> bool:
    """Whether a node has taken the pod."""
    conditions = (pod.get("status") or {}).get("conditions") or []
    taken = any(item["type"] == "PodScheduled" and item["status"] == "True" for item in conditions)
    return taken or bool((pod.get("spec") or {}).get("nodeName"))


def pod_index(pod: Object) -> int:
    """The index of a pod within its gang; 0 for the only pod of a Job.

    A pod whose label somebody has made unreadable counts as the last.
    """
    label = next((label for label in _INDEX_LABELS if label in _labels(pod)), None)
    if label is None:
        return 0
    index = names.number(pod, label)
    return _UNKNOWN_INDEX if index is None else index


def _slot(pod: Object) -> tuple[str, int]:
    """What only one live pod may fill: an attempt, by the UID of its child, and an index in it."""
    return names.controller_uid(pod), pod_index(pod)


def _created(pod: Object) -> str:
    """The creation timestamp. All are in UTC and of one format, so they sort as text."""
    return str(pod["metadata"].get("creationTimestamp") or "")


def _labels(obj: Object) -> dict[str, str]:
    return obj["metadata"].get("labels") or {}
