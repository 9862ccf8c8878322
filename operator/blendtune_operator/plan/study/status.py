"""The status of a study: its conditions, its counts, and the recommendation once it has ended."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from blendtune_api.blend_study import (
    MAX_RUNS,
    BlendStudy,
    BlendStudyStatus,
    GpuHours,
    RecommendationStatus,
    RecommendationVerdict,
    RunCounts,
    StudyRun,
    StudyRunState,
    StudyState,
)
from blendtune_api.v1alpha1 import ConditionStatus, ConditionType, Reason
from blendtune_operator.conditions import (
    STUDY_CONDITIONS,
    Conditions,
    Finding,
    as_of_generation,
    find,
    initialise_conditions,
    is_refused,
    is_true,
    set_condition,
    timestamp,
)
from blendtune_operator.plan.study.observation import summarise
from blendtune_operator.plan.study.presentation import recommendation_status, setting_status
from blendtune_operator.plan.study.recommendation import pareto_front, recommend
from blendtune_operator.plan.study.runs import observations
from blendtune_operator.plan.study.schedule import Schedule, expected_total, spent_hours

_HOUR_DIGITS = 4
_RECOMMENDED = {
    RecommendationVerdict.RECOMMENDED: (ConditionStatus.TRUE, Reason.RECOMMENDED),
    RecommendationVerdict.CANNOT_TELL: (ConditionStatus.UNKNOWN, Reason.CANNOT_TELL),
    RecommendationVerdict.NONE_ALLOWED: (ConditionStatus.FALSE, Reason.NONE_ALLOWED),
}


def study_status(
    study: BlendStudy, runs: tuple[StudyRun, ...], due: Schedule, accepted: Finding, now: datetime
) -> BlendStudyStatus:
    """The status. `runs` are the study's runs as they are once those that `due` starts have started."""
    before, objective = study.status, study.spec.objective
    observed = tuple(observations(runs, objective))
    ending = None if accepted.status is ConditionStatus.FALSE else _ending(study, runs, due)
    recommendation = None
    if ending is not None:
        recommendation = recommendation_status(recommend(observed, objective.subject_to.most), objective)
    conditions = initialise_conditions(before.conditions, STUDY_CONDITIONS, study.metadata.generation, now)
    for finding in (
        accepted,
        _suspended(study, before.conditions),
        _recommended(recommendation, runs),
        *_end_findings(ending, runs),
    ):
        conditions = set_condition(conditions, finding, study.metadata.generation, now)
    conditions = as_of_generation(conditions, study.metadata.generation)
    expected = expected_total(runs)
    return replace(
        before,
        observed_generation=study.metadata.generation,
        start_time=before.start_time or (timestamp(now) if _have_started(runs) else None),
        completion_time=None if ending is None else before.completion_time or timestamp(now),
        state=state_of(conditions, runs),
        conditions=conditions,
        counts=_counts(runs),
        gpu_hours=GpuHours(
            spent=round(spent_hours(runs), _HOUR_DIGITS),
            expected=None if expected is None else round(expected, _HOUR_DIGITS),
        ),
        runs=runs,
        pareto_front=tuple(map(setting_status, pareto_front(summarise(observed))))[:MAX_RUNS],
        recommendation=recommendation,
    )


def state_of(conditions: Conditions, runs: Sequence[StudyRun]) -> StudyState:
    """The one word that sums the study up, for people."""
    for type, state in (
        (ConditionType.SUCCEEDED, StudyState.SUCCEEDED),
        (ConditionType.FAILED, StudyState.FAILED),
        (ConditionType.SUSPENDED, StudyState.SUSPENDED),
    ):
        if is_true(conditions, type):
            return state
    if is_refused(conditions):
        return StudyState.FAILED
    return StudyState.RUNNING if _have_started(runs) else StudyState.PENDING


