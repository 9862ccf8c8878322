"""The plan of a RubricEval. `PHASES` lists what happens to an evaluation, in order."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from blendtune_api.contract import EvalResult
from blendtune_api.v1alpha1 import (
    ConditionStatus,
    ConditionType,
    Reason,
    RubricEval,
    RubricEvalStatus,
    Stage,
)
from blendtune_core.asked import told_asked
from blendtune_core.gates import verdict_of
from blendtune_core.undecided import told_undecided
from blendtune_core.unfinished import told_unfinished
from blendtune_operator import render
from blendtune_operator.plan import Plan
from blendtune_operator.plan.children import Children
from blendtune_operator.plan.conflict import refuse_replaced_children
from blendtune_operator.plan.draft import EvalDraft
from blendtune_operator.plan.lifecycle import (
    apply_retry,
    initialise_conditions,
    judge,
    remove_expired_children,
    report_suspension,
    stop_if_finished,
    succeed,
    validate_spec,
)
from blendtune_operator.plan.margins import warn_of_margins
from blendtune_operator.plan.phase import Continue, Phase, PhaseResult, Stop, run_phases
from blendtune_operator.plan.pinning import pin_next_eval, render_attempt
from blendtune_operator.plan.stage import run_stage
from blendtune_operator.plan.stage_run import StageRun
from blendtune_operator.render.eval_job import EVAL_CONTAINER
from blendtune_operator.settings import Settings


def plan(run: RubricEval, children: Children, now: datetime, settings: Settings) -> Plan[RubricEvalStatus]:
    """What to write for this evaluation now. Pure: the same arguments give the same plan."""
    if run.metadata.deletion_timestamp:
        return Plan(status=run.status)
    draft = EvalDraft(run, run.status, children, now, settings)
    run_phases(draft, PHASES)
    remove_expired_children(draft)
    return draft.plan()


def judge_edited_gates(draft: EvalDraft) -> PhaseResult:
    """Judges the gates of an evaluation that has succeeded: they may have been edited since."""
    return judge_scores(draft) if draft.is_true(ConditionType.SUCCEEDED) else Continue()


def run_evaluation(draft: EvalDraft) -> PhaseResult:
    """Runs the eval Job until it has left its scores, and copies them into the status."""
    stage = StageRun(
        stage=Stage.EVAL,
        condition=ConditionType.EVALUATION_SUCCEEDED,
        container=EVAL_CONTAINER,
        result=EvalResult,
        render=lambda attempt: render_attempt(
            draft.run, attempt, pin_next_eval(draft), render.eval_job, draft.settings
        ),
    )
    result = run_stage(draft, stage)
    if isinstance(result, Stop):
        return result
    draft.update(
        overall=result.overall,
        general=result.general,
        in_domain=result.in_domain,
        dimensions=result.dimensions,
        categories=result.categories,
        coverage=result.coverage,
        not_compared=result.not_compared,
        digests=result.digests,
        report_uri=result.report_uri,
        epochs=result.epochs,
        benchmarks=result.benchmarks,
        retention=result.retention,
        unsure=result.unsure,
        unfinished=result.unfinished,
        asked=result.asked,
        interpolation=result.interpolation,
    )
    scored = f"{result.coverage:.0%} of {'the' if result.asked is None else 'these'} questions were judged"
    if result.asked is not None:
        scored = f"{told_asked(result.asked)}; {scored}"
    if result.unscored_reason:
        scored += f" (not judged: {result.unscored_reason})"
    if result.unsure:
        scored += f"; {told_undecided(result.unsure)}"
    if result.unfinished is not None:
        scored += f"; {told_unfinished(result.unfinished)}"
    message = f"{scored}; the report lies at {result.report_uri}"
    if (chosen := result.interpolation) is not None:
        message += f"; the model of weight {chosen.weight:g} is taken and lies at {chosen.uri}"
    if len(result.benchmarks) < len(set(draft.run.spec.benchmarks)):
        message += f" and alone has all benchmarks: only {len(result.benchmarks)} had room here"
    draft.set(ConditionType.EVALUATION_SUCCEEDED, ConditionStatus.TRUE, Reason.COMPLETED, message)
    return Continue()


def judge_scores(draft: EvalDraft) -> PhaseResult:
    """Sets GatesPassed and the verdict from the scores and the gates."""
    gates = judge(draft, draft.run.spec.gates, draft.status)
    draft.update(gates=gates, verdict=verdict_of(draft.status, gates))
    return Continue()


def complete(draft: EvalDraft) -> PhaseResult:
    """Sets Succeeded."""
    return succeed(draft, "evaluated")


PHASES: Sequence[Phase[EvalDraft]] = (
    initialise_conditions,
    apply_retry,
    judge_edited_gates,
    stop_if_finished,
    validate_spec,
    refuse_replaced_children,
    report_suspension,
    warn_of_margins,
    run_evaluation,
    judge_scores,
    complete,
)
