"""Which children are ours: those that the status of their owner records.

A user of a namespace may write any object in it, with any label and owner reference, but no status. So an
object that says that it belongs to a run is believed only where the status says so too: by its UID, and the
pinned configuration by the digest of what it holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from blendtune_api.blend_study import BlendStudyStatus
from blendtune_api.contract import RunConfig
from blendtune_api.v1alpha1 import (
    ATTEMPTS_KEPT,
    Attempt,
    BlendedFineTuneStatus,
    ChildStatus,
    Gang,
    PinnedStatus,
    RubricEvalStatus,
    Stage,
)
from blendtune_operator import names
from blendtune_operator.names import Kind, Object, Run
from blendtune_operator.render.config import digest_in, read, revision_of

AnyStatus = BlendedFineTuneStatus | RubricEvalStatus | BlendStudyStatus
AnyStatusT = TypeVar("AnyStatusT", BlendedFineTuneStatus, RubricEvalStatus, BlendStudyStatus)
RunStatusT = TypeVar("RunStatusT", BlendedFineTuneStatus, RubricEvalStatus)


@dataclass(frozen=True, kw_only=True, slots=True)
class Recorded:
    """What a status records: stage and number of each attempt by UID, UIDs of others, the pinned digest.

    `jobs` has the UID of the Job that makes the pods of an attempt, where that is another than its child.
    """

    attempts: Mapping[str, tuple[Stage, int]] = field(default_factory=dict)
    jobs: Mapping[tuple[Stage, int], str] = field(default_factory=dict)
    others: frozenset[str] = frozenset()
    pinned: str = ""

    def with_jobs(self, objects: Iterable[Object], makes: Sequence[Kind]) -> Recorded:
        """With what controllers have made since of the training's attempts, by owner references.

        `makes` are its kinds, one made of the other. The last is the Job; the first that is seen counts.
        """
        owners = {
            uid: at for uid, at in self.attempts.items() if at[0] is Stage.TRAIN and at not in self.jobs
        }
        made: dict[str, tuple[Stage, int]] = {}
        for kind in makes:
            of_kind = [obj for obj in objects if obj["kind"] == kind]
            made = {
                obj["metadata"]["uid"]: owners[names.controller_uid(obj)]
                for obj in sorted(of_kind, key=_age, reverse=True)
                if names.controller_uid(obj) in owners
            }
            owners = made
        jobs = {attempt: uid for uid, attempt in made.items()}
        own = {uid: attempt for attempt, uid in jobs.items()}
        return replace(self, attempts={**self.attempts, **own}, jobs={**self.jobs, **jobs})

    def has(self, child: Object) -> bool:
        """Whether the child is recorded; a pod is, if an attempt that is recorded controls it."""
        match child["kind"]:
            case Kind.CONFIG_MAP:
                return bool(self.pinned) and digest_in(child) == self.pinned
            case Kind.POD:
                return names.controller_uid(child) in self.attempts
            case _:
                uid = child["metadata"]["uid"]
                return uid in self.attempts or uid in self.others


def recorded_by(status: AnyStatus) -> Recorded:
    """What the status records."""
    if isinstance(status, BlendStudyStatus):
        return Recorded(others=frozenset(run.uid for run in status.runs if run.uid))
    evaluation = status.rubric_eval if isinstance(status, BlendedFineTuneStatus) else None
    made = {item.job_uid: (item.stage, item.number) for item in status.attempts if item.job_uid}
    return Recorded(
        attempts={item.uid: (item.stage, item.number) for item in status.attempts if item.uid} | made,
        jobs={attempt: uid for uid, attempt in made.items()},
        others=frozenset([evaluation.uid]) if evaluation else frozenset(),
        pinned=status.pinned.digest if status.pinned else "",
    )


def record(status: AnyStatusT, child: Object) -> AnyStatusT:
    """The status with a child that is ours recorded. The run of a study must be in it already."""
    metadata = child["metadata"]
    uid, name = metadata["uid"], metadata["name"]
    if isinstance(status, BlendStudyStatus):
        runs = tuple(replace(run, uid=uid) if run.name == name else run for run in status.runs)
        return replace(status, runs=runs)
    if child["kind"] == Kind.CONFIG_MAP:
        return replace(status, pinned=_pinned(status, child))
    if child["kind"] == Kind.RUBRIC_EVAL and isinstance(status, BlendedFineTuneStatus):
        return replace(status, rubric_eval=ChildStatus(name=name, uid=uid))
    if child["kind"] in names.ATTEMPT_KINDS:
        return _with_attempt(status, child)
    return status  # what an attempt needs is compared anew before the next


def _age(obj: Object) -> tuple[str, str]:
    """Sorts objects by age, the oldest first. All timestamps are of one format."""
    return str(obj["metadata"].get("creationTimestamp") or ""), obj["metadata"]["name"]


def gang_of(status: BlendedFineTuneStatus | RubricEvalStatus) -> Gang:
    """What makes the pods of the training attempt that runs. An earlier version recorded none."""
    return (status.pinned and status.pinned.gang) or Gang.PYTORCH_JOB


def child_of(
    run: Run, status: BlendedFineTuneStatus | RubricEvalStatus, attempt: Attempt
) -> tuple[Kind, str]:
    """Kind and name of the child that is this attempt, which has not ended by the status."""
    return names.attempt_child(run.metadata.name, attempt.stage, attempt.number, gang_of(status))


def _pinned(status: BlendedFineTuneStatus | RubricEvalStatus, config_map: Object) -> PinnedStatus:
    revision = revision_of(config_map)
    trains = isinstance(status, BlendedFineTuneStatus)
    gang = read(config_map, RunConfig, revision).config.gang if trains else None
    return PinnedStatus(revision=revision, digest=digest_in(config_map), gang=gang)


def _with_attempt(status: RunStatusT, child: Object) -> RunStatusT:
    """With the UID of the attempt's child, and its creation as the start: the API server's time."""
    labels, metadata = child["metadata"]["labels"], child["metadata"]
    stage, number = Stage(labels[names.STAGE]), int(labels[names.ATTEMPT])
    others: list[Attempt] = [item for item in status.attempts if (item.stage, item.number) != (stage, number)]
    attempt = Attempt(
        stage=stage, number=number, start_time=metadata["creationTimestamp"], uid=metadata["uid"]
    )
    return replace(
        status,
        attempts=tuple([*others, attempt][-ATTEMPTS_KEPT:]),
        start_time=status.start_time or attempt.start_time,
    )