def _ending(study: BlendStudy, runs: Sequence[StudyRun], due: Schedule) -> Finding | None:
    """How the study has ended; None while a run is running or pending."""
    counts, stopping = _counts(runs), study.spec.stopping
    succeeded, failed, true = ConditionType.SUCCEEDED, ConditionType.FAILED, ConditionStatus.TRUE
    if counts.running:
        return None
    if stopping.failed_runs is not None and counts.failed >= stopping.failed_runs:
        message = (
            f"{counts.failed} runs failed, and spec.stopping.failedRuns is {stopping.failed_runs}: "
            f"{_failures(runs)}"
        )
        return Finding(failed, true, Reason.TOO_MANY_FAILED_RUNS, message)
    if due.unaffordable:
        message = (
            f"{_done(runs)}: another would pass spec.stopping.gpuHours ({stopping.gpu_hours:g}), of which "
            f"{spent_hours(runs):.2f} are spent"
        )
        return Finding(succeeded, true, Reason.GPU_HOURS_SPENT, message)
    if counts.succeeded + counts.failed < counts.total:
        return None
    if not counts.succeeded:
        return Finding(failed, true, Reason.NO_RUN_SUCCEEDED, f"every run failed: {_failures(runs)}")
    failures = f", of which {counts.failed} failed: {_failures(runs)}" if counts.failed else ""
    return Finding(succeeded, true, Reason.COMPLETED, f"{_done(runs)}{failures}")


def _end_findings(ending: Finding | None, runs: Sequence[StudyRun]) -> Iterator[Finding]:
    unknown = ConditionStatus.UNKNOWN
    if ending is None:
        reason = Reason.RUNNING if _have_started(runs) else Reason.PENDING
        yield Finding(ConditionType.SUCCEEDED, unknown, reason, _done(runs))
        yield Finding(ConditionType.FAILED, unknown, Reason.PENDING, _done(runs))
        return
    yield ending
    other = ConditionType.FAILED if ending.type is ConditionType.SUCCEEDED else ConditionType.SUCCEEDED
    yield Finding(other, ConditionStatus.FALSE, ending.reason, ending.message)


def _recommended(recommendation: RecommendationStatus | None, runs: Sequence[StudyRun]) -> Finding:
    type = ConditionType.RECOMMENDED
    if recommendation is None:
        return Finding(type, ConditionStatus.UNKNOWN, Reason.PENDING, _done(runs))
    status, reason = _RECOMMENDED[recommendation.verdict]
    return Finding(type, status, reason, recommendation.message)


def _suspended(study: BlendStudy, conditions: Conditions) -> Finding:
    type, before = ConditionType.SUSPENDED, find(conditions, ConditionType.SUSPENDED)
    if study.spec.suspend:
        message = "spec.suspend is true: no run starts, and those under way are suspended"
        return Finding(type, ConditionStatus.TRUE, Reason.SUSPENDED, message)
    if before is not None and (before.status is ConditionStatus.TRUE or before.reason == Reason.RESUMED):
        return Finding(type, ConditionStatus.FALSE, Reason.RESUMED, "spec.suspend is false again")
    return Finding(type, ConditionStatus.FALSE, Reason.NOT_SUSPENDED, "spec.suspend is false")


def _have_started(runs: Sequence[StudyRun]) -> bool:
    return any(run.state is not StudyRunState.PENDING for run in runs)


def _counts(runs: Sequence[StudyRun]) -> RunCounts:
    states = [run.state for run in runs]
    return RunCounts(
        total=len(runs),
        running=states.count(StudyRunState.RUNNING),
        succeeded=states.count(StudyRunState.SUCCEEDED),
        failed=states.count(StudyRunState.FAILED),
    )


def _done(runs: Sequence[StudyRun]) -> str:
    counts = _counts(runs)
    return f"{counts.succeeded + counts.failed} of {counts.total} runs are done"


def _failures(runs: Sequence[StudyRun]) -> str:
    """The failed runs by name, and why the first of them failed."""
    failed = [run for run in runs if run.state is StudyRunState.FAILED]
    return f"{', '.join(run.name for run in failed)} ({failed[0].message})"
