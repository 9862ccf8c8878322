"""How an attempt ends: with its result, with a failure, or because its child was removed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from blendtune_api.contract import MessageError
from blendtune_api.v1alpha1 import Attempt, Reason
from blendtune_operator.names import Object
from blendtune_operator.plan import StatusT
from blendtune_operator.plan import pods as pod_reading
from blendtune_operator.plan.attempts import backoff, close_attempt, last_attempt
from blendtune_operator.plan.causes import Cause, cause_of_failure
from blendtune_operator.plan.children import ended_at, failure_of, is_live
from blendtune_operator.plan.draft import Draft
from blendtune_operator.plan.lingering import how_to_free
from blendtune_operator.plan.phase import Stop
from blendtune_operator.plan.recorded import child_of
from blendtune_operator.plan.stage_run import (
    ResultT,
    StageRun,
    describe_pods,
    fail,
    wait,
    wait_under_same_reason,
)

PODS_LAG = timedelta(seconds=20)  # how far a list of pods may be behind what their Job says


def may_lack_ended_pods(draft: Draft[StatusT], child: Object, pods: Sequence[Object]) -> bool:
    """Whether the child ended less than PODS_LAG ago and no ended pod is listed: the list may be behind."""
    end = ended_at(child)
    if any(not is_live(pod) for pod in pods) or end is None:
        return False
    return draft.now - end < PODS_LAG


def handle_missing_child(
    draft: Draft[StatusT],
    stage: StageRun[ResultT],
    attempt: Attempt,
    child: Object | None,
    pods: Sequence[Object],
) -> Stop:
    """The child is gone or being deleted, by a suspension or by someone else.

    Once no pod of it is live, the attempt is closed, and another may follow.
    """
    live = [pod for pod in pods if is_live(pod)]
    if live or child is not None:
        left = f"{describe_pods(live)} left{how_to_free(live, draft.now)}"
        message = f"attempt {attempt.number} is being stopped: {left}"
        return wait_under_same_reason(draft, stage.condition, message)
    suspended = draft.reason_before(stage.condition) == Reason.SUSPENDED
    kind, name = child_of(draft.run, draft.status, attempt)
    reason = Reason.SUSPENDED if suspended else Reason.DISRUPTED
    text = "spec.suspend was set" if suspended else f"{kind} {name} was removed before it ended"
    close_attempt(draft, stage.condition, attempt, Cause(reason=reason, message=text, counted=False))
    draft.requeue_after(backoff(draft, last_attempt(draft.status, stage.stage)))
    return wait(draft, stage.condition, reason, text)


def handle_success(
    draft: Draft[StatusT],
    stage: StageRun[ResultT],
    attempt: Attempt,
    child: Object,
    pods: Sequence[Object],
) -> ResultT | Stop:
    """The child succeeded: closes the attempt and returns the result that its first pod left.

    Where that cannot be read another attempt reads it from the workspace; the second time in a row this
    counts as a failure.
    """
    try:
        result = pod_reading.outcome(pods, stage.container)
        if not isinstance(result, stage.result):
            raise MessageError(f"a {type(result).__name__} instead of a {stage.result.__name__}")
    except MessageError as error:
        message = (
            f"the {stage.stage} stage ended well but its result could not be read ({error}); "
            "another attempt reads it back from the workspace"
        )
        again = _was_result_missing(draft, stage, attempt.number - 1)
        cause = Cause(reason=Reason.RESULT_MISSING, message=message, exit_code=0, counted=again)
        return _retry_or_fail(draft, stage, attempt, cause, ended_at(child))
    cause = Cause(reason=Reason.COMPLETED, message="", exit_code=0, counted=False)
    close_attempt(draft, stage.condition, attempt, cause, ended_at(child))
    draft.update(failures=0)
    return result


def handle_failure(
    draft: Draft[StatusT],
    stage: StageRun[ResultT],
    attempt: Attempt,
    child: Object,
    pods: Sequence[Object],
) -> Stop:
    """The child failed: once all its pods have ended, the attempt is closed with what explains it best."""
    live = [pod for pod in pods if is_live(pod)]
    if live:  # the way they end may explain more than the first failure did
        message = (
            f"attempt {attempt.number} failed: waiting for {describe_pods(live)} to end"
            f"{how_to_free(live, draft.now)}"
        )
        return wait_under_same_reason(draft, stage.condition, message)
    cause = cause_of_failure(pods, failure_of(child))
    return _retry_or_fail(draft, stage, attempt, cause, ended_at(child))


def _retry_or_fail(
    draft: Draft[StatusT], stage: StageRun[ResultT], attempt: Attempt, cause: Cause, ended: datetime | None
) -> Stop:
    close_attempt(draft, stage.condition, attempt, cause, ended)
    backoff_limit = draft.run.spec.cluster.backoff_limit
    if cause.permanent:
        return fail(draft, stage.condition, cause.reason, cause.message)
    if draft.status.failures > backoff_limit:
        text = (
            f"attempt {attempt.number} was the last that spec.cluster.backoffLimit ({backoff_limit}) "
            f"allows; it ended so: {cause.message}"
        )
        return fail(draft, stage.condition, Reason.BACKOFF_LIMIT_EXCEEDED, text)
    draft.requeue_after(backoff(draft, last_attempt(draft.status, stage.stage)))
    text = f"attempt {attempt.number + 1} follows after: {cause.message}"
    return wait(draft, stage.condition, Reason.BACKING_OFF, text)


def _was_result_missing(draft: Draft[StatusT], stage: StageRun[ResultT], number: int) -> bool:
    """Whether the result of the attempt of this number could not be read either."""
    return any(
        attempt.stage is stage.stage
        and attempt.number == number
        and attempt.cause.startswith(Reason.RESULT_MISSING)
        for attempt in draft.status.attempts
    )
