"""The evaluation of a BlendedFineTune: a RubricEval does it, and the run takes its scores over."""

from __future__ import annotations

from dataclasses import fields, replace

from blendtune_api import codec
from blendtune_api.v1alpha1 import (
    ConditionStatus,
    ConditionType,
    EvaluationSummary,
    Reason,
    RubricEvalSpec,
    RubricEvalStatus,
)
from blendtune_core.gates import judge_gates, sum_up
from blendtune_operator import names, render
from blendtune_operator.conditions import find, is_true
from blendtune_operator.names import Kind, Object
from blendtune_operator.plan.children import is_terminating
from blendtune_operator.plan.draft import FineTuneDraft
from blendtune_operator.plan.pinning import pin_next_run
from blendtune_operator.plan.stage_run import fail


def evaluated(draft: FineTuneDraft) -> bool:
    """Creates the RubricEval, shows what it does, and takes its scores over."""
    if draft.is_true(ConditionType.EVALUATION_SUCCEEDED):
        return True
    child = evaluation_of(draft)
    if child is None:
        _start_evaluation(draft)
        return False
    status = codec.decode(RubricEvalStatus, child.get("status") or {}, lenient=True)
    if is_true(status.conditions, ConditionType.SUCCEEDED):
        _take_scores(draft, status)
        return True
    failed = find(status.conditions, ConditionType.FAILED)
    if failed is not None and failed.status is ConditionStatus.TRUE and not is_terminating(child):
        fail(draft, ConditionType.EVALUATION_SUCCEEDED, failed.reason, failed.message)
    elif draft.run.spec.suspend:
        draft.delete(child)
        message = "the evaluation is being stopped; answers so far are kept"
        draft.set(ConditionType.EVALUATION_SUCCEEDED, ConditionStatus.UNKNOWN, Reason.SUSPENDED, message)
    elif _is_outdated(draft, child, status):
        draft.delete(child)
        message = "the evaluation is begun anew, as spec.cluster or spec.credentials now says"
        draft.set(ConditionType.EVALUATION_SUCCEEDED, ConditionStatus.UNKNOWN, Reason.BACKING_OFF, message)
    elif not is_terminating(child):
        _mirror(draft, status)
    return False


def gate(draft: FineTuneDraft) -> None:
    """Gates may be edited at any time, so they are judged from the scores rather than copied."""
    evaluation = draft.status.evaluation
    if evaluation is None:
        return
    results = judge_gates(draft.run.spec.evaluation.gates, evaluation)
    draft.update(evaluation=replace(evaluation, gates=results))
    draft.set(ConditionType.GATES_PASSED, *sum_up(results))


def evaluation_of(draft: FineTuneDraft) -> Object | None:
    """The RubricEval of the run, when it is there."""
    return draft.children.find(Kind.RUBRIC_EVAL, names.rubric_eval(draft.run.metadata.name))


def _is_outdated(draft: FineTuneDraft, child: Object, status: RubricEvalStatus) -> bool:
    """Whether the next attempt of the RubricEval would not run in pods such as the run asks for now."""
    shown = find(status.conditions, ConditionType.EVALUATION_SUCCEEDED)
    if shown is None or shown.reason != Reason.BACKING_OFF or is_terminating(child):
        return False
    rendered = _render(draft)
    if rendered is None:
        return False
    now = codec.decode(RubricEvalSpec, child["spec"], lenient=True)
    wanted = codec.decode(RubricEvalSpec, rendered[-1]["spec"])
    return (now.cluster, now.credentials) != (wanted.cluster, wanted.credentials)


def _render(draft: FineTuneDraft) -> tuple[Object, ...] | None:
    """The RubricEval as it is now wanted, last, and what it needs; None before there is a model."""
    model, training = draft.status.model, draft.status.training
    if model is None or training is None:
        return None
    pinned, new = pin_next_run(draft)
    return (*new, render.rubric_eval(draft.run, pinned, model, training.epochs))


def _start_evaluation(draft: FineTuneDraft) -> None:
    children = _render(draft)
    if draft.run.spec.suspend or children is None:
        return
    if draft.obstacle is not None:
        message = f"not started: {draft.obstacle.message}"
        draft.set(ConditionType.EVALUATION_SUCCEEDED, ConditionStatus.UNKNOWN, Reason.PENDING, message)
        return
    for child in children:
        draft.create(child)
    message = "the RubricEval has been created"
    draft.set(ConditionType.EVALUATION_SUCCEEDED, ConditionStatus.UNKNOWN, Reason.STARTING, message)


def _mirror(draft: FineTuneDraft, status: RubricEvalStatus) -> None:
    """Shows what the RubricEval is doing, or what keeps it from doing it."""
    refused = find(status.conditions, ConditionType.ACCEPTED)
    shown = find(status.conditions, ConditionType.EVALUATION_SUCCEEDED)
    if refused is not None and refused.status is ConditionStatus.FALSE:
        shown = refused
    if shown is not None and shown.reason != Reason.PENDING:
        unknown = ConditionStatus.UNKNOWN
        draft.set(ConditionType.EVALUATION_SUCCEEDED, unknown, shown.reason, shown.message)


def _take_scores(draft: FineTuneDraft, status: RubricEvalStatus) -> None:
    name = names.rubric_eval(draft.run.metadata.name)
    copied = {
        field.name: getattr(status, field.name) for field in fields(EvaluationSummary) if field.name != "name"
    }
    draft.update(evaluation=EvaluationSummary(name=name, **copied))
    message = f"scored by RubricEval {name}; the report lies at {status.report_uri}"
    draft.set(ConditionType.EVALUATION_SUCCEEDED, ConditionStatus.TRUE, Reason.COMPLETED, message)
