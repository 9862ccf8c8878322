"""The plan of a RubricEval. `PHASES` is the whole story, in order."""

from __future__ import annotations

from collections.abc import Callable
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
from blendtune_core.gates import judge_gates, sum_up
from blendtune_operator import render
from blendtune_operator.conditions import RUBRIC_EVAL_CONDITIONS
from blendtune_operator.names import Object
from blendtune_operator.plan import Plan
from blendtune_operator.plan.children import Children
from blendtune_operator.plan.draft import EvalDraft
from blendtune_operator.plan.lifecycle import accept, clean_up, is_finished, reopen, succeed, suspend
from blendtune_operator.plan.margins import warn_of_margins
from blendtune_operator.plan.pinning import pin_next_eval
from blendtune_operator.plan.stage import run_stage
from blendtune_operator.plan.stage_run import StageRun
from blendtune_operator.render.eval_job import EVAL_CONTAINER
from blendtune_operator.settings import Settings


def plan(run: RubricEval, children: Children, now: datetime, settings: Settings) -> Plan[RubricEvalStatus]:
    """What to write for this evaluation now. Pure: the same world gives the same plan."""
    if run.metadata.deletion_timestamp:
        return Plan(status=run.status)
    draft = EvalDraft(run, run.status, children, now, settings)
    draft.first_visit(RUBRIC_EVAL_CONDITIONS)
    for phase in PHASES:
        if not phase(draft):
            break
    clean_up(draft)
    return draft.plan()


def retried(draft: EvalDraft) -> bool:
    return reopen(draft, (ConditionType.EVALUATION_SUCCEEDED,))


def finished(draft: EvalDraft) -> bool:
    if draft.is_true(ConditionType.SUCCEEDED):
        _gate(draft)
    return not is_finished(draft)


def accepted(draft: EvalDraft) -> bool:
    return accept(draft)


def suspended(draft: EvalDraft) -> bool:
    return suspend(draft)


def forewarned(draft: EvalDraft) -> bool:
    warn_of_margins(draft)
    return True


def evaluated(draft: EvalDraft) -> bool:
    result = run_stage(draft, _eval_stage(draft))
    if not isinstance(result, EvalResult):
        return False
    draft.update(
        overall=result.overall,
        general=result.general,
        in_domain=result.in_domain,
        dimensions=result.dimensions,
        categories=result.categories,
        coverage=result.coverage,
        verdict=result.verdict,
        not_compared=result.not_compared,
        digests=result.digests,
        report_uri=result.report_uri,
        epochs=result.epochs,
        benchmarks=result.benchmarks,
    )
    scored = f"{result.coverage:.0%} of the questions were scored"
    if result.unscored_reason:
        scored += f" (unscored: {result.unscored_reason})"
    message = f"{scored}; the report lies at {result.report_uri}"
    if len(result.benchmarks) < len(set(draft.run.spec.benchmarks)):
        message += f" and alone has all benchmarks: only {len(result.benchmarks)} had room here"
    draft.set(ConditionType.EVALUATION_SUCCEEDED, ConditionStatus.TRUE, Reason.COMPLETED, message)
    return True


def gated(draft: EvalDraft) -> bool:
    _gate(draft)
    succeed(draft, "evaluated")
    return True


Phase = Callable[[EvalDraft], bool]
PHASES: tuple[Phase, ...] = (retried, finished, accepted, suspended, forewarned, evaluated, gated)


def _eval_stage(draft: EvalDraft) -> StageRun:
    run = draft.run

    def children_of(attempt: int) -> tuple[Object, ...]:
        pinned, new = pin_next_eval(draft)
        return (*new, render.eval_job(run, pinned, attempt, draft.settings))

    return StageRun(
        stage=Stage.EVAL,
        condition=ConditionType.EVALUATION_SUCCEEDED,
        container=EVAL_CONTAINER,
        result=EvalResult,
        render=children_of,
        backoff_limit=run.spec.cluster.backoff_limit,
    )


def _gate(draft: EvalDraft) -> None:
    """Gates may be edited at any time, so they are judged from the scores rather than copied."""
    results = judge_gates(draft.run.spec.gates, draft.status)
    draft.update(gates=results)
    draft.set(ConditionType.GATES_PASSED, *sum_up(results))
