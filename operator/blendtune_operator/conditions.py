"""metav1 conditions: how one is set, and the state that sums all of them up."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from blendtune_api.v1alpha1 import Condition, ConditionStatus, ConditionType, Reason, State

Conditions = tuple[Condition, ...]

_OF_SOME_RUNS = (ConditionType.DATA_REHEARSED, ConditionType.RECOMMENDED)  # the first: where it rehearses
FINE_TUNE_CONDITIONS = tuple(type for type in ConditionType if type not in _OF_SOME_RUNS)
RUBRIC_EVAL_CONDITIONS = (
    ConditionType.ACCEPTED,
    ConditionType.EVALUATION_SUCCEEDED,
    ConditionType.GATES_PASSED,
    ConditionType.SUSPENDED,
    ConditionType.SUCCEEDED,
    ConditionType.FAILED,
)
STUDY_CONDITIONS = (
    ConditionType.ACCEPTED,
    ConditionType.RECOMMENDED,
    ConditionType.SUSPENDED,
    ConditionType.SUCCEEDED,
    ConditionType.FAILED,
)
_STAGES = (
    (ConditionType.DATA_REHEARSED, State.REHEARSING),
    (ConditionType.DATA_BLENDED, State.BLENDING),
    (ConditionType.TRAINING_SUCCEEDED, State.TRAINING),
    (ConditionType.EVALUATION_SUCCEEDED, State.EVALUATING),
)
_ACTIVE_REASONS = (
    Reason.QUEUED,
    Reason.UNSCHEDULABLE,
    Reason.STARTING,
    Reason.IMAGE_PULL_FAILED,
    Reason.RUNNING,
)
_MESSAGE_LIMIT = 32_768  # of a metav1.Condition
REFUSALS = (
    Reason.INVALID_SPEC,
    Reason.NOT_SUPPORTED,
    Reason.UNKNOWN_GPU_TYPE,
    Reason.SERVICE_ACCOUNT_NOT_ALLOWED,
)


@dataclass(frozen=True, slots=True)
class Finding:
    """A condition's content, without its transition time and generation."""

    type: ConditionType
    status: ConditionStatus
    reason: str
    message: str


def timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC, to the second, as Kubernetes writes it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def moment(text: str) -> datetime:
    """The time of an RFC 3339 timestamp, aware."""
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def find(conditions: Iterable[Condition], type: ConditionType) -> Condition | None:
    return next((condition for condition in conditions if condition.type == type), None)


def is_true(conditions: Iterable[Condition], type: ConditionType) -> bool:
    condition = find(conditions, type)
    return condition is not None and condition.status is ConditionStatus.TRUE


def is_finished(conditions: Iterable[Condition]) -> bool:
    """Whether the run has succeeded or failed."""
    conditions = tuple(conditions)
    return is_true(conditions, ConditionType.SUCCEEDED) or is_true(conditions, ConditionType.FAILED)


def is_refused(conditions: Iterable[Condition]) -> bool:
    """Whether the spec is refused: only an edit of it, or of the operator's settings, lets it run."""
    accepted = find(conditions, ConditionType.ACCEPTED)
    return accepted is not None and accepted.status is ConditionStatus.FALSE and accepted.reason in REFUSALS


def set_condition(conditions: Conditions, finding: Finding, generation: int, now: datetime) -> Conditions:
    """The conditions with one of them set to `finding`; its transition time changes only with its status."""
    current = find(conditions, finding.type)
    same_status = current is not None and current.status is finding.status
    changed = Condition(
        type=finding.type,
        status=finding.status,
        reason=finding.reason,
        message=finding.message[:_MESSAGE_LIMIT],
        last_transition_time=current.last_transition_time if current and same_status else timestamp(now),
        observed_generation=generation,
    )
    if current is None:
        return (*conditions, changed)
    return tuple(changed if condition is current else condition for condition in conditions)


def initialise_conditions(
    conditions: Conditions, types: Iterable[ConditionType], generation: int, now: datetime
) -> Conditions:
    """The conditions, with those of `types` that are missing added as Unknown."""
    for type in types:
        if find(conditions, type) is None:
            unknown = Finding(type, ConditionStatus.UNKNOWN, Reason.PENDING, "not known yet")
            conditions = set_condition(conditions, unknown, generation, now)
    return conditions


def as_of_generation(conditions: Conditions, generation: int) -> Conditions:
    """The conditions, all of them of this generation: a plan looks at the whole object.

    `kubectl wait` waits for conditions that speak of the present spec.
    """
    return tuple(replace(condition, observed_generation=generation) for condition in conditions)


def state_of(conditions: Iterable[Condition]) -> State:
    """The one word that sums the conditions up, for people.

    A refused spec counts as failed, because it needs an edit, unless an attempt is still running: then the
    state is that of its stage. Any other obstacle leaves the run pending.
    """
    conditions = tuple(conditions)
    for type, state in (
        (ConditionType.SUCCEEDED, State.SUCCEEDED),
        (ConditionType.FAILED, State.FAILED),
        (ConditionType.SUSPENDED, State.SUSPENDED),
    ):
        if is_true(conditions, type):
            return state
    refused = is_refused(conditions)
    for type, state in _STAGES:
        stage = find(conditions, type)
        if stage is None or stage.status is ConditionStatus.TRUE:
            continue
        if refused and stage.reason not in _ACTIVE_REASONS:
            return State.FAILED
        if stage.reason in (Reason.QUEUED, Reason.UNSCHEDULABLE):
            return State.QUEUED
        return State.PENDING if stage.reason == Reason.PENDING else state
    return State.FAILED if refused else State.PENDING
