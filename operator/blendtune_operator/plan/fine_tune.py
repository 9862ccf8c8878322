"""The plan of a BlendedFineTune. `PHASES` lists what happens to a run, in order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from blendtune_api.v1alpha1 import BlendedFineTune, BlendedFineTuneStatus, ConditionType, Reason
from blendtune_core.diagnosis import Trained, diagnose
from blendtune_core.gates import verdict_of
from blendtune_operator.gang import BACKENDS
from blendtune_operator.plan import Plan
from blendtune_operator.plan.blend import run_blend
from blendtune_operator.plan.children import Children
from blendtune_operator.plan.conflict import refuse_replaced_children
from blendtune_operator.plan.draft import FineTuneDraft
from blendtune_operator.plan.evaluation import evaluation_of, run_evaluation
from blendtune_operator.plan.lifecycle import (
    apply_retry,
    initialise_conditions,
    judge,
    refuse,
    remove_expired_children,
    report_suspension,
    stop_if_finished,
    succeed,
    validate_spec,
)
from blendtune_operator.plan.margins import warn_of_margins
from blendtune_operator.plan.phase import Continue, Phase, PhaseResult, Stop, run_phases
from blendtune_operator.plan.pinning import next_gang
from blendtune_operator.plan.rehearsal import run_rehearsal
from blendtune_operator.plan.training import run_training
from blendtune_operator.settings import Settings


def plan(
    run: BlendedFineTune, children: Children, now: datetime, settings: Settings
) -> Plan[BlendedFineTuneStatus]:
    """What to write for this run now. Pure: the same arguments give the same plan."""
    if run.metadata.deletion_timestamp:
        return Plan(status=run.status)
    draft = FineTuneDraft(run, run.status, children, now, settings)
    run_phases(draft, PHASES)
    remove_expired_children(draft)
    return draft.plan()


def delete_evaluation_to_retry(draft: FineTuneDraft) -> PhaseResult:
    """Deletes the RubricEval of a failed run before a retry: the next one has the same name."""
    child = evaluation_of(draft)
    is_retried = draft.run.spec.retry > draft.status.retry and draft.is_true(ConditionType.FAILED)
    if is_retried and child is not None:
        draft.delete(child)
        return Stop(Reason.RESUMED, "the RubricEval of the failed run is being deleted")
    return Continue()


def judge_edited_gates(draft: FineTuneDraft) -> PhaseResult:
    """Judges the gates of a run that has succeeded: they may have been edited since."""
    return judge_and_diagnose(draft) if draft.is_true(ConditionType.SUCCEEDED) else Continue()


def validate(draft: FineTuneDraft) -> PhaseResult:
    """Sets Accepted: what makes the training's pods is there or no longer needed, and the spec can be run."""
    backend = BACKENDS[next_gang(draft)]
    if not draft.is_true(ConditionType.TRAINING_SUCCEEDED) and backend.kind in draft.children.unserved:
        draft.requeue_after(draft.settings.obstacle_interval)
        message = (
            f"the API server knows no {backend.kind}: install {backend.installed_by}, and the run goes on by "
            "itself; or name another spec.cluster.gang"
        )
        return refuse(draft, Reason.GANG_NOT_SERVED, message)
    return validate_spec(draft)


def judge_and_diagnose(draft: FineTuneDraft) -> PhaseResult:
    """Sets GatesPassed and the diagnosis from the scores, the gates and what the training was made of."""
    status = draft.status
    if status.evaluation is None:
        return Continue()
    gates = judge(draft, draft.run.spec.evaluation.gates, status.evaluation)
    trained = Trained(
        roles={source.name: source.role for source in draft.run.spec.blend.sources},
        sources=status.blend.sources if status.blend else (),
        validation_loss=status.training.validation_loss if status.training else (),
    )
    verdict = verdict_of(status.evaluation, gates)
    evaluation = replace(status.evaluation, gates=gates, verdict=verdict)
    draft.update(evaluation=evaluation, diagnosis=diagnose(evaluation, gates, trained))
    return Continue()


def complete(draft: FineTuneDraft) -> PhaseResult:
    """Sets Succeeded."""
    return succeed(draft, "blended, trained and evaluated")


PHASES: Sequence[Phase[FineTuneDraft]] = (
    initialise_conditions,
    delete_evaluation_to_retry,
    apply_retry,
    judge_edited_gates,
    stop_if_finished,
    validate,
    refuse_replaced_children,
    report_suspension,
    warn_of_margins,
    run_rehearsal,
    run_blend,
    run_training,
    run_evaluation,
    judge_and_diagnose,
    complete,
)
