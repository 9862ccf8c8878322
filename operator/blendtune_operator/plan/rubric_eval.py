"""The plan of a RubricEval. `PHASES` is the whole story, in order."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from blendtune_api.contract import EvalConfig, EvalResult
from blendtune_api.v1alpha1 import (
    ConditionStatus,
    ConditionType,
    Reason,
    RubricEval,
    RubricEvalStatus,
    Stage,
)

from blendtune_operator import names, render
from blendtune_operator.conditions import RUBRIC_EVAL_CONDITIONS
from blendtune_operator.names import Kind, Object
from blendtune_operator.plan import Plan
from blendtune_operator.plan.children import Children
from blendtune_operator.plan.draft import Draft
from blendtune_operator.plan.gates import finding, judge
from blendtune_operator.plan.lifecycle import accept, reopen, rest, succeed, suspend
from blendtune_operator.plan.stage import StageRun, run_stage
from blendtune_operator.render.config import Pinned, pin_eval, read, repin_eval, revision_of
from blendtune_operator.render.eval_job import EVAL_CONTAINER
from blendtune_operator.settings import Settings

EvalDraft = Draft[RubricEvalStatus]


def plan(run: RubricEval, children: Children, now: datetime, settings: Settings) -> Plan[RubricEvalStatus]:
    """What to write for this evaluation now. Pure: the same world gives the same plan."""
    if run.metadata.deletion_timestamp:
        return Plan(status=run.status)
    draft: EvalDraft = Draft(run, run.status, children, now, settings)
    draft.first_visit(RUBRIC_EVAL_CONDITIONS)
    for phase in PHASES:
        if not phase(draft):
            break
    return draft.plan()


def retried(draft: EvalDraft) -> bool:
    return reopen(draft, (ConditionType.EVALUATION_SUCCEEDED,))


def finished(draft: EvalDraft) -> bool:
    if draft.is_true(ConditionType.SUCCEEDED):
        _judge_gates(draft)
    return rest(draft)


def accepted(draft: EvalDraft) -> bool:
    return accept(draft)


def suspended(draft: EvalDraft) -> bool:
    return suspend(draft)


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
        gates=result.gates,
        coverage=result.coverage,
        verdict=result.verdict,
        critical_errors=result.critical_errors,
        digests=result.digests,
        report_uri=result.report_uri,
    )
    message = f"{result.coverage:.0%} of the questions were scored; the report lies at {result.report_uri}"
    draft.set(ConditionType.EVALUATION_SUCCEEDED, ConditionStatus.TRUE, Reason.COMPLETED, message)
    return True


def gated(draft: EvalDraft) -> bool:
    _judge_gates(draft)
    succeed(draft, "evaluated")
    return rest(draft)


Phase = Callable[[EvalDraft], bool]
PHASES: tuple[Phase, ...] = (retried, finished, accepted, suspended, evaluated, gated)


def _run(draft: EvalDraft) -> RubricEval:
    assert isinstance(draft.run, RubricEval)
    return draft.run


def _eval_stage(draft: EvalDraft) -> StageRun:
    run = _run(draft)

    def children_of(attempt: int) -> tuple[Object, ...]:
        pinned, new = _pin(draft)
        return (*new, render.eval_job(run, pinned, attempt, draft.settings))

    return StageRun(
        stage=Stage.EVAL,
        kind=Kind.JOB,
        condition=ConditionType.EVALUATION_SUCCEEDED,
        container=EVAL_CONTAINER,
        result=EvalResult,
        name=lambda attempt: names.eval_job(run.metadata.name, attempt),
        render=children_of,
        backoff_limit=run.spec.cluster.backoff_limit,
    )


def _pin(draft: EvalDraft) -> tuple[Pinned[EvalConfig], tuple[Object, ...]]:
    """The pinned evaluation for the next attempt, and the ConfigMap to create when it is a new revision."""
    run, known = _run(draft), draft.children.config_maps()
    if not known:
        pinned = pin_eval(run, draft.settings)
        return pinned, (render.eval_config(run, pinned),)
    latest = read(max(known, key=revision_of), EvalConfig)
    pinned = repin_eval(latest, run, draft.settings)
    return pinned, () if pinned is latest else (render.eval_config(run, pinned),)


def _judge_gates(draft: EvalDraft) -> None:
    """Gates may be edited at any time, so they are judged from the scores rather than copied."""
    results = judge(_run(draft).spec.gates, draft.status)
    draft.update(gates=results)
    outcome = finding(results)
    draft.set(outcome.type, outcome.status, outcome.reason, outcome.message)
