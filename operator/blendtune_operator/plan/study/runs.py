"""The runs of a study: read from their BlendedFineTunes while these exist, else from the study's status."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from blendtune_api import codec
from blendtune_api.blend_study import BlendStudySpec, Objective, StudyRun, StudyRunState, StudyScore
from blendtune_api.v1alpha1 import (
    BlendedFineTune,
    Candidate,
    CandidateScope,
    ConditionType,
    EvaluationSummary,
    Metric,
    Reason,
    Stage,
)
from blendtune_core.gates import scope_of
from blendtune_core.power import critical_of
from blendtune_core.verdict import COVERAGE_FLOOR
from blendtune_operator.conditions import find, is_true, moment
from blendtune_operator.names import Object
from blendtune_operator.plan.attempts import last_attempt
from blendtune_operator.plan.study.beside_rubric import beside_the_rubric
from blendtune_operator.plan.study.observation import Interval, Observation, Setting
from blendtune_operator.plan.study.points import Point, model_name

_MESSAGE_LIMIT = 1024
_HOUR_DIGITS = 4
_ALWAYS_SHOWN = (Metric.GENERAL, Metric.IN_DOMAIN)


@dataclass(frozen=True, kw_only=True, slots=True)
class TrackedRun:
    """A run with its BlendedFineTune; None where it does not exist.

    `hours_by_now` are its GPU hours including those of a running attempt. `max_hours` is the most that its
    BlendedFineTune may take in all, its rehearsal as far as it ended; None: no limit.
    """

    run: StudyRun
    object: Object | None = None
    hours_by_now: float = 0.0
    max_hours: float | None = None

    @property
    def is_active(self) -> bool:
        return self.run.state is StudyRunState.RUNNING


def track_run(
    pending: StudyRun, before: StudyRun | None, obj: Object | None, spec: BlendStudySpec, now: datetime
) -> TrackedRun:
    """One run, from its BlendedFineTune `obj`, from `before` in the status, or else `pending`.

    The result of a run remains when its BlendedFineTune is deleted. A run whose BlendedFineTune was deleted
    before its end is pending again; the GPU hours it took remain counted.
    """
    if obj is None:
        run = before or pending
        if run.state is StudyRunState.RUNNING:
            spent = run.gpu_hours or 0.0
            run = replace(pending, gpu_hours=run.gpu_hours, removed_gpu_hours=spent)
        return TrackedRun(run=run, hours_by_now=run.gpu_hours or 0.0)
    child = _read(obj)
    if child is None:
        message = "its BlendedFineTune cannot be read by this version of the operator"
        run = replace(before or pending, state=StudyRunState.RUNNING, message=message)
        return TrackedRun(run=run, object=obj, hours_by_now=run.gpu_hours or 0.0)
    uid = str(obj["metadata"]["uid"])
    removed = before.removed_gpu_hours if before else 0.0
    hours = removed + _ended_hours(child)
    run = replace(
        pending,
        state=_state(child),
        uid=uid,
        gpu_hours=round(hours, _HOUR_DIGITS),
        removed_gpu_hours=removed,
        message=_message(child),
    )
    summary = child.status.evaluation
    if run.state is StudyRunState.SUCCEEDED and summary is not None:
        run = replace(
            run,
            scores=tuple(_scores(summary, spec.objective)),
            candidates=_candidates(summary) if spec.axes.interpolation else (),
            verdict=summary.verdict,
            message=summary.not_compared[:_MESSAGE_LIMIT],
        )
    deadline = child.spec.cluster.active_deadline_seconds
    return TrackedRun(
        run=run,
        object=obj,
        hours_by_now=hours + _running_hours(child, now),
        max_hours=None if deadline is None else deadline * _gpus(child) / 3600 + _rehearsal_hours(child),
    )


def pending_run(name: str, point: Point) -> StudyRun:
    """The run of a point before it starts."""
    return StudyRun(
        name=name,
        in_domain_share=point.share,
        model=point.model.uri,
        revision=point.model.revision,
        epochs=point.epochs,
        method=point.method,
        learning_rate=point.learning_rate,
        seed=point.seed,
    )


def reset_run(run: StudyRun) -> StudyRun:
    """The run as it was before it started."""
    return StudyRun(
        name=run.name,
        in_domain_share=run.in_domain_share,
        model=run.model,
        revision=run.revision,
        epochs=run.epochs,
        method=run.method,
        learning_rate=run.learning_rate,
        seed=run.seed,
    )


def observations(runs: Iterable[StudyRun], objective: Objective) -> Iterator[Observation]:
    """The succeeded runs that have both scores, the constrained one compared with the base model's.

    Of a run with candidates each of them is one.
    """
    for run in runs:
        if run.state is not StudyRunState.SUCCEEDED:
            continue
        if run.candidates:
            yield from _between(run)
            continue
        scores = {score.name: score for score in run.scores}
        maximized, constrained = scores.get(objective.maximize), scores.get(objective.subject_to.metric)
        if maximized is None or constrained is None:
            continue
        change, objective_score, kept = _change(constrained), _interval(maximized), _interval(constrained)
        if change is None or objective_score is None or kept is None:
            continue
        yield Observation(
            setting=setting_of(run),
            seed=run.seed,
            objective=objective_score,
            constrained=kept,
            change=change,
            gain=maximized.delta,
            gpu_hours=run.gpu_hours,
        )


def _between(run: StudyRun) -> Iterator[Observation]:
    """The points of a run's training: in-domain is what is maximized, general what is bounded.

    The error of a candidate's score is taken to be that of its difference from the base model's.
    """
    for each in run.candidates:
        gain, change = _delta(each.in_domain), _delta(each.general)
        if each.in_domain is None or each.general is None or gain is None or change is None:
            continue
        yield Observation(
            setting=replace(setting_of(run), weight=each.weight),
            seed=run.seed,
            objective=_around(each.in_domain.score, gain),
            constrained=_around(each.general.score, change),
            change=change,
            gain=gain.value,
            gpu_hours=run.gpu_hours,
            critical=critical_of(len(run.candidates)),
        )


def setting_of(run: StudyRun) -> Setting:
    return Setting(
        share=run.in_domain_share,
        model=model_name(run.model, run.revision),
        epochs=run.epochs,
        method=run.method,
        learning_rate=run.learning_rate or 0.0,
    )


def by_name(runs: Iterable[StudyRun]) -> Mapping[str, StudyRun]:
    return {run.name: run for run in runs}


def _read(obj: Object) -> BlendedFineTune | None:
    try:
        child = codec.decode_object(obj)
    except codec.InvalidObject:
        return None
    return child if isinstance(child, BlendedFineTune) else None


def _state(child: BlendedFineTune) -> StudyRunState:
    if is_true(child.status.conditions, ConditionType.SUCCEEDED):
        return StudyRunState.SUCCEEDED
    if is_true(child.status.conditions, ConditionType.FAILED):
        return StudyRunState.FAILED
    return StudyRunState.RUNNING


def _message(child: BlendedFineTune) -> str:
    failed = find(child.status.conditions, ConditionType.FAILED)
    if failed is None or not is_true(child.status.conditions, ConditionType.FAILED):
        return ""
    return f"{failed.reason}: {failed.message}"[:_MESSAGE_LIMIT]


def _gpus(child: BlendedFineTune) -> int:
    return child.spec.cluster.nodes * child.spec.cluster.gpus_per_node


def _ended_hours(child: BlendedFineTune) -> float:
    """GPU hours of the rehearsal and training attempts that ended.

    Those of the training are the larger of what the trainer measured and how long they ran.
    """
    measured = child.status.training.gpu_seconds if child.status.training else None
    trained = max(measured or 0.0, child.status.training_seconds * _gpus(child))
    return trained / 3600 + _rehearsal_hours(child)


def _rehearsal_hours(child: BlendedFineTune) -> float:
    return child.status.rehearsal_seconds * child.spec.cluster.rehearse.gpus / 3600


def _running_hours(child: BlendedFineTune, now: datetime) -> float:
    """GPU hours of the running attempt; 0 without one."""
    for stage, type, gpus in (
        (Stage.REHEARSE, ConditionType.DATA_REHEARSED, child.spec.cluster.rehearse.gpus),
        (Stage.TRAIN, ConditionType.TRAINING_SUCCEEDED, _gpus(child)),
    ):
        attempt, condition = last_attempt(child.status, stage), find(child.status.conditions, type)
        runs = condition is not None and condition.reason == Reason.RUNNING
        if attempt is not None and not attempt.end_time and runs:
            return max(0.0, (now - moment(attempt.start_time)).total_seconds()) * gpus / 3600
    return 0.0


def _scores(summary: EvaluationSummary, objective: Objective) -> Iterator[StudyScore]:
    """The scores that a study shows and compares; none where too few questions were scored."""
    if summary.coverage is not None and summary.coverage < COVERAGE_FLOOR:
        return
    bound = objective.subject_to
    if not bound.is_score:
        yield from beside_the_rubric(bound, summary)
    for metric in dict.fromkeys((*_ALWAYS_SHOWN, objective.maximize, bound.metric)):
        scope = scope_of(metric, summary)
        if scope is None or scope.score is None or scope.low is None or scope.high is None:
            continue
        yield StudyScore(
            name=metric,
            score=scope.score,
            low=scope.low,
            high=scope.high,
            delta=scope.delta,
            delta_low=scope.delta_low,
            delta_high=scope.delta_high,
        )


def _candidates(summary: EvaluationSummary) -> tuple[Candidate, ...]:
    """The models of which the run took one; none where too few questions were scored."""
    if summary.interpolation is None or (summary.coverage or 0.0) < COVERAGE_FLOOR:
        return ()
    return summary.interpolation.candidates


def _delta(scope: CandidateScope | None) -> Interval | None:
    if scope is None or scope.delta is None or scope.low is None or scope.high is None:
        return None
    return Interval(value=scope.delta, low=scope.low, high=scope.high)


def _around(score: float, delta: Interval) -> Interval:
    """A score with the error of its difference."""
    return Interval(value=score, low=score - delta.value + delta.low, high=score - delta.value + delta.high)


def _interval(score: StudyScore) -> Interval | None:
    """The score; of what has none, its change."""
    if score.score is None or score.low is None or score.high is None:
        return _change(score)
    return Interval(value=score.score, low=score.low, high=score.high)


def _change(score: StudyScore) -> Interval | None:
    if score.delta is None or score.delta_low is None or score.delta_high is None:
        return None
    return Interval(value=score.delta, low=score.delta_low, high=score.delta_high)
