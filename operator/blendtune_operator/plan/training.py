"""The training of a BlendedFineTune: one attempt is one gang, whatever makes its pods."""

from __future__ import annotations

from datetime import timedelta

from blendtune_api.contract import TrainResult
from blendtune_api.v1alpha1 import ConditionStatus, ConditionType, ModelStatus, Reason, Stage, TrainingStatus
from blendtune_operator import render
from blendtune_operator.gang import BACKENDS
from blendtune_operator.plan.attempts import last_attempt
from blendtune_operator.plan.draft import FineTuneDraft
from blendtune_operator.plan.phase import Continue, PhaseResult, Stop
from blendtune_operator.plan.pinning import pin_next_run, render_attempt
from blendtune_operator.plan.progress import final_trainer_status, update_progress
from blendtune_operator.plan.recorded import gang_of
from blendtune_operator.plan.stage import run_stage
from blendtune_operator.plan.stage_run import StageRun
from blendtune_operator.render.uris import model_uri


def run_training(draft: FineTuneDraft) -> PhaseResult:
    """Runs gangs until the model is exported; sets TrainingSucceeded and shows the progress."""
    if draft.is_true(ConditionType.TRAINING_SUCCEEDED):
        return Continue()
    seconds = draft.run.spec.cluster.active_deadline_seconds
    stage = StageRun(
        stage=Stage.TRAIN,
        condition=ConditionType.TRAINING_SUCCEEDED,
        container=BACKENDS[gang_of(draft.status)].container,
        result=TrainResult,
        render=lambda attempt: render_attempt(
            draft.run, attempt, pin_next_run(draft), render.training, draft.settings
        ),
        deadline=None if seconds is None else timedelta(seconds=seconds),
    )
    result = run_stage(draft, stage)
    update_progress(draft)
    if isinstance(result, Stop):
        return result
    _record_result(draft, result)
    return Continue()


def _record_result(draft: FineTuneDraft, result: TrainResult) -> None:
    """Copies what the training has reached into the status, and says where the model lies."""
    attempt = last_attempt(draft.status, Stage.TRAIN)
    training = TrainingStatus(
        steps=result.steps,
        tokens=result.tokens,
        final_loss=result.final_loss,
        validation_loss=result.validation_loss,
        divergence=result.divergence,
        stopped_early=result.stopped_early,
        restarts=attempt.number - 1 if attempt else 0,
        gpu_seconds=result.gpu_seconds,
        tokens_per_second_per_gpu=result.tokens_per_second_per_gpu,
        mfu=result.mfu,
        epochs=result.epochs,
    )
    metadata = draft.run.metadata
    uri = model_uri(draft.run.spec.storage, metadata.namespace, metadata.name)
    progress = final_trainer_status(draft.status.trainer_status, result, draft.now)
    model = ModelStatus(uri=uri, digest=result.model_digest)
    draft.update(training=training, model=model, trainer_status=progress)
    message = f"{result.steps:,} steps over {result.tokens:,} tokens; the model lies at {uri}"
    if result.stopped_early:
        message += f"; stopped early {result.stopped_early}"
    draft.set(ConditionType.TRAINING_SUCCEEDED, ConditionStatus.TRUE, Reason.COMPLETED, message)
