"""Runs one stage to its outcome, attempt by attempt: one Job or PyTorchJob is one attempt.

An attempt is on record from the moment its child is created until its end and its cause are known. The next
one starts when no pod of the last is left, after a back-off.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from blendtune_api.contract import MessageError, Outcome
from blendtune_api.v1alpha1 import ATTEMPTS_KEPT, Attempt, ConditionStatus, ConditionType, Reason, Stage
from blendtune_operator import names
from blendtune_operator.conditions import moment, timestamp
from blendtune_operator.names import Object
from blendtune_operator.plan import StatusT
from blendtune_operator.plan import pods as pod_reading
from blendtune_operator.plan.attempts import (
    add_training_time,
    backoff,
    close_attempt,
    last_attempt,
    open_attempt,
    record,
    training_seconds,
)
from blendtune_operator.plan.children import (
    JobPhase,
    ended_at,
    failure_of,
    is_live,
    is_terminating,
    phase_of,
)
from blendtune_operator.plan.draft import Draft
from blendtune_operator.plan.pods import Cause

_PODS_LAG = timedelta(seconds=20)  # how far a list of pods may be behind what their Job says


@dataclass(frozen=True, kw_only=True, slots=True)
class StageRun:
    """How a stage is run. `render` makes the child of an attempt, and whatever that child needs beside it."""

    stage: Stage
    condition: ConditionType
    container: str
    result: type[Outcome]
    render: Callable[[int], tuple[Object, ...]]
    backoff_limit: int
    deadline: timedelta | None = None


def run_stage(draft: Draft[StatusT], stage: StageRun) -> Outcome | None:
    """The outcome of the stage once an attempt succeeded; None until then, and the draft says why."""
    attempt = _present_attempt(draft, stage)
    if attempt is None or attempt.end_time is not None:
        _start_next(draft, stage, attempt)
        return None
    child = draft.children.find(*names.attempt_child(draft.run.metadata.name, stage.stage, attempt.number))
    pods = draft.children.pods(stage.stage, attempt.number)
    if child is None or is_terminating(child):
        _lose(draft, stage, attempt, child, pods)
        return None
    match phase_of(child):
        case JobPhase.SUCCEEDED | JobPhase.FAILED if _is_unexplained(draft, child, pods):
            _hold(draft, stage, f"attempt {attempt.number} has ended; what its pods left is being read")
            draft.look_again(_PODS_LAG / 10)
        case JobPhase.SUCCEEDED:
            return _take_outcome(draft, stage, attempt, pods)
        case JobPhase.FAILED:
            _take_failure(draft, stage, attempt, child, pods)
        case _ if draft.run.spec.suspend:
            _stop(draft, stage, attempt, child)
        case JobPhase.QUEUED:
            _queue(draft, stage, attempt)
        case JobPhase.ACTIVE:
            _watch(draft, stage, attempt, child, pods)
    return None


def fail(draft: Draft[StatusT], condition: ConditionType, reason: str, message: str) -> None:
    """Ends the run: the stage failed for good."""
    draft.set(condition, ConditionStatus.FALSE, reason, message)
    draft.set(ConditionType.SUCCEEDED, ConditionStatus.FALSE, reason, message)
    draft.set(ConditionType.FAILED, ConditionStatus.TRUE, reason, message)
    draft.update(completion_time=timestamp(draft.now))


def _is_unexplained(draft: Draft[StatusT], child: Object, pods: Sequence[Object]) -> bool:
    """Whether a child has just ended, and no pod is seen that could say how: the list may be behind."""
    end = ended_at(child)
    if any(not is_live(pod) for pod in pods) or end is None:
        return False
    return draft.now - moment(end) < _PODS_LAG


def _present_attempt(draft: Draft[StatusT], stage: StageRun) -> Attempt | None:
    """The last attempt on record, or a later one whose child is there though its record was never written."""
    attempt = last_attempt(draft.status, stage.stage)
    found = draft.children.attempts(stage.stage)
    latest = max(found, default=0)
    if latest <= (attempt.number if attempt else 0):
        return attempt
    created = found[latest]["metadata"].get("creationTimestamp")
    return _open(draft, stage, latest, created or timestamp(draft.now))


def _open(draft: Draft[StatusT], stage: StageRun, number: int, start: str) -> Attempt:
    draft.update(start_time=draft.status.start_time or start)
    return open_attempt(draft, stage.stage, number, moment(start))


def _start_next(draft: Draft[StatusT], stage: StageRun, last: Attempt | None) -> None:
    number = last.number + 1 if last else 1
    live = [pod for pod in draft.children.pods(stage.stage) if is_live(pod)]
    if draft.run.spec.suspend:
        return
    if draft.obstacle is not None:
        _wait(draft, stage, Reason.PENDING, f"attempt {number} cannot start: {draft.obstacle.message}")
        return
    if live:
        _wait(
            draft,
            stage,
            Reason.BACKING_OFF,
            f"attempt {number} waits for the last to end: {_named(live)} left",
        )
        return
    if _is_past_deadline(draft, stage, timedelta()):
        return
    delay = backoff(draft, last)
    if delay > timedelta():
        _wait(
            draft, stage, Reason.BACKING_OFF, f"attempt {number} follows after: {last.cause if last else ''}"
        )
        draft.look_again(delay)
        return
    for obj in stage.render(number):
        draft.create(obj)
    for old, child in draft.children.attempts(stage.stage).items():
        if old <= number - ATTEMPTS_KEPT:
            draft.delete(child)
    _open(draft, stage, number, timestamp(draft.now))
    _wait(draft, stage, Reason.STARTING, f"attempt {number} is starting")


def _stop(draft: Draft[StatusT], stage: StageRun, attempt: Attempt, child: Object) -> None:
    """Deletes the child of a run that shall be suspended: its pods get SIGTERM and time for a checkpoint."""
    add_training_time(draft, stage.condition, attempt)
    draft.delete(child)
    _wait(draft, stage, Reason.SUSPENDED, f"attempt {attempt.number} is being stopped")


def _lose(
    draft: Draft[StatusT],
    stage: StageRun,
    attempt: Attempt,
    child: Object | None,
    pods: Sequence[Object],
) -> None:
    """The child is gone or going: the run was suspended, or someone removed it."""
    live = [pod for pod in pods if is_live(pod)]
    if live or child is not None:
        _hold(draft, stage, f"attempt {attempt.number} is being stopped: {_named(live)} left")
        return
    suspended = draft.reason_before(stage.condition) == Reason.SUSPENDED
    kind, name = names.attempt_child(draft.run.metadata.name, stage.stage, attempt.number)
    reason = Reason.SUSPENDED if suspended else Reason.DISRUPTED
    text = "spec.suspend was set" if suspended else f"{kind} {name} was removed before it ended"
    close_attempt(draft, stage.condition, attempt, Cause(reason=reason, message=text, counted=False))
    _wait(draft, stage, reason, text)
    draft.look_again(backoff(draft, last_attempt(draft.status, stage.stage)))


def _take_outcome(
    draft: Draft[StatusT], stage: StageRun, attempt: Attempt, pods: Sequence[Object]
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
        _retry_or_fail(
            draft, stage, attempt, Cause(reason=Reason.RESULT_MISSING, message=message, exit_code=0)
        )
        return None
    cause = Cause(reason=Reason.COMPLETED, message="", exit_code=0, counted=False)
    close_attempt(draft, stage.condition, attempt, cause)
    draft.update(failures=0)
    return outcome


def _take_failure(
    draft: Draft[StatusT], stage: StageRun, attempt: Attempt, child: Object, pods: Sequence[Object]
) -> None:
    live = [pod for pod in pods if is_live(pod)]
    if live:  # how they end may explain more than the first end did
        _hold(draft, stage, f"attempt {attempt.number} failed: waiting for {_named(live)} to end")
        return
    _retry_or_fail(draft, stage, attempt, pod_reading.cause_of_failure(pods, failure_of(child)))


def _retry_or_fail(draft: Draft[StatusT], stage: StageRun, attempt: Attempt, cause: Cause) -> None:
    close_attempt(draft, stage.condition, attempt, cause)
    if cause.permanent:
        fail(draft, stage.condition, cause.reason, cause.message)
    elif draft.status.failures > stage.backoff_limit:
        text = (
            f"attempt {attempt.number} was the last that spec.cluster.backoffLimit ({stage.backoff_limit}) "
            f"allows; it ended so: {cause.message}"
        )
        fail(draft, stage.condition, Reason.BACKOFF_LIMIT_EXCEEDED, text)
    else:
        _wait(
            draft, stage, Reason.BACKING_OFF, f"attempt {attempt.number + 1} follows after: {cause.message}"
        )
        draft.look_again(backoff(draft, last_attempt(draft.status, stage.stage)))


def _queue(draft: Draft[StatusT], stage: StageRun, attempt: Attempt) -> None:
    """A queue holds the child back, or took its pods away again: then the time they ran is put on record."""
    add_training_time(draft, stage.condition, attempt)
    queue = draft.run.spec.cluster.queue_name
    place = f" in queue {queue}" if queue else ""
    _wait(draft, stage, Reason.QUEUED, f"attempt {attempt.number} waits{place} for room")


def _watch(
    draft: Draft[StatusT], stage: StageRun, attempt: Attempt, child: Object, pods: Sequence[Object]
) -> None:
    if draft.reason_before(stage.condition) != Reason.RUNNING:
        since = pod_reading.running_since(pods)
        obstacle = pod_reading.obstacle(pods)
        if obstacle is not None:
            _wait(draft, stage, obstacle.reason, obstacle.message)
            return
        if since is None:
            _wait(draft, stage, Reason.STARTING, f"attempt {attempt.number} is starting")
            return
        attempt = record(draft, replace(attempt, start_time=timestamp(since)))
    if _is_past_deadline(draft, stage, draft.now - moment(attempt.start_time)):
        draft.delete(child)
        text = "spec.cluster.activeDeadlineSeconds has passed"
        cause = Cause(reason=Reason.DEADLINE_EXCEEDED, message=text)
        close_attempt(draft, stage.condition, attempt, cause)
        return
    _wait(draft, stage, Reason.RUNNING, f"attempt {attempt.number} is running")


def _is_past_deadline(draft: Draft[StatusT], stage: StageRun, running: timedelta) -> bool:
    """Fails the run when its training took longer than it may; else sees to it that we look again in time."""
    if stage.deadline is None:
        return False
    left = stage.deadline - running - timedelta(seconds=training_seconds(draft.status))
    if left > timedelta():
        if running:
            draft.look_again(left)
        return False
    message = (
        "the training took longer than spec.cluster.activeDeadlineSeconds "
        f"({stage.deadline.total_seconds():.0f}): raise it and spec.retry to go on from the last checkpoint"
    )
    fail(draft, stage.condition, Reason.DEADLINE_EXCEEDED, message)
    return True


def _wait(draft: Draft[StatusT], stage: StageRun, reason: str, message: str) -> None:
    draft.set(stage.condition, ConditionStatus.UNKNOWN, reason, message)


def _hold(draft: Draft[StatusT], stage: StageRun, message: str) -> None:
    """Waits under the present reason: whether the attempt was running still matters when it is closed."""
    before = draft.reason_before(stage.condition) or Reason.PENDING
    _wait(draft, stage, before, message)


def _named(pods: Sequence[Object]) -> str:
    """The first pod and its node, by name: a pod on a lost node stays until somebody removes the node."""
    if not pods:
        return "no pod"
    first = min(pods, key=lambda pod: str(pod["metadata"]["name"]))
    node = first.get("spec", {}).get("nodeName")
    name = f"pod {first['metadata']['name']}{f' on node {node}' if node else ''}"
    return name if len(pods) == 1 else f"{len(pods)} pods ({name}, ...)"
