"""The phases that a BlendedFineTune and a RubricEval share, and the end of a run."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from blendtune_api.v1alpha1 import ConditionStatus, ConditionType, Gate, GateStatus, Reason
from blendtune_core.gates import Scores, judge_gates, sum_up
from blendtune_operator.conditions import Finding, moment, timestamp
from blendtune_operator.plan import StatusT
from blendtune_operator.plan.draft import Draft
from blendtune_operator.plan.phase import Continue, PhaseResult, Stop
from blendtune_operator.plan.supported import refusals


def initialise_conditions(draft: Draft[StatusT]) -> PhaseResult:
    """Adds the conditions that are missing, and sets observedGeneration."""
    draft.initialise_conditions()
    return Continue()


def apply_retry(draft: Draft[StatusT]) -> PhaseResult:
    """Records a raised spec.retry. A failed run is reopened: its failed stages become Unknown again."""
    retry = draft.run.spec.retry
    if retry <= draft.status.retry:
        return Continue()
    draft.update(retry=retry)
    if not draft.is_true(ConditionType.FAILED):
        return Continue()
    text = f"spec.retry grew to {retry}"
    draft.set(ConditionType.FAILED, ConditionStatus.FALSE, Reason.RESUMED, text)
    draft.set(ConditionType.SUCCEEDED, ConditionStatus.UNKNOWN, Reason.PENDING, text)
    for stage in draft.stage_conditions:
        condition = draft.condition(stage)
        if condition is not None and condition.status is ConditionStatus.FALSE:
            draft.set(stage, ConditionStatus.UNKNOWN, Reason.PENDING, text)
    draft.update(completion_time=None, failures=0)
    return Continue()


def stop_if_finished(draft: Draft[StatusT]) -> PhaseResult:
    """Stops the plan of a run that has succeeded or failed: it starts nothing more."""
    for type in (ConditionType.SUCCEEDED, ConditionType.FAILED):
        condition = draft.condition(type)
        if condition is not None and condition.status is ConditionStatus.TRUE:
            return Stop(condition.reason, condition.message)
    return Continue()


def validate_spec(draft: Draft[StatusT]) -> PhaseResult:
    """Sets Accepted: False, with every fault found, for a spec that this installation does not run."""
    found = refusals(draft.run, draft.settings)
    if found:
        message = "; ".join(str(refusal.fault) for refusal in found)
        return refuse(draft, found[0].reason, message)
    draft.set(ConditionType.ACCEPTED, ConditionStatus.TRUE, Reason.ACCEPTED, "the spec can be run")
    return Continue()


def refuse(draft: Draft[StatusT], reason: str, message: str) -> PhaseResult:
    """Sets Accepted to False and keeps new attempts from starting.

    Stops the plan of a run that has started nothing yet. The plan of one that has continues, to watch its
    running attempt to the end.
    """
    draft.set(ConditionType.ACCEPTED, ConditionStatus.FALSE, reason, message)
    draft.obstacle = Finding(ConditionType.ACCEPTED, ConditionStatus.FALSE, reason, message)
    return Stop(reason, message) if draft.status.start_time is None else Continue()


def report_suspension(draft: Draft[StatusT]) -> PhaseResult:
    """Sets Suspended from spec.suspend and always continues: the current stage deletes its child itself."""
    if draft.run.spec.suspend:
        message = "spec.suspend is true: set it to false to go on from the last checkpoint"
        draft.set(ConditionType.SUSPENDED, ConditionStatus.TRUE, Reason.SUSPENDED, message)
    elif draft.is_true(ConditionType.SUSPENDED):
        message = "spec.suspend is false again"
        draft.set(ConditionType.SUSPENDED, ConditionStatus.FALSE, Reason.RESUMED, message)
    elif (condition := draft.condition(ConditionType.SUSPENDED)) and condition.reason == Reason.PENDING:
        message = "spec.suspend is false"
        draft.set(ConditionType.SUSPENDED, ConditionStatus.FALSE, Reason.NOT_SUSPENDED, message)
    return Continue()


def judge(draft: Draft[StatusT], gates: Iterable[Gate], scores: Scores) -> tuple[GateStatus, ...]:
    """Judges the gates by the scores and sets GatesPassed. Returns the result of each gate.

    Gates may be edited at any time, even after the end of the run, so every plan judges them again.
    """
    results = judge_gates(gates, scores)
    draft.set(ConditionType.GATES_PASSED, *sum_up(results))
    return results


def succeed(draft: Draft[StatusT], message: str) -> PhaseResult:
    """Ends the run: all its stages have succeeded."""
    draft.set(ConditionType.SUCCEEDED, ConditionStatus.TRUE, Reason.COMPLETED, message)
    draft.set(ConditionType.FAILED, ConditionStatus.FALSE, Reason.COMPLETED, message)
    draft.update(completion_time=timestamp(draft.now))
    return Continue()


def remove_expired_children(draft: Draft[StatusT]) -> None:
    """Deletes the children of a run that ended spec.ttlSecondsAfterFinished ago, but not its data."""
    time_to_live = draft.run.spec.ttl_seconds_after_finished
    completion = draft.status.completion_time
    if time_to_live is None or completion is None or not draft.children.claimed_workloads():
        return
    left = moment(completion) + timedelta(seconds=time_to_live) - draft.now
    if left > timedelta():
        draft.requeue_after(left)
        return
    for child in draft.children.claimed_workloads():
        draft.delete(child)
