"""The plan of a BlendedFineTune. `PHASES` is the whole story, in order."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from blendtune_api.contract import BlendResult, MessageError, RubricResult, TrainResult
from blendtune_api.v1alpha1 import (
    BlendedFineTune,
    BlendedFineTuneStatus,
    BlendStatus,
    ConditionStatus,
    ConditionType,
    ModelStatus,
    Reason,
    RubricStatus,
    Stage,
    TrainingStatus,
)
from blendtune_core.diagnosis import Trained, diagnose
from blendtune_core.power import QuestionCounts
from blendtune_core.sizing.describe import describe_sizing
from blendtune_core.sizing.layout import Gpus
from blendtune_core.sizing.weights import Weights
from blendtune_operator import names, render
from blendtune_operator.conditions import FINE_TUNE_CONDITIONS
from blendtune_operator.names import Kind, Object
from blendtune_operator.plan import Plan
from blendtune_operator.plan.attempts import last_attempt
from blendtune_operator.plan.children import Children
from blendtune_operator.plan.draft import FineTuneDraft
from blendtune_operator.plan.evaluation import evaluated, evaluation_of, gate
from blendtune_operator.plan.lifecycle import accept, clean_up, is_finished, refuse, reopen, succeed, suspend
from blendtune_operator.plan.margins import warn_of_margins
from blendtune_operator.plan.pinning import latest_run, pin_next_run
from blendtune_operator.plan.pods import outcome
from blendtune_operator.plan.progress import finished_status, note_progress
from blendtune_operator.plan.stage import run_stage
from blendtune_operator.plan.stage_run import StageRun
from blendtune_operator.render.blend_job import BLEND_CONTAINER, RUBRIC_CONTAINER
from blendtune_operator.render.uris import model_uri
from blendtune_operator.settings import Settings

_STAGES = (
    ConditionType.DATA_BLENDED,
    ConditionType.SIZED,
    ConditionType.TRAINING_SUCCEEDED,
    ConditionType.EVALUATION_SUCCEEDED,
)


def plan(
    run: BlendedFineTune, children: Children, now: datetime, settings: Settings
) -> Plan[BlendedFineTuneStatus]:
    """What to write for this run now. Pure: the same world gives the same plan."""
    if run.metadata.deletion_timestamp:
        return Plan(status=run.status)
    draft = FineTuneDraft(run, run.status, children, now, settings)
    draft.first_visit(FINE_TUNE_CONDITIONS)
    for phase in PHASES:
        if not phase(draft):
            break
    clean_up(draft)
    return draft.plan()


def retried(draft: FineTuneDraft) -> bool:
    """A failed RubricEval has to be gone before its stage can run again: it keeps its name."""
    child = evaluation_of(draft)
    grown = draft.run.spec.retry > draft.status.retry and draft.is_true(ConditionType.FAILED)
    if grown and child is not None:
        draft.delete(child)
        return False
    return reopen(draft, _STAGES)


def finished(draft: FineTuneDraft) -> bool:
    if draft.is_true(ConditionType.SUCCEEDED):
        _conclude(draft)
    return not is_finished(draft)


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


def forewarned(draft: FineTuneDraft) -> bool:
    rubric = draft.status.rubric
    warn_of_margins(
        draft, QuestionCounts(general=rubric.general, in_domain=rubric.in_domain) if rubric else None
    )
    return True


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
    _note_rubric(draft)
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
        epochs=result.epochs,
    )
    metadata = draft.run.metadata
    uri = model_uri(draft.run.spec.storage, metadata.namespace, metadata.name)
    progress = finished_status(draft.status.trainer_status, result, draft.now)
    model = ModelStatus(uri=uri, digest=result.model_digest)
    draft.update(training=training, model=model, trainer_status=progress)
    message = f"{result.steps:,} steps over {result.tokens:,} tokens; the model lies at {uri}"
    draft.set(ConditionType.TRAINING_SUCCEEDED, ConditionStatus.TRUE, Reason.COMPLETED, message)
    return True


def gated(draft: FineTuneDraft) -> bool:
    _conclude(draft)
    succeed(draft, "blended, trained and evaluated")
    return True


Phase = Callable[[FineTuneDraft], bool]
PHASES: tuple[Phase, ...] = (
    retried,
    finished,
    accepted,
    suspended,
    forewarned,
    blended,
    trained,
    evaluated,
    gated,
)


def _blend_stage(draft: FineTuneDraft) -> StageRun:
    run = draft.run

    def children_of(attempt: int) -> tuple[Object, ...]:
        pinned, new = pin_next_run(draft)
        return (*new, render.blend_job(run, pinned, attempt, draft.settings))

    return StageRun(
        stage=Stage.BLEND,
        condition=ConditionType.DATA_BLENDED,
        container=BLEND_CONTAINER,
        result=BlendResult,
        render=children_of,
        backoff_limit=run.spec.cluster.backoff_limit,
    )


def _train_stage(draft: FineTuneDraft) -> StageRun:
    run = draft.run
    seconds = run.spec.cluster.active_deadline_seconds

    def children_of(attempt: int) -> tuple[Object, ...]:
        pinned, new = pin_next_run(draft)
        return (*new, render.train_job(run, pinned, attempt, draft.settings))

    return StageRun(
        stage=Stage.TRAIN,
        condition=ConditionType.TRAINING_SUCCEEDED,
        container=names.TRAIN_CONTAINER,
        result=TrainResult,
        render=children_of,
        backoff_limit=run.spec.cluster.backoff_limit,
        deadline=None if seconds is None else timedelta(seconds=seconds),
    )


def _note_rubric(draft: FineTuneDraft) -> None:
    """What the rubric's check said before the blend; without it, only the questions' number stays unknown."""
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


def _conclude(draft: FineTuneDraft) -> None:
    """Gates and diagnosis follow from the scores and from gates that may be edited at any time."""
    gate(draft)
    status = draft.status
    if status.evaluation is not None:
        trained = Trained(
            roles={source.name: source.role for source in draft.run.spec.blend.sources},
            sources=status.blend.sources if status.blend else (),
            validation_loss=status.training.validation_loss if status.training else (),
        )
        draft.update(diagnosis=diagnose(status.evaluation, status.evaluation.gates, trained))


def _note_size(draft: FineTuneDraft, result: BlendResult) -> None:
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
