"""How an attempt ends: with its outcome, with a failure and another attempt after it, or by being removed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from blendtune_api.contract import MessageError, Outcome
from blendtune_api.v1alpha1 import Attempt, Reason
from blendtune_operator import names
from blendtune_operator.names import Object
from blendtune_operator.plan import StatusT
from blendtune_operator.plan import pods as pod_reading
from blendtune_operator.plan.attempts import backoff, close_attempt, last_attempt
from blendtune_operator.plan.children import ended_at, failure_of, is_live
from blendtune_operator.plan.draft import Draft
from blendtune_operator.plan.pods import Cause
from blendtune_operator.plan.stage_run import StageRun, fail, hold, named, wait

PODS_LAG = timedelta(seconds=20)  # how far a list of pods may be behind what their Job says


def is_unexplained(draft: Draft[StatusT], child: Object, pods: Sequence[Object]) -> bool:
    """Whether a child has just ended, and no pod is seen that could say how: the list may be behind."""
    end = ended_at(child)
    if any(not is_live(pod) for pod in pods) or end is None:
        return False
    return draft.now - end < PODS_LAG


def lose(
    draft: Draft[StatusT],
    stage: StageRun,
    attempt: Attempt,
    child: Object | None,
    pods: Sequence[Object],
) -> None:
    """The child is gone or going: the run was suspended, or someone removed it."""
    live = [pod for pod in pods if is_live(pod)]
    if live or child is not None:
        hold(draft, stage, f"attempt {attempt.number} is being stopped: {named(live)} left")
        return
    suspended = draft.reason_before(stage.condition) == Reason.SUSPENDED
    kind, name = names.attempt_child(draft.run.metadata.name, stage.stage, attempt.number)
    reason = Reason.SUSPENDED if suspended else Reason.DISRUPTED
    text = "spec.suspend was set" if suspended else f"{kind} {name} was removed before it ended"
    close_attempt(draft, stage.condition, attempt, Cause(reason=reason, message=text, counted=False))
    wait(draft, stage, reason, text)
    draft.look_again(backoff(draft, last_attempt(draft.status, stage.stage)))


def take_outcome(
    draft: Draft[StatusT], stage: StageRun, attempt: Attempt, child: Object, pods: Sequence[Object]
) -> Outcome | None:
    try:
        outcome = pod_reading.outcome(pods, stage.container)
        if not isinstance(outcome, stage.result):
            raise MessageError(f"a {type(outcome).__name__} instead of a {stage.result.__name__}")
    except MessageError as error:
        message = (
            f"the {stage.stage} stage ended well but its result could not be read ({error}); "
            "another attempt reads it back from the workspace"
        )
        again = _result_was_missing(draft, stage, attempt.number - 1)
        cause = Cause(reason=Reason.RESULT_MISSING, message=message, exit_code=0, counted=again)
        _retry_or_fail(draft, stage, attempt, cause, ended_at(child))
        return None
    cause = Cause(reason=Reason.COMPLETED, message="", exit_code=0, counted=False)
    close_attempt(draft, stage.condition, attempt, cause, ended_at(child))
    draft.update(failures=0)
    return outcome


def take_failure(
    draft: Draft[StatusT], stage: StageRun, attempt: Attempt, child: Object, pods: Sequence[Object]
) -> None:
    live = [pod for pod in pods if is_live(pod)]
    if live:  # how they end may explain more than the first end did
        hold(draft, stage, f"attempt {attempt.number} failed: waiting for {named(live)} to end")
        return
    cause = pod_reading.cause_of_failure(pods, failure_of(child))
    _retry_or_fail(draft, stage, attempt, cause, ended_at(child))


def _retry_or_fail(
    draft: Draft[StatusT], stage: StageRun, attempt: Attempt, cause: Cause, ended: datetime | None
) -> None:
    close_attempt(draft, stage.condition, attempt, cause, ended)
    if cause.permanent:
        fail(draft, stage.condition, cause.reason, cause.message)
    elif draft.status.failures > stage.backoff_limit:
        text = (
            f"attempt {attempt.number} was the last that spec.cluster.backoffLimit ({stage.backoff_limit}) "
            f"allows; it ended so: {cause.message}"
        )
        fail(draft, stage.condition, Reason.BACKOFF_LIMIT_EXCEEDED, text)
    else:
        wait(draft, stage, Reason.BACKING_OFF, f"attempt {attempt.number + 1} follows after: {cause.message}")
        draft.look_again(backoff(draft, last_attempt(draft.status, stage.stage)))


def _result_was_missing(draft: Draft[StatusT], stage: StageRun, number: int) -> bool:
    """Whether that attempt left nothing either: then it is no accident, and counts."""
    return any(
        attempt.stage is stage.stage
        and attempt.number == number
        and attempt.cause.startswith(Reason.RESULT_MISSING)
        for attempt in draft.status.attempts
    )
