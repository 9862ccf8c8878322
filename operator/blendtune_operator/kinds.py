"""The kinds that are reconciled: `KINDS` says what differs between them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

from blendtune_api.blend_study import BlendStudy, BlendStudyStatus, StudyRunState
from blendtune_api.v1alpha1 import (
    Attempt,
    BlendedFineTune,
    BlendedFineTuneStatus,
    Condition,
    ConditionStatus,
    ConditionType,
    Reason,
    RubricEval,
    RubricEvalStatus,
)
from blendtune_operator import names
from blendtune_operator.conditions import find
from blendtune_operator.gang import BACKENDS
from blendtune_operator.names import Kind, Object, Run
from blendtune_operator.plan import AnyStatusT, Plan, StatusT, fine_tune, rubric_eval
from blendtune_operator.plan.blocked import blocked_plan
from blendtune_operator.plan.children import Children
from blendtune_operator.plan.progress import pod_to_ask
from blendtune_operator.plan.recorded import child_of, gang_of
from blendtune_operator.plan.study import plan as blend_study
from blendtune_operator.settings import Settings

ParentT = TypeVar("ParentT", BlendedFineTune, RubricEval, BlendStudy)


@dataclass(frozen=True, kw_only=True, slots=True)
class ParentKind(Generic[ParentT, AnyStatusT]):
    """What reconcile needs to know of a kind whose objects have children."""

    status: type[AnyStatusT]
    plan: Callable[[ParentT, Children, datetime, Settings], Plan[AnyStatusT]]
    blocked: Callable[[AnyStatusT, Reason, str, int, datetime, timedelta | None], Plan[AnyStatusT]]
    """The plan of an object that can't be planned, or whose child can't be created."""
    running_children: Callable[[ParentT, Children], Iterable[tuple[Kind, str]]]
    """Kind and name of the children that run according to the status."""
    without_uncreated: Callable[[AnyStatusT, AnyStatusT, str, Children], AnyStatusT]
    """The planned status, less what it says of children that could not be created.

    Its arguments: the status before, the planned status, the name of the object, its children.
    """
    has_failures: Callable[[AnyStatusT], bool]
    """Whether pods of a failed attempt may be left, or may explain its failure."""
    optional_children: tuple[Kind, ...] = ()  # kinds of children that an API server may not serve
    pod_to_ask: Callable[[ParentT, Children, datetime, Settings], Object | None] = lambda *_: None
    """The pod to ask for its progress now, if any."""


def _running_attempts(run: Run, _: Children) -> Iterator[tuple[Kind, str]]:
    for attempt in run.status.attempts:
        if attempt.end_time is None:
            yield child_of(run, run.status, attempt)


def _running_runs(study: BlendStudy, children: Children) -> Iterator[tuple[Kind, str]]:
    """Only those that the cache lacks: one that it shows is there."""
    for run in study.status.runs:
        cached = children.find(Kind.BLENDED_FINE_TUNE, run.name)
        if run.state is StudyRunState.RUNNING and cached is None:
            yield Kind.BLENDED_FINE_TUNE, run.name


def _has_failed_attempts(status: BlendedFineTuneStatus | RubricEvalStatus) -> bool:
    ended = (attempt for attempt in status.attempts if attempt.end_time is not None)
    return any(attempt.cause != Reason.COMPLETED for attempt in ended)


def _without_uncreated_attempts(before: StatusT, planned: StatusT, name: str, children: Children) -> StatusT:
    """A stage that has finished stays finished, and what has not begun is said as before."""

    def has_begun(attempt: Attempt) -> bool:
        child = names.attempt_child(name, attempt.stage, attempt.number, gang_of(planned))
        return attempt.end_time is not None or children.find(*child) is not None

    def as_known(condition: Condition) -> Condition | None:
        is_known = condition.status is not ConditionStatus.UNKNOWN
        return condition if is_known else find(before.conditions, ConditionType(condition.type))

    attempts = tuple(filter(has_begun, planned.attempts))
    return replace(
        planned,
        attempts=attempts,
        start_time=planned.start_time if attempts else before.start_time,
        conditions=tuple(known for item in planned.conditions if (known := as_known(item)) is not None),
    )


def _without_uncreated_runs(
    before: BlendStudyStatus, planned: BlendStudyStatus, _: str, children: Children
) -> BlendStudyStatus:
    """The status before, with the runs that were created."""
    created = {
        run.name: run for run in planned.runs if run.uid and children.find(Kind.BLENDED_FINE_TUNE, run.name)
    }
    known = tuple(created.pop(run.name, run) for run in before.runs)
    return replace(before, runs=(*known, *created.values()))


KINDS: Mapping[Kind, ParentKind[Any, Any]] = {
    Kind.BLENDED_FINE_TUNE: ParentKind(
        status=BlendedFineTuneStatus,
        plan=fine_tune.plan,
        blocked=blocked_plan,
        running_children=_running_attempts,
        without_uncreated=_without_uncreated_attempts,
        has_failures=_has_failed_attempts,
        optional_children=(
            *(backend.kind for backend in BACKENDS.values()),
            Kind.TRAINING_RUNTIME,
            Kind.WORKLOAD,
        ),
        pod_to_ask=pod_to_ask,
    ),
    Kind.RUBRIC_EVAL: ParentKind(
        status=RubricEvalStatus,
        plan=rubric_eval.plan,
        blocked=blocked_plan,
        running_children=_running_attempts,
        without_uncreated=_without_uncreated_attempts,
        has_failures=_has_failed_attempts,
        optional_children=(Kind.WORKLOAD,),
    ),
    Kind.BLEND_STUDY: ParentKind(
        status=BlendStudyStatus,
        plan=blend_study.plan,
        blocked=blend_study.blocked,
        running_children=_running_runs,
        without_uncreated=_without_uncreated_runs,
        has_failures=lambda _: False,
    ),
}
