"""The plan of a BlendedFineTune. `PHASES` is the whole story, in order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from datetime import datetime, timedelta

from blendtune_api import codec
from blendtune_api.contract import BlendResult, RunConfig, TrainResult
from blendtune_api.v1alpha1 import (
    BlendedFineTune,
    BlendedFineTuneStatus,
    BlendStatus,
    ConditionStatus,
    ConditionType,
    EvaluationSummary,
    ModelStatus,
    Reason,
    RubricEvalStatus,
    Stage,
    TrainingStatus,
)

from blendtune_operator import names, render
from blendtune_operator.conditions import FINE_TUNE_CONDITIONS, find, is_true
from blendtune_operator.names import Kind, Object
from blendtune_operator.plan import Plan
from blendtune_operator.plan.attempts import last_attempt
from blendtune_operator.plan.children import Children, is_terminating
from blendtune_operator.plan.diagnosis import diagnose
from blendtune_operator.plan.draft import Draft
from blendtune_operator.plan.gates import finding, judge
from blendtune_operator.plan.lifecycle import accept, refuse, reopen, rest, succeed, suspend
from blendtune_operator.plan.progress import note_progress
from blendtune_operator.plan.stage import StageRun, fail, run_stage
from blendtune_operator.render.blend_job import BLEND_CONTAINER
from blendtune_operator.render.config import Pinned, pin_run, read, repin_run, revision_of
from blendtune_operator.render.uris import model_uri
from blendtune_operator.settings import Settings

FineTuneDraft = Draft[BlendedFineTuneStatus]
_STAGES = (
    ConditionType.DATA_BLENDED,
    ConditionType.SIZED,
    ConditionType.TRAINING_SUCCEEDED,
    ConditionType.EVALUATION_SUCCEEDED,
)
_GIB = 2**30


def plan(
    run: BlendedFineTune, children: Children, now: datetime, settings: Settings
) -> Plan[BlendedFineTuneStatus]:
    """What to write for this run now. Pure: the same world gives the same plan."""
    if run.metadata.deletion_timestamp:
        return Plan(status=run.status)
    draft: FineTuneDraft = Draft(run, run.status, children, now, settings)
    draft.first_visit(FINE_TUNE_CONDITIONS)
    for phase in PHASES:
        if not phase(draft):
            break
    return draft.plan()


def retried(draft: FineTuneDraft) -> bool:
    """A failed RubricEval has to be gone before its stage can run again: it keeps its name."""
    child = _evaluation(draft)
    grown = _run(draft).spec.retry > draft.status.retry and draft.is_true(ConditionType.FAILED)
    if grown and child is not None:
        draft.delete(child)
        return False
    return reopen(draft, _STAGES)


def finished(draft: FineTuneDraft) -> bool:
    if draft.is_true(ConditionType.SUCCEEDED):
        _judge_gates(draft)
    return rest(draft)


def accepted(draft: FineTuneDraft) -> bool:
    if not draft.is_true(ConditionType.TRAINING_SUCCEEDED) and Kind.PYTORCH_JOB in draft.children.unserved:
        draft.look_again(draft.settings.obstacle_interval)
        message = (
            "the API server knows no PyTorchJob: install the Kubeflow training operator; "
            "the run goes on by itself once it is there"
        )
        return refuse(draft, Reason.TRAINING_OPERATOR_MISSING, message)
    return accept(draft)


def suspended(draft: FineTuneDraft) -> bool:
    return suspend(draft)


def blended(draft: FineTuneDraft) -> bool:
    if draft.is_true(ConditionType.DATA_BLENDED):
        return True
    result = run_stage(draft, _blend_stage(draft))
    failed = draft.condition(ConditionType.DATA_BLENDED)
    if failed is not None and failed.reason == Reason.DOES_NOT_FIT:
        draft.set(ConditionType.SIZED, ConditionStatus.FALSE, Reason.DOES_NOT_FIT, failed.message)
    if not isinstance(result, BlendResult):
        return False
    draft.update(blend=BlendStatus(digest=result.digest, tokens=result.tokens, sources=result.sources))
    message = f"{result.tokens:,} tokens of {len(result.sources)} sources in {result.steps:,} steps"
    message = "; ".join((message, *result.warnings))
    draft.set(ConditionType.DATA_BLENDED, ConditionStatus.TRUE, Reason.COMPLETED, message)
    _note_size(draft, result)
    return True


def trained(draft: FineTuneDraft) -> bool:
    if draft.is_true(ConditionType.TRAINING_SUCCEEDED):
        return True
    result = run_stage(draft, _train_stage(draft))
    note_progress(draft)
    if not isinstance(result, TrainResult):
        return False
    attempt = last_attempt(draft.status, Stage.TRAIN)
    training = TrainingStatus(
        steps=result.steps,
        tokens=result.tokens,
        final_loss=result.final_loss,
        validation_loss=result.validation_loss,
        restarts=attempt.number - 1 if attempt else 0,
        gpu_seconds=result.gpu_seconds,
        tokens_per_second_per_gpu=result.tokens_per_second_per_gpu,
        mfu=result.mfu,
    )
    metadata = draft.run.metadata
    uri = model_uri(draft.run.spec.storage, metadata.namespace, metadata.name)
    draft.update(training=training, model=ModelStatus(uri=uri, digest=result.model_digest))
    message = f"{result.steps:,} steps over {result.tokens:,} tokens; the model lies at {uri}"
    draft.set(ConditionType.TRAINING_SUCCEEDED, ConditionStatus.TRUE, Reason.COMPLETED, message)
    return True


def evaluated(draft: FineTuneDraft) -> bool:
    if draft.is_true(ConditionType.EVALUATION_SUCCEEDED):
        return True
    child = _evaluation(draft)
    if child is None:
        _start_evaluation(draft)
        return False
    status = codec.decode(RubricEvalStatus, child.get("status") or {}, lenient=True)
    if is_true(status.conditions, ConditionType.SUCCEEDED):
        _take_scores(draft, status)
        return True
    failed = find(status.conditions, ConditionType.FAILED)
    if failed is not None and failed.status is ConditionStatus.TRUE:
        fail(draft, ConditionType.EVALUATION_SUCCEEDED, Reason(failed.reason), failed.message)
    elif draft.run.spec.suspend:
        draft.delete(child)
    elif not is_terminating(child):
        _mirror(draft, status)
    return False


def gated(draft: FineTuneDraft) -> bool:
    _judge_gates(draft)
    evaluation, run = draft.status.evaluation, _run(draft)
    if evaluation is not None:
        draft.update(diagnosis=diagnose(run, draft.status.blend, evaluation))
    succeed(draft, "blended, trained and evaluated")
    return rest(draft)


Phase = Callable[[FineTuneDraft], bool]
PHASES: tuple[Phase, ...] = (
    retried,
    finished,
    accepted,
    suspended,
    blended,
    trained,
    evaluated,
    gated,
)


def _run(draft: FineTuneDraft) -> BlendedFineTune:
    assert isinstance(draft.run, BlendedFineTune)
    return draft.run


def _blend_stage(draft: FineTuneDraft) -> StageRun:
    run = _run(draft)

    def children_of(attempt: int) -> tuple[Object, ...]:
        pinned, new = _pin(draft)
        return (*new, render.blend_job(run, pinned, attempt, draft.settings))

    return StageRun(
        stage=Stage.BLEND,
        kind=Kind.JOB,
        condition=ConditionType.DATA_BLENDED,
        container=BLEND_CONTAINER,
        result=BlendResult,
        name=lambda attempt: names.blend_job(run.metadata.name, attempt),
        render=children_of,
        backoff_limit=run.spec.cluster.backoff_limit,
    )


def _train_stage(draft: FineTuneDraft) -> StageRun:
    run = _run(draft)
    seconds = run.spec.cluster.active_deadline_seconds

    def children_of(attempt: int) -> tuple[Object, ...]:
        pinned, new = _pin(draft)
        return (*new, render.train_job(run, pinned, attempt, draft.settings))

    return StageRun(
        stage=Stage.TRAIN,
        kind=Kind.PYTORCH_JOB,
        condition=ConditionType.TRAINING_SUCCEEDED,
        container=names.TRAIN_CONTAINER,
        result=TrainResult,
        name=lambda attempt: names.train_job(run.metadata.name, attempt),
        render=children_of,
        backoff_limit=run.spec.cluster.backoff_limit,
        deadline=None if seconds is None else timedelta(seconds=seconds),
    )


def _pin(draft: FineTuneDraft) -> tuple[Pinned[RunConfig], tuple[Object, ...]]:
    """The pinned run for the next attempt, and the ConfigMap to create when it is a new revision."""
    run, known = _run(draft), draft.children.config_maps()
    if not known:
        pinned = pin_run(run, draft.settings)
        return pinned, (render.run_config(run, pinned),)
    latest = read(max(known, key=revision_of), RunConfig)
    pinned = repin_run(latest, run, draft.settings)
    return pinned, () if pinned is latest else (render.run_config(run, pinned),)


def _note_size(draft: FineTuneDraft, result: BlendResult) -> None:
    cluster = _run(draft).spec.cluster
    capacity = _pin(draft)[0].config.gpu.memory_bytes
    if result.memory_bytes_per_gpu is None or capacity is None:
        message = f"the memory of gpuType {cluster.gpu_type} is not known: nothing was compared"
        draft.set(ConditionType.SIZED, ConditionStatus.UNKNOWN, Reason.NOT_SIZED, message)
        return
    message = (
        f"{result.parameters:,} parameters need {result.memory_bytes_per_gpu / _GIB:.1f} GiB of "
        f"{capacity / _GIB:.1f} GiB on each of {cluster.nodes * cluster.gpus_per_node} {cluster.gpu_type}"
    )
    draft.set(ConditionType.SIZED, ConditionStatus.TRUE, Reason.FITS, message)


def _evaluation(draft: FineTuneDraft) -> Object | None:
    return draft.children.find(Kind.RUBRIC_EVAL, names.rubric_eval(draft.run.metadata.name))


def _start_evaluation(draft: FineTuneDraft) -> None:
    run, model = _run(draft), draft.status.model
    if run.spec.suspend or model is None:
        return
    if draft.obstacle is not None:
        message = f"not started: {draft.obstacle.message}"
        draft.set(ConditionType.EVALUATION_SUCCEEDED, ConditionStatus.UNKNOWN, Reason.PENDING, message)
        return
    pinned, new = _pin(draft)
    for child in (*new, render.rubric_eval(run, pinned, model)):
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
        reason, message = Reason(shown.reason), shown.message
        draft.set(ConditionType.EVALUATION_SUCCEEDED, ConditionStatus.UNKNOWN, reason, message)


def _take_scores(draft: FineTuneDraft, status: RubricEvalStatus) -> None:
    name = names.rubric_eval(draft.run.metadata.name)
    copied = {
        field.name: getattr(status, field.name) for field in fields(EvaluationSummary) if field.name != "name"
    }
    draft.update(evaluation=EvaluationSummary(name=name, **copied))
    message = f"scored by RubricEval {name}; the report lies at {status.report_uri}"
    draft.set(ConditionType.EVALUATION_SUCCEEDED, ConditionStatus.TRUE, Reason.COMPLETED, message)


def _judge_gates(draft: FineTuneDraft) -> None:
    """Gates may be edited at any time, so they are judged from the scores rather than copied."""
    evaluation = draft.status.evaluation
    if evaluation is None:
        return
    from dataclasses import replace

    results = judge(_run(draft).spec.evaluation.gates, evaluation)
    draft.update(evaluation=replace(evaluation, gates=results))
    outcome = finding(results)
    draft.set(outcome.type, outcome.status, outcome.reason, outcome.message)
