"""The evaluation of a BlendedFineTune: a RubricEval does it, and the run copies its scores."""

from __future__ import annotations

from dataclasses import fields

from blendtune_api import codec
from blendtune_api.v1alpha1 import (
    ConditionStatus,
    ConditionType,
    EvaluationSummary,
    ModelStatus,
    Reason,
    RubricEvalSpec,
    RubricEvalStatus,
)
from blendtune_operator import names, render
from blendtune_operator.conditions import find, is_true
from blendtune_operator.names import Kind, Object
from blendtune_operator.plan.children import is_terminating
from blendtune_operator.plan.conflict import name_conflict
from blendtune_operator.plan.draft import FineTuneDraft
from blendtune_operator.plan.phase import Continue, PhaseResult, Stop
from blendtune_operator.plan.pinning import pin_next_run
from blendtune_operator.plan.stage_run import fail, wait

_CONDITION = ConditionType.EVALUATION_SUCCEEDED


def run_evaluation(draft: FineTuneDraft) -> PhaseResult:
    """Creates the RubricEval, shows what it is doing, and copies its scores once it has succeeded."""
    if draft.is_true(_CONDITION):
        return Continue()
    child = evaluation_of(draft)
    if child is None:
        return _start(draft)
    if _is_edited(child) and not is_terminating(child):
        draft.requeue_after(draft.settings.obstacle_interval)
        message = name_conflict(child, "was edited by somebody: a run takes no scores of it")
        return wait(draft, _CONDITION, Reason.NAME_CONFLICT, message)
    status = codec.decode(RubricEvalStatus, child.get("status") or {}, lenient=True)
    if is_true(status.conditions, ConditionType.SUCCEEDED):
        _copy_scores(draft, status)
        return Continue()
    failed = find(status.conditions, ConditionType.FAILED)
    if failed is not None and failed.status is ConditionStatus.TRUE and not is_terminating(child):
        return fail(draft, _CONDITION, failed.reason, failed.message)
    if draft.run.spec.suspend:
        draft.delete(child)
        message = "the evaluation is being stopped; answers so far are kept"
        return wait(draft, _CONDITION, Reason.SUSPENDED, message)
    if is_terminating(child):
        return Stop(Reason.PENDING, "the last RubricEval is being deleted")
    if _is_outdated(draft, child, status):
        draft.delete(child)
        message = "the evaluation is begun anew, as spec.cluster or spec.credentials now says"
        return wait(draft, _CONDITION, Reason.BACKING_OFF, message)
    return _mirror(draft, status)


def evaluation_of(draft: FineTuneDraft) -> Object | None:
    """The RubricEval of the run; None while there is none."""
    return draft.children.find(Kind.RUBRIC_EVAL, names.rubric_eval(draft.run.metadata.name))


def _is_edited(child: Object) -> bool:
    """Whether somebody has changed the spec of the RubricEval, which the operator never does.

    Each change raises the generation, also one that was undone: what ran in between cannot be known.
    """
    return int(child["metadata"].get("generation", 1)) > 1


def _is_outdated(draft: FineTuneDraft, child: Object, status: RubricEvalStatus) -> bool:
    """Whether the RubricEval is between two attempts and the run's cluster or credentials were edited.

    A running attempt is left alone: an edit counts from the next attempt. With an unknown gpuType no
    configuration can be pinned, so there is nothing to compare with.
    """
    if draft.obstacle is not None and draft.obstacle.reason == Reason.UNKNOWN_GPU_TYPE:
        return False
    shown = find(status.conditions, _CONDITION)
    if shown is None or shown.reason != Reason.BACKING_OFF:
        return False
    rendered = _render(draft)
    if rendered is None:
        return False
    present = codec.decode(RubricEvalSpec, child["spec"], lenient=True)
    wanted = codec.decode(RubricEvalSpec, rendered[-1]["spec"])
    return (present.cluster, present.credentials) != (wanted.cluster, wanted.credentials)


def _render(draft: FineTuneDraft) -> tuple[Object, ...] | None:
    """The RubricEval that the run wants now, last, after what it needs; None before there is a model."""
    model, training = draft.status.model, draft.status.training
    if model is None or training is None:
        return None
    pinned, new = pin_next_run(draft)
    return (*new, render.rubric_eval(draft.run, pinned, model, training.epochs))


def _start(draft: FineTuneDraft) -> Stop:
    if draft.run.spec.suspend:
        return Stop(Reason.SUSPENDED, "not started: spec.suspend is true")
    if draft.obstacle is not None:
        return wait(draft, _CONDITION, Reason.PENDING, f"not started: {draft.obstacle.message}")
    children = _render(draft)
    if children is None:
        return Stop(Reason.PENDING, "not started: there is no model yet")
    for child in children:
        draft.create(child)
    return wait(draft, _CONDITION, Reason.STARTING, "the RubricEval has been created")


def _mirror(draft: FineTuneDraft, status: RubricEvalStatus) -> Stop:
    """Shows what the RubricEval is doing, or why it was not accepted."""
    shown = find(status.conditions, _CONDITION)
    accepted = find(status.conditions, ConditionType.ACCEPTED)
    if accepted is not None and accepted.status is ConditionStatus.FALSE:
        shown = accepted
    if shown is None or shown.reason == Reason.PENDING:
        return Stop(Reason.PENDING, "the RubricEval has not started")
    return wait(draft, _CONDITION, shown.reason, shown.message)


def _copy_scores(draft: FineTuneDraft, status: RubricEvalStatus) -> None:
    name = names.rubric_eval(draft.run.metadata.name)
    copied = {
        field.name: getattr(status, field.name) for field in fields(EvaluationSummary) if field.name != "name"
    }
    draft.update(evaluation=EvaluationSummary(name=name, **copied))
    message = f"scored by RubricEval {name}; the report lies at {status.report_uri}"
    if (chosen := status.interpolation) is not None:
        draft.update(model=ModelStatus(uri=chosen.uri, digest=chosen.digest))
        message += f"; the model of weight {chosen.weight:g} is taken and lies at {chosen.uri}"
    draft.set(_CONDITION, ConditionStatus.TRUE, Reason.COMPLETED, message)
