"""Which runs of a study start now, within its parallelism and its budget of GPU hours."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from blendtune_api.blend_study import BlendStudySpec, StudyRun, StudyRunState
from blendtune_operator.plan.study.runs import TrackedRun

_SECONDS = 3600


@dataclass(frozen=True, kw_only=True, slots=True)
class Start:
    """A run to start. Its training may take `max_hours` GPU hours; None: no limit."""

    name: str
    max_hours: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Schedule:
    """The runs to start. `unaffordable` names the pending runs that are expected to exceed the budget."""

    starts: tuple[Start, ...] = ()
    unaffordable: tuple[str, ...] = ()


def schedule(spec: BlendStudySpec, tracked: Sequence[TrackedRun]) -> Schedule:
    """The runs to start now, in the order of the runs."""
    failed = sum(item.run.state is StudyRunState.FAILED for item in tracked)
    if spec.suspend or (spec.stopping.failed_runs is not None and failed >= spec.stopping.failed_runs):
        return Schedule()
    free = spec.parallelism - sum(item.is_active for item in tracked)
    pending = [item.run for item in tracked if item.run.state is StudyRunState.PENDING]
    if spec.stopping.gpu_hours is None:
        return Schedule(starts=tuple(Start(name=run.name) for run in pending[: max(0, free)]))
    return _schedule_within(spec.stopping.gpu_hours, tracked, pending, free)


def _schedule_within(
    budget: float, tracked: Sequence[TrackedRun], pending: Sequence[StudyRun], free: int
) -> Schedule:
    """The runs to start within a budget of GPU hours, each with a limit: together they keep to the budget.

    The first run of a model, number of epochs and method runs alone and may take all that is left: it shows
    how long such a run takes. Runs that start together share what is left in proportion to the hours that are
    expected of them.
    """
    runs = [item.run for item in tracked]
    active = any(item.is_active for item in tracked)
    left = _remaining_hours(budget, tracked)
    chosen: list[tuple[StudyRun, float]] = []
    unaffordable: list[str] = []
    for run in pending:
        hours = expected_hours(run, runs)
        if left <= 0 or (hours is not None and hours > left):
            unaffordable.append(run.name)
        elif hours is None:
            if not active and not chosen:
                return Schedule(starts=(Start(name=run.name, max_hours=left),))
        elif len(chosen) < free and sum(expected for _, expected in chosen) + hours <= left:
            chosen.append((run, hours))
    if not chosen:
        return Schedule(unaffordable=() if active else tuple(unaffordable))
    total = sum(hours for _, hours in chosen)
    return Schedule(
        starts=tuple(
            Start(name=run.name, max_hours=left * (hours / total if total else 1 / len(chosen)))
            for run, hours in chosen
        )
    )


def deadline_seconds(start: Start, gpus: int) -> int | None:
    """How long the training of a run on so many GPUs may take; None: no limit."""
    return None if start.max_hours is None else max(1, int(start.max_hours * _SECONDS / gpus))


def spent_hours(runs: Iterable[StudyRun]) -> float:
    return sum(run.gpu_hours or 0.0 for run in runs)


def expected_total(runs: Sequence[StudyRun]) -> float | None:
    """The expected GPU hours of the whole study; None while those of one of its runs are unknown."""
    total = spent_hours(runs)
    for run in runs:
        if run.state in (StudyRunState.PENDING, StudyRunState.RUNNING):
            hours = expected_hours(run, runs)
            if hours is None:
                return None
            total += max(0.0, hours - _object_hours(run))
    return total


def expected_hours(run: StudyRun, runs: Iterable[StudyRun]) -> float | None:
    """The most GPU hours that a succeeded run of the same model, epochs and method took; None without one."""
    alike = [
        _object_hours(other)
        for other in runs
        if other.state is StudyRunState.SUCCEEDED
        and other.gpu_hours is not None
        and (other.model, other.revision, other.epochs, other.method)
        == (run.model, run.revision, run.epochs, run.method)
    ]
    return max(alike, default=None)


def _object_hours(run: StudyRun) -> float:
    """GPU hours of the run's present BlendedFineTune, without those of deleted ones."""
    return max(0.0, (run.gpu_hours or 0.0) - run.removed_gpu_hours)


def _remaining_hours(budget: float, tracked: Sequence[TrackedRun]) -> float:
    """What the budget leaves to runs not yet started when each active run takes all that it may."""
    left = budget
    for item in tracked:
        left -= item.hours_by_now
        if item.is_active:
            if item.max_hours is None:
                return 0.0
            left -= max(0.0, item.max_hours - (item.hours_by_now - item.run.removed_gpu_hours))
    return left
