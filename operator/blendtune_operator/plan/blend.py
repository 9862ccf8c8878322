"""The blend of a BlendedFineTune: a Job checks the rubric, then mixes, packs and sizes the data."""

from __future__ import annotations

from blendtune_api.contract import BlendResult, MessageError, RubricResult
from blendtune_api.v1alpha1 import BlendStatus, ConditionStatus, ConditionType, Reason, RubricStatus, Stage
from blendtune_core.sizing.describe import describe_sizing
from blendtune_core.sizing.layout import Gpus
from blendtune_core.sizing.weights import Weights
from blendtune_operator import render
from blendtune_operator.plan.draft import FineTuneDraft
from blendtune_operator.plan.phase import Continue, PhaseResult, Stop
from blendtune_operator.plan.pinning import latest_run, pin_next_run, render_attempt
from blendtune_operator.plan.pods import outcome
from blendtune_operator.plan.stage import run_stage
from blendtune_operator.plan.stage_run import StageRun
from blendtune_operator.render.blend_job import BLEND_CONTAINER, RUBRIC_CONTAINER


def run_blend(draft: FineTuneDraft) -> PhaseResult:
    """Runs the blend Job until it has left its result; sets DataBlended and Sized."""
    if draft.is_true(ConditionType.DATA_BLENDED):
        return Continue()
    stage = StageRun(
        stage=Stage.BLEND,
        condition=ConditionType.DATA_BLENDED,
        container=BLEND_CONTAINER,
        result=BlendResult,
        render=lambda attempt: render_attempt(
            draft.run, attempt, pin_next_run(draft), render.blend_job, draft.settings
        ),
    )
    result = run_stage(draft, stage)
    if isinstance(result, Stop):
        if result.reason == Reason.DOES_NOT_FIT:
            draft.set(ConditionType.SIZED, ConditionStatus.FALSE, Reason.DOES_NOT_FIT, result.message)
        return result
    draft.update(
        blend=BlendStatus(
            digest=result.digest, tokens=result.tokens, sources=result.sources, bad_rows=result.bad_rows
        )
    )
    message = f"{result.tokens:,} tokens of {len(result.sources)} sources in {result.steps:,} steps"
    if result.bad_rows:
        reasons = ", ".join(f"{each.rows:,} {each.reason} (first {each.first})" for each in result.bad_rows)
        message += f"; bad rows dropped: {reasons}"
    message = "; ".join((message, *result.warnings))
    draft.set(ConditionType.DATA_BLENDED, ConditionStatus.TRUE, Reason.COMPLETED, message)
    _record_rubric(draft)
    _report_size(draft, result)
    return Continue()


def _record_rubric(draft: FineTuneDraft) -> None:
    """Copies what the rubric's check found into the status.

    A check that left no readable message only leaves the number of questions unknown.
    """
    try:
        checked = outcome(draft.children.pods(Stage.BLEND), RUBRIC_CONTAINER)
    except MessageError:
        return
    if isinstance(checked, RubricResult):
        rubric = RubricStatus(
            name=checked.name,
            digest=checked.digest,
            general=checked.general,
            in_domain=checked.in_domain,
        )
        draft.update(rubric=rubric)


def _report_size(draft: FineTuneDraft, result: BlendResult) -> None:
    """Sets Sized: the memory that the training needs beside what its GPUs have, where that is known."""
    pinned = latest_run(draft)
    preset = pinned.config.gpu if pinned else None
    if result.layout is None or preset is None or preset.memory_bytes is None:
        gpu_type = preset.name if preset else draft.run.spec.cluster.gpu_type
        message = f"the memory of gpuType {gpu_type} is not known: nothing was compared"
        draft.set(ConditionType.SIZED, ConditionStatus.UNKNOWN, Reason.NOT_SIZED, message)
        return
    cluster = pinned.config.spec.cluster if pinned else draft.run.spec.cluster
    gpus = Gpus(preset=preset, nodes=cluster.nodes, per_node=cluster.gpus_per_node)
    message = describe_sizing(
        _weights(result),
        result.layout,
        gpus,
        draft.run.spec.training.sequence_length,
        result.training_seconds,
    )
    draft.set(ConditionType.SIZED, ConditionStatus.TRUE, Reason.FITS, message)


def _weights(result: BlendResult) -> Weights:
    if not result.adapter_parameters:
        return Weights(trained=result.parameters)
    return Weights(trained=result.adapter_parameters, frozen=result.parameters)
