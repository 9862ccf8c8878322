"""The plan of a BlendStudy: a pure function from the study, its runs and the time to what must be written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from blendtune_api.blend_study import BlendStudy, BlendStudyStatus, SearchKind, StudyRun, StudyRunState
from blendtune_api.v1alpha1 import ConditionStatus, ConditionType, Reason
from blendtune_operator.conditions import STUDY_CONDITIONS, Finding, is_true
from blendtune_operator.names import Kind, Object
from blendtune_operator.plan import Plan
from blendtune_operator.plan.blocked import not_accepted
from blendtune_operator.plan.children import Children, is_terminating
from blendtune_operator.plan.events import transition_events
from blendtune_operator.plan.study.points import Point, grid, points, run_object
from blendtune_operator.plan.study.runs import TrackedRun, by_name, pending_run, reset_run, track_run
from blendtune_operator.plan.study.schedule import Schedule, Start, deadline_seconds, schedule
from blendtune_operator.plan.study.search import refine
from blendtune_operator.plan.study.status import state_of, study_status
from blendtune_operator.plan.study.validation import study_refusals
from blendtune_operator.settings import Settings


def plan(study: BlendStudy, children: Children, now: datetime, settings: Settings) -> Plan[BlendStudyStatus]:
    """What to write for this study now. Pure: the same arguments give the same plan."""
    if study.metadata.deletion_timestamp:
        return Plan(status=study.status)
    accepted = _accept(study, settings)
    is_accepted = accepted.status is ConditionStatus.TRUE
    wanted = {point.name(study.metadata.name): point for point in _points(study)} if is_accepted else {}
    tracked = _track_runs(study, wanted, children, now)
    if is_accepted and not study.spec.suspend:
        for point in refine(study.spec, [item.run for item in tracked]):
            name = point.name(study.metadata.name)
            wanted[name] = point
            tracked.append(TrackedRun(run=pending_run(name, point)))
    due = _due(study, tracked, children) if is_accepted else Schedule()
    suspend, resume = _suspension_changes(study, tracked)
    status = study_status(study, _runs_after_start(tracked, due), due, accepted, now)
    return Plan(
        status=status,
        create=tuple(
            run_object(study, wanted[start.name], deadline_seconds(start, _gpus(study)))
            for start in due.starts
        ),
        suspend=suspend,
        resume=resume,
        events=transition_events(study.status.conditions, status.conditions),
    )


def blocked(
    status: BlendStudyStatus,
    reason: Reason,
    message: str,
    generation: int,
    now: datetime,
    requeue_after: timedelta | None,
) -> Plan[BlendStudyStatus]:
    """The plan of a study that can't be planned: it sets Accepted to False and changes nothing else."""
    conditions = not_accepted(status.conditions, STUDY_CONDITIONS, reason, message, generation, now)
    return Plan(
        status=replace(
            status,
            observed_generation=generation,
            conditions=conditions,
            state=state_of(conditions, status.runs),
        ),
        requeue_after=requeue_after,
        events=transition_events(status.conditions, conditions),
    )


def _accept(study: BlendStudy, settings: Settings) -> Finding:
    refused = study_refusals(study, settings)
    if not refused:
        return Finding(ConditionType.ACCEPTED, ConditionStatus.TRUE, Reason.ACCEPTED, "the study can be run")
    message = "; ".join(str(refusal.fault) for refusal in refused)
    return Finding(ConditionType.ACCEPTED, ConditionStatus.FALSE, refused[0].reason, message)


def _due(study: BlendStudy, tracked: Sequence[TrackedRun], children: Children) -> Schedule:
    """The runs to start now: first alone those that were created and could not be recorded.

    Until they are recorded they count for nothing, neither among the runs under way nor against the budget.
    """
    pending = {item.run.name for item in tracked if item.run.state is StudyRunState.PENDING}
    unrecorded = (
        obj["metadata"]["name"]
        for obj in children.foreign
        if obj["kind"] == Kind.BLENDED_FINE_TUNE and not is_terminating(obj)
    )
    created = tuple(Start(name=name) for name in unrecorded if name in pending)
    return Schedule(starts=created) if created else schedule(study.spec, tracked)


def _runs_after_start(tracked: Sequence[TrackedRun], due: Schedule) -> tuple[StudyRun, ...]:
    started = {start.name for start in due.starts}
    return tuple(
        replace(item.run, state=StudyRunState.RUNNING) if item.run.name in started else item.run
        for item in tracked
    )


def _points(study: BlendStudy) -> Iterator[Point]:
    """The grid, and the points that a search has added to it."""
    own = grid(study.spec)
    yield from own
    if study.spec.search.kind is not SearchKind.BISECT:
        return
    added = by_name(study.status.runs)
    for point in points(study.spec, sorted({run.in_domain_share for run in study.status.runs})):
        if point not in own and point.name(study.metadata.name) in added:
            yield point


def _track_runs(
    study: BlendStudy, wanted: Mapping[str, Point], children: Children, now: datetime
) -> list[TrackedRun]:
    """Every run that is wanted, in order, then those that are wanted no longer but have started."""
    before = by_name(study.status.runs)
    objects = {
        obj["metadata"]["name"]: obj for obj in children.objects if obj["kind"] == Kind.BLENDED_FINE_TUNE
    }
    pending = {name: pending_run(name, point) for name, point in wanted.items()}
    pending |= {name: reset_run(run) for name, run in before.items() if name not in wanted}
    tracked = (
        track_run(run, before.get(name), objects.get(name), study.spec, now) for name, run in pending.items()
    )
    return [
        item for item in tracked if item.run.name in wanted or item.run.state is not StudyRunState.PENDING
    ]


def _gpus(study: BlendStudy) -> int:
    cluster = study.spec.template.spec.cluster
    return cluster.nodes * cluster.gpus_per_node


def _suspension_changes(
    study: BlendStudy, tracked: Sequence[TrackedRun]
) -> tuple[tuple[Object, ...], tuple[Object, ...]]:
    """The runs to suspend, and those to resume.

    Runs are resumed only when the study itself was suspended: one that a user suspended alone stays so.
    """
    active = [
        item.object
        for item in tracked
        if item.is_active and item.object is not None and not is_terminating(item.object)
    ]
    if study.spec.suspend:
        return tuple(obj for obj in active if not obj["spec"].get("suspend")), ()
    if is_true(study.status.conditions, ConditionType.SUSPENDED):
        return (), tuple(obj for obj in active if obj["spec"].get("suspend"))
    return (), ()
