"""Runs one stage to its result, attempt by attempt: one Job, or one gang, is one attempt.

An attempt is recorded when its child is created, and closed once its end and the cause are known. The next
attempt starts after a back-off, when no pod of the last one is live.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from blendtune_api.v1alpha1 import ATTEMPTS_KEPT, Attempt, Reason
from blendtune_operator.conditions import moment, timestamp
from blendtune_operator.names import Object
from blendtune_operator.plan import StatusT
from blendtune_operator.plan import pods as pod_reading
from blendtune_operator.plan.attempts import (
    add_running_time,
    backoff,
    close_attempt,
    last_attempt,
    open_attempt,
    record,
    training_seconds,
)
from blendtune_operator.plan.causes import Cause
from blendtune_operator.plan.children import JobPhase, is_live, is_terminating, phase_of
from blendtune_operator.plan.draft import Draft
from blendtune_operator.plan.held_up import Waiting, held_up, waiting_since
from blendtune_operator.plan.lingering import how_to_free, lingering
from blendtune_operator.plan.phase import Continue, PhaseResult, Stop
from blendtune_operator.plan.pinning import pods_of_attempt
from blendtune_operator.plan.pods import Obstacle
from blendtune_operator.plan.queueing import report_queued
from blendtune_operator.plan.recorded import child_of
from blendtune_operator.plan.stage_end import (
    PODS_LAG,
    handle_failure,
    handle_missing_child,
    handle_success,
    may_lack_ended_pods,
)
from blendtune_operator.plan.stage_run import (
    ResultT,
    StageRun,
    describe_pods,
    fail,
    wait,
    wait_under_same_reason,
)

_RAREST_LOOK = 10  # times the interval


def run_stage(draft: Draft[StatusT], stage: StageRun[ResultT]) -> ResultT | Stop:
    """The result of the stage once an attempt has succeeded; until then why there is none yet."""
    attempt = last_attempt(draft.status, stage.stage)
    if attempt is None or attempt.end_time is not None:
        return _start_next(draft, stage, attempt)
    attempt = _with_job(draft, attempt)
    child = draft.children.find(*child_of(draft.run, draft.status, attempt))
    pods = draft.children.pods(stage.stage, attempt.number)
    if child is None or is_terminating(child):
        return handle_missing_child(draft, stage, attempt, child, pods)
    match phase_of(child):
        case JobPhase.SUCCEEDED | JobPhase.FAILED if may_lack_ended_pods(draft, child, pods):
            draft.requeue_after(PODS_LAG / 10)
            message = f"attempt {attempt.number} has ended; what its pods left is being read"
            return wait_under_same_reason(draft, stage.condition, message)
        case JobPhase.SUCCEEDED:
            return handle_success(draft, stage, attempt, child, pods)
        case JobPhase.FAILED:
            return handle_failure(draft, stage, attempt, child, pods)
        case _ if draft.run.spec.suspend:
            return _stop_attempt(draft, stage, attempt, child)
        case JobPhase.QUEUED:
            return report_queued(draft, stage.condition, attempt, child)
        case JobPhase.ACTIVE:
            return _watch_attempt(draft, stage, attempt, child, pods)


def _with_job(draft: Draft[StatusT], attempt: Attempt) -> Attempt:
    """The attempt with the Job that makes its pods: they may outlive the object that the Job follows from."""
    job = draft.children.recorded.jobs.get((attempt.stage, attempt.number))
    return record(draft, replace(attempt, job_uid=job)) if job and not attempt.job_uid else attempt


def _start_next(draft: Draft[StatusT], stage: StageRun[ResultT], last: Attempt | None) -> Stop:
    """Creates the child of the next attempt, unless something keeps it from starting now."""
    number = last.number + 1 if last else 1
    live = [pod for pod in draft.children.pods(stage.stage) if is_live(pod)]
    if draft.run.spec.suspend:
        return Stop(Reason.SUSPENDED, f"attempt {number} does not start while spec.suspend is true")
    if draft.obstacle is not None:
        text = f"attempt {number} cannot start: {draft.obstacle.message}"
        return wait(draft, stage.condition, Reason.PENDING, text)
    if live:
        text = f"attempt {number} waits for the last to end: {describe_pods(live)} left"
        text += how_to_free(live, draft.now)
        return wait(draft, stage.condition, Reason.BACKING_OFF, text)
    deadline = _check_deadline(draft, stage, timedelta())
    if isinstance(deadline, Stop):
        return deadline
    delay = backoff(draft, last)
    if delay > timedelta():
        draft.requeue_after(delay)
        text = f"attempt {number} follows after: {last.cause if last else ''}"
        return wait(draft, stage.condition, Reason.BACKING_OFF, text)
    for obj in stage.render(number):
        draft.create(obj)
    for old, child in draft.children.attempts(stage.stage).items():
        if old <= number - ATTEMPTS_KEPT:
            draft.delete(child)
            for needed in draft.children.namesakes(child):
                draft.delete(needed)
    draft.update(start_time=draft.status.start_time or timestamp(draft.now))
    open_attempt(draft, stage.stage, number, draft.now)
    return wait(draft, stage.condition, Reason.STARTING, f"attempt {number} is starting")


def _stop_attempt(draft: Draft[StatusT], stage: StageRun[ResultT], attempt: Attempt, child: Object) -> Stop:
    """Deletes the child of a run that is suspended: its pods get SIGTERM and time for a checkpoint."""
    add_running_time(draft, stage.condition, attempt, draft.now)
    draft.delete(child)
    return wait(draft, stage.condition, Reason.SUSPENDED, f"attempt {attempt.number} is being stopped")


def _watch_attempt(
    draft: Draft[StatusT],
    stage: StageRun[ResultT],
    attempt: Attempt,
    child: Object,
    pods: Sequence[Object],
) -> Stop:
    """Says what the pods of an active child do or wait for, and stops them when the deadline has passed."""
    live = [pod for pod in pods if is_live(pod)]
    obstacle = pod_reading.obstacle(live) or _unwatched_obstacle(draft, attempt, child, live, len(pods))
    if draft.reason_before(stage.condition) != Reason.RUNNING:
        since = pod_reading.running_since(live)
        if obstacle is not None:
            return wait(draft, stage.condition, obstacle.reason, obstacle.message)
        if since is None:
            return wait(draft, stage.condition, Reason.STARTING, f"attempt {attempt.number} is starting")
        attempt = record(draft, replace(attempt, start_time=timestamp(since)))
    deadline = _check_deadline(draft, stage, draft.now - moment(attempt.start_time))
    if isinstance(deadline, Stop):
        draft.delete(child)
        text = "spec.cluster.activeDeadlineSeconds has passed"
        cause = Cause(reason=Reason.DEADLINE_EXCEEDED, message=text)
        close_attempt(draft, stage.condition, attempt, cause)
        return deadline
    told = obstacle.message if obstacle else lingering(live, stage.container, draft.now)
    but = f"; but {told}" if told else ""
    return wait(draft, stage.condition, Reason.RUNNING, f"attempt {attempt.number} is running{but}")


def _unwatched_obstacle(
    draft: Draft[StatusT], attempt: Attempt, child: Object, live: Sequence[Object], made: int
) -> Obstacle | None:
    """What no watch shows of what keeps the attempt; it is looked for again, ever more rarely.

    `made` are its pods in all, `live` those that have not ended.
    """
    since, patience = waiting_since(attempt, child), draft.settings.patience
    left = since + patience - draft.now
    wanted = 1 if left > timedelta() else pods_of_attempt(attempt.stage, draft.status, draft.children)
    waiting = Waiting(attempt=attempt, child=child, live=live, made=made, wanted=wanted, since=since)
    found = held_up(draft.children, waiting, patience, draft.now)
    if left > timedelta():
        draft.requeue_after(left)
    elif found is not None:
        interval = draft.settings.obstacle_interval
        draft.requeue_after(min(max(interval, (draft.now - since) / 4), _RAREST_LOOK * interval))
    return found


def _check_deadline(draft: Draft[StatusT], stage: StageRun[ResultT], running: timedelta) -> PhaseResult:
    """Fails the run when its training took longer than it may; else asks for a plan when it will have.

    `running` is how long the present attempt has run; the attempts before it are counted in the status.
    """
    if stage.deadline is None:
        return Continue()
    left = stage.deadline - running - timedelta(seconds=training_seconds(draft.status))
    if left > timedelta():
        if running:
            draft.requeue_after(left)
        return Continue()
    message = (
        "the training took longer than spec.cluster.activeDeadlineSeconds "
        f"({stage.deadline.total_seconds():.0f}): raise it and spec.retry to go on from the last checkpoint"
    )
    return fail(draft, stage.condition, Reason.DEADLINE_EXCEEDED, message)
