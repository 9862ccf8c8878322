"""The phases that a BlendedFineTune and a RubricEval share. Each says whether the plan goes on."""

from __future__ import annotations

from datetime import timedelta

from blendtune_api.v1alpha1 import ConditionStatus, ConditionType, Reason
from blendtune_operator.conditions import Finding, moment, timestamp
from blendtune_operator.plan import StatusT
from blendtune_operator.plan.draft import Draft
from blendtune_operator.plan.supported import refusals


def accept(draft: Draft[StatusT]) -> bool:
    """Refuses what can't be run. A run that has started goes on with what runs, but starts nothing new."""
    found = refusals(draft.run, draft.settings)
    if found:
        message = "; ".join(str(refusal.fault) for refusal in found)
        return refuse(draft, found[0].reason, message)
    draft.set(ConditionType.ACCEPTED, ConditionStatus.TRUE, Reason.ACCEPTED, "the spec can be run")
    return True


def refuse(draft: Draft[StatusT], reason: str, message: str) -> bool:
    """Keeps new attempts from starting, and says why."""
    draft.set(ConditionType.ACCEPTED, ConditionStatus.FALSE, reason, message)
    draft.obstacle = Finding(ConditionType.ACCEPTED, ConditionStatus.FALSE, reason, message)
    return draft.status.start_time is not None


def reopen(draft: Draft[StatusT], stages: tuple[ConditionType, ...]) -> bool:
    """Takes note of a grown spec.retry: a failed run gets another life for the stages it has not finished."""
    retry = draft.run.spec.retry
    if retry <= draft.status.retry:
        return True
    draft.update(retry=retry)
    if not draft.is_true(ConditionType.FAILED):
        return True
    text = f"spec.retry grew to {retry}"
    draft.set(ConditionType.FAILED, ConditionStatus.FALSE, Reason.RESUMED, text)
    draft.set(ConditionType.SUCCEEDED, ConditionStatus.UNKNOWN, Reason.PENDING, text)
    for stage in stages:
        condition = draft.condition(stage)
        if condition is not None and condition.status is ConditionStatus.FALSE:
            draft.set(stage, ConditionStatus.UNKNOWN, Reason.PENDING, text)
    draft.update(completion_time=None, failures=0)
    return True


def clean_up(draft: Draft[StatusT]) -> None:
    """Removes the children of a finished run once their time has passed; never the run, nor its data."""
    time_to_live = draft.run.spec.ttl_seconds_after_finished
    completion = draft.status.completion_time
    if time_to_live is None or completion is None or not draft.children.workloads():
        return
    left = moment(completion) + timedelta(seconds=time_to_live) - draft.now
    if left > timedelta():
        draft.look_again(left)
        return
    for child in draft.children.workloads():
        draft.delete(child)


def suspend(draft: Draft[StatusT]) -> bool:
    """Says whether the run is suspended; the present stage sees to its child itself."""
    if draft.run.spec.suspend:
        message = "spec.suspend is true: set it to false to go on from the last checkpoint"
        draft.set(ConditionType.SUSPENDED, ConditionStatus.TRUE, Reason.SUSPENDED, message)
    elif draft.is_true(ConditionType.SUSPENDED):
        message = "spec.suspend is false again"
        draft.set(ConditionType.SUSPENDED, ConditionStatus.FALSE, Reason.RESUMED, message)
    elif (condition := draft.condition(ConditionType.SUSPENDED)) and condition.reason == Reason.PENDING:
        message = "spec.suspend is false"
        draft.set(ConditionType.SUSPENDED, ConditionStatus.FALSE, Reason.NOT_SUSPENDED, message)
    return True


def is_finished(draft: Draft[StatusT]) -> bool:
    return draft.is_true(ConditionType.SUCCEEDED) or draft.is_true(ConditionType.FAILED)


def succeed(draft: Draft[StatusT], message: str) -> None:
    """Ends the run well."""
    draft.set(ConditionType.SUCCEEDED, ConditionStatus.TRUE, Reason.COMPLETED, message)
    draft.set(ConditionType.FAILED, ConditionStatus.FALSE, Reason.COMPLETED, message)
    draft.update(completion_time=timestamp(draft.now))
