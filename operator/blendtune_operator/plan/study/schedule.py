"""Which runs of a study start now, within its parallelism and its budget of GPU hours."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from blendtune_api.blend_study import BlendStudySpec, StudyRun, StudyRunState
from blendtune_operator.plan.study.runs import KnownRun

_SECONDS = 3600


@dataclass(frozen=True, kw_only=True, slots=True)
class Start:
    """A run to start. Its training may take so many GPU hours; None: any number."""

    name: str
    most_hours: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Schedule:
    """`unaffordable` are pending runs whose expected GPU hours would pass the budget."""

    starts: tuple[Start, ...] = ()
    unaffordable: tuple[str, ...] = ()


def schedule(spec: BlendStudySpec, known: Sequence[KnownRun]) -> Schedule:
    """What starts now, in the order of the runs."""
    failed = sum(item.run.state is StudyRunState.FAILED for item in known)
    if spec.suspend or (spec.stopping.failed_runs is not None and failed >= spec.stopping.failed_runs):
        return Schedule()
    free = spec.parallelism - sum(item.is_active for item in known)
    pending = [item.run for item in known if item.run.state is StudyRunState.PENDING]
    if spec.stopping.gpu_hours is None:
        return Schedule(starts=tuple(Start(name=run.name) for run in pending[: max(0, free)]))
    return _within(spec.stopping.gpu_hours, known, pending, free)


def _within(budget: float, known: Sequence[KnownRun], pending: Sequence[StudyRun], free: int) -> Schedule:
    """What starts within a budget, whatever the runs then take: it is dealt out among those under way.

    The first run of a size, length and method runs alone, and may take all that is left, for it shows how
    long one takes. Runs that start together share what is left in proportion to what is expected of them.
    """
    runs = [item.run for item in known]
    active = any(item.is_active for item in known)
    left = _left(budget, known)
    chosen: list[tuple[StudyRun, float]] = []
    unaffordable: list[str] = []
    for run in pending:
        hours = expected_hours(run, runs)
        if left <= 0 or (hours is not None and hours > left):
            unaffordable.append(run.name)
        elif hours is None:
            if not active and not chosen:
                return Schedule(starts=(Start(name=run.name, most_hours=left),))
        elif len(chosen) < free and sum(dealt for _, dealt in chosen) + hours <= left:
            chosen.append((run, hours))
    if not chosen:
        return Schedule(unaffordable=() if active else tuple(unaffordable))
    total = sum(hours for _, hours in chosen)
    return Schedule(
        starts=tuple(
            Start(name=run.name, most_hours=left * (hours / total if total else 1 / len(chosen)))
            for run, hours in chosen
        )
    )


def deadline_seconds(start: Start, gpus: int) -> int | None:
    """How long the training of a run on so many GPUs may take."""
    return None if start.most_hours is None else max(1, int(start.most_hours * _SECONDS / gpus))


def spent_hours(runs: Iterable[StudyRun]) -> float:
    return sum(run.gpu_hours or 0.0 for run in runs)


def expected_total(runs: Sequence[StudyRun]) -> float | None:
    """GPU hours by the end of the study; None while nothing tells how long one of its runs takes."""
    total = spent_hours(runs)
    for run in runs:
        if run.state in (StudyRunState.PENDING, StudyRunState.RUNNING):
            hours = expected_hours(run, runs)
            if hours is None:
                return None
            total += max(0.0, hours - _own(run))
    return total


def expected_hours(run: StudyRun, runs: Iterable[StudyRun]) -> float | None:
    """The most that a finished run of the same size, length and method took; None where there is none."""
    alike = [
        _own(other)
        for other in runs
        if other.state is StudyRunState.SUCCEEDED
        and other.gpu_hours is not None
        and (other.model, other.revision, other.epochs, other.method)
        == (run.model, run.revision, run.epochs, run.method)
    ]
    return max(alike, default=None)


def _own(run: StudyRun) -> float:
    """What its present BlendedFineTune took."""
    return max(0.0, (run.gpu_hours or 0.0) - run.removed_gpu_hours)


def _left(budget: float, known: Sequence[KnownRun]) -> float:
    """What the budget leaves to runs not yet started, whatever those under way may still take."""
    left = budget
    for item in known:
        left -= item.hours_by_now
        if item.is_active:
            if item.most_hours is None:
                return 0.0
            left -= max(0.0, item.most_hours - (item.hours_by_now - item.run.removed_gpu_hours))
    return left
