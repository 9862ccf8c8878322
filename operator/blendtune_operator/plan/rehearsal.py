"""The rehearsal of a BlendedFineTune: a Job in which the base model writes the rows of sources self://."""

from __future__ import annotations

from blendtune_api.contract import RehearseResult
from blendtune_api.v1alpha1 import (
    ConditionStatus,
    ConditionType,
    Reason,
    RehearsalStatus,
    RehearsedSource,
    RowsOfScript,
    Stage,
)
from blendtune_operator import render
from blendtune_operator.plan.draft import FineTuneDraft
from blendtune_operator.plan.phase import Continue, PhaseResult, Stop
from blendtune_operator.plan.pinning import pin_next_run, render_attempt
from blendtune_operator.plan.progress import trainer_status
from blendtune_operator.plan.stage import run_stage
from blendtune_operator.plan.stage_run import StageRun
from blendtune_operator.render.rehearse_job import REHEARSE_CONTAINER


def run_rehearsal(draft: FineTuneDraft) -> PhaseResult:
    """Runs the rehearse Job, where a source is self://, until its rows are there; sets DataRehearsed."""
    if not draft.run.spec.blend.self_sources or draft.is_true(ConditionType.DATA_REHEARSED):
        return Continue()
    stage = StageRun(
        stage=Stage.REHEARSE,
        condition=ConditionType.DATA_REHEARSED,
        container=REHEARSE_CONTAINER,
        result=RehearseResult,
        render=lambda attempt: render_attempt(
            draft.run, attempt, pin_next_run(draft), render.rehearse_job, draft.settings
        ),
    )
    result = run_stage(draft, stage)
    if isinstance(result, Stop):
        _update_progress(draft)
        if result.reason == Reason.DOES_NOT_FIT:
            draft.set(ConditionType.SIZED, ConditionStatus.FALSE, Reason.DOES_NOT_FIT, result.message)
        return result
    draft.update(rehearsal=RehearsalStatus(progress_percentage=100, sources=result.sources))
    message = "; ".join(map(describe_rehearsal, result.sources))
    draft.set(ConditionType.DATA_REHEARSED, ConditionStatus.TRUE, Reason.COMPLETED, message)
    return Continue()


def describe_rehearsal(source: RehearsedSource) -> str:
    """What the base model has written for a source, in one sentence."""
    text = f"{source.name}: {source.rows:,} rows of {source.tokens:,} tokens, of {source.written:,} written"
    if source.reused:
        text += f" ({source.reused:,} by an earlier attempt or run)"
    text += f", up to {source.longest:,} tokens each"
    if source.scripts:
        text += f", in {', '.join(_told_script(each, source.rows) for each in source.scripts)}"
    if source.rejected:
        reasons = ", ".join(f"{each.rows:,} {each.reason}" for each in source.rejected)
        text += f"; left out: {reasons}"
    return text


def _told_script(of: RowsOfScript, rows: int) -> str:
    name = of.script if of.script != "None" else "no letters"
    return name if of.rows == rows else f"{name} ({of.rows:,})"


def _update_progress(draft: FineTuneDraft) -> None:
    """Copies what the pod answers into the status."""
    condition = draft.condition(ConditionType.DATA_REHEARSED)
    if condition is None or condition.reason != Reason.RUNNING:
        return
    draft.requeue_after(draft.settings.progress_interval)
    if draft.children.progress is None:
        return
    heard = trainer_status(draft.children.progress, draft.now)
    draft.update(
        rehearsal=RehearsalStatus(
            progress_percentage=heard.progress_percentage,
            estimated_remaining_seconds=heard.estimated_remaining_seconds,
            last_updated_time=heard.last_updated_time,
        )
    )
