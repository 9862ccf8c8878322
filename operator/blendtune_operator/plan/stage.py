"""Runs one stage to its outcome, attempt by attempt: one Job or PyTorchJob is one attempt.

An attempt is on record from the moment its child is created until its end and its cause are known. The next
one starts when no pod of the last is left, after a back-off.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from blendtune_api.contract import Outcome
from blendtune_api.v1alpha1 import ATTEMPTS_KEPT, Attempt, Reason
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
    active_since,
    is_live,
    is_terminating,
    phase_of,
)
from blendtune_operator.plan.draft import Draft
from blendtune_operator.plan.pods import Cause
from blendtune_operator.plan.stage_end import PODS_LAG, is_unexplained, lose, take_failure, take_outcome
from blendtune_operator.plan.stage_run import StageRun, fail, hold, named, wait

_PODS_DUE = timedelta(minutes=1)  # after which a child is taken not to get any


def run_stage(draft: Draft[StatusT], stage: StageRun) -> Outcome | None:
    """The outcome of the stage once an attempt succeeded; None until then, and the draft says why."""
    attempt = _present_attempt(draft, stage)
    if attempt is None or attempt.end_time is not None:
        _start_next(draft, stage, attempt)
        return None
    child = draft.children.find(*names.attempt_child(draft.run.metadata.name, stage.stage, attempt.number))
    pods = draft.children.pods(stage.stage, attempt.number)
    if child is None or is_terminating(child):
        lose(draft, stage, attempt, child, pods)
        return None
    match phase_of(child):
        case JobPhase.SUCCEEDED | JobPhase.FAILED if is_unexplained(draft, child, pods):
            hold(draft, stage, f"attempt {attempt.number} has ended; what its pods left is being read")
            draft.look_again(PODS_LAG / 10)
        case JobPhase.SUCCEEDED:
            return take_outcome(draft, stage, attempt, child, pods)
        case JobPhase.FAILED:
            take_failure(draft, stage, attempt, child, pods)
        case _ if draft.run.spec.suspend:
            _stop(draft, stage, attempt, child)
        case JobPhase.QUEUED:
            _queue(draft, stage, attempt)
        case JobPhase.ACTIVE:
            _watch(draft, stage, attempt, child, pods)
    return None


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
        wait(draft, stage, Reason.PENDING, f"attempt {number} cannot start: {draft.obstacle.message}")
        return
    if live:
        wait(
            draft,
            stage,
            Reason.BACKING_OFF,
            f"attempt {number} waits for the last to end: {named(live)} left",
        )
        return
    if _is_past_deadline(draft, stage, timedelta()):
        return
    delay = backoff(draft, last)
    if delay > timedelta():
        wait(
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
    wait(draft, stage, Reason.STARTING, f"attempt {number} is starting")


def _stop(draft: Draft[StatusT], stage: StageRun, attempt: Attempt, child: Object) -> None:
    """Deletes the child of a run that shall be suspended: its pods get SIGTERM and time for a checkpoint."""
    add_training_time(draft, stage.condition, attempt, draft.now)
    draft.delete(child)
    wait(draft, stage, Reason.SUSPENDED, f"attempt {attempt.number} is being stopped")


def _queue(draft: Draft[StatusT], stage: StageRun, attempt: Attempt) -> None:
    """A queue holds the child back, or took its pods away again: then the time they ran is put on record."""
    add_training_time(draft, stage.condition, attempt, draft.now)
    queue = draft.run.spec.cluster.queue_name
    place = f" in queue {queue}" if queue else ""
    wait(draft, stage, Reason.QUEUED, f"attempt {attempt.number} waits{place} for room")


def _watch(
    draft: Draft[StatusT], stage: StageRun, attempt: Attempt, child: Object, pods: Sequence[Object]
) -> None:
    live = [pod for pod in pods if is_live(pod)]
    obstacle = pod_reading.obstacle(live)
    if draft.reason_before(stage.condition) != Reason.RUNNING:
        since = pod_reading.running_since(live)
        if obstacle is not None:
            wait(draft, stage, obstacle.reason, obstacle.message)
            return
        if since is None:
            _expect_pods(draft, stage, attempt, child, live)
            return
        attempt = record(draft, replace(attempt, start_time=timestamp(since)))
    if _is_past_deadline(draft, stage, draft.now - moment(attempt.start_time)):
        draft.delete(child)
        text = "spec.cluster.activeDeadlineSeconds has passed"
        cause = Cause(reason=Reason.DEADLINE_EXCEEDED, message=text)
        close_attempt(draft, stage.condition, attempt, cause)
        return
    but = f"; but {obstacle.message}" if obstacle else ""
    wait(draft, stage, Reason.RUNNING, f"attempt {attempt.number} is running{but}")


def _expect_pods(
    draft: Draft[StatusT], stage: StageRun, attempt: Attempt, child: Object, live: Sequence[Object]
) -> None:
    """Nothing runs yet. That no pod was made at all only the controller of the child can explain."""
    left = (active_since(child) or moment(attempt.start_time)) + _PODS_DUE - draft.now
    if live or left > timedelta():
        wait(draft, stage, Reason.STARTING, f"attempt {attempt.number} is starting")
        if not live:
            draft.look_again(left)
        return
    kind, name = child["kind"], child["metadata"]["name"]
    message = (
        f"no pod was made for {kind} {name}: `kubectl describe {kind.lower()} {name}` says why; a quota, an "
        "admission policy or a podTemplate that is refused"
    )
    wait(draft, stage, Reason.CHILD_REFUSED, message)


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
