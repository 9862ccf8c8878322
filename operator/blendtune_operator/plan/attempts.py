"""The attempts in status: when each started and ended, why it ended, and when the next one may start."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from blendtune_api.v1alpha1 import (
    ATTEMPTS_KEPT,
    Attempt,
    BlendedFineTuneStatus,
    ConditionType,
    Reason,
    RubricEvalStatus,
    Stage,
)
from blendtune_operator.conditions import moment, timestamp
from blendtune_operator.plan import StatusT
from blendtune_operator.plan.causes import Cause
from blendtune_operator.plan.draft import Draft

_CAUSE_LIMIT = 1024  # characters
_MAX_DOUBLINGS = 32


def last_attempt(status: BlendedFineTuneStatus | RubricEvalStatus, stage: Stage) -> Attempt | None:
    """The last recorded attempt of a stage, running or ended."""
    return next((attempt for attempt in reversed(status.attempts) if attempt.stage is stage), None)


def open_attempt(draft: Draft[StatusT], stage: Stage, number: int, start: datetime) -> Attempt:
    """Records an attempt that has started."""
    return record(draft, Attempt(stage=stage, number=number, start_time=timestamp(start)))


def record(draft: Draft[StatusT], attempt: Attempt) -> Attempt:
    """Records an attempt in place of its earlier record; only the last ATTEMPTS_KEPT attempts are kept."""
    identity = (attempt.stage, attempt.number)
    others: list[Attempt] = [
        other for other in draft.status.attempts if (other.stage, other.number) != identity
    ]
    draft.update(attempts=tuple([*others, attempt][-ATTEMPTS_KEPT:]))
    return attempt


def close_attempt(
    draft: Draft[StatusT],
    condition: ConditionType,
    attempt: Attempt,
    cause: Cause,
    ended: datetime | None = None,
) -> None:
    """Records the end of an attempt, adds its training time, and counts it as a failure if `cause` says so.

    `ended` is the end that its child reports, which may be long before this plan; None: now.
    """
    end = min(ended or draft.now, draft.now)
    add_running_time(draft, condition, attempt, end)
    text = f"{cause.reason}: {cause.message}" if cause.message else cause.reason.value
    closed = replace(
        attempt,
        end_time=timestamp(end),
        cause=text[:_CAUSE_LIMIT],
        exit_code=cause.exit_code,
        counted=cause.counted,
    )
    record(draft, closed)
    if cause.counted:
        draft.update(failures=draft.status.failures + 1)


def add_running_time(
    draft: Draft[StatusT], condition: ConditionType, attempt: Attempt, end: datetime
) -> None:
    """Adds the time from the attempt's start to `end`, if it was running: time in a queue is not counted."""
    if draft.reason_before(condition) != Reason.RUNNING:
        return
    ran = max((end - moment(attempt.start_time)).total_seconds(), 0.0)
    if attempt.stage is Stage.TRAIN:
        draft.update(training_seconds=training_seconds(draft.status) + ran)
    elif attempt.stage is Stage.REHEARSE and isinstance(draft.status, BlendedFineTuneStatus):
        draft.update(rehearsal_seconds=draft.status.rehearsal_seconds + ran)


def training_seconds(status: BlendedFineTuneStatus | RubricEvalStatus) -> float:
    """Training time of the attempts that ended."""
    return status.training_seconds if isinstance(status, BlendedFineTuneStatus) else 0.0


def backoff(draft: Draft[StatusT], last: Attempt | None) -> timedelta:
    """How long the next attempt still has to wait: the delay doubles with every counted failure."""
    if last is None or last.end_time is None:
        return timedelta()
    settings = draft.settings
    doublings = min(max(draft.status.failures - 1, 0), _MAX_DOUBLINGS)
    delay = min(settings.backoff_base * 2**doublings, settings.backoff_cap)
    left: timedelta = moment(last.end_time) + delay - draft.now
    return max(timedelta(), left)
