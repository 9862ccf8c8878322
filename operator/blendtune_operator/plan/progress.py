"""The progress of the training in status.trainerStatus: rank 0 is asked for it at intervals.

A run never fails or waits for want of an answer.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from blendtune_api.contract import Progress, TrainResult
from blendtune_api.v1alpha1 import (
    BlendedFineTune,
    BlendedFineTuneStatus,
    ConditionType,
    NamedValue,
    Reason,
    Role,
    Stage,
    TrainerStatus,
)
from blendtune_operator.conditions import find, moment, timestamp
from blendtune_operator.names import Object
from blendtune_operator.plan.attempts import last_attempt
from blendtune_operator.plan.children import Children, is_live
from blendtune_operator.plan.draft import Draft
from blendtune_operator.render.training import SAVE_SECONDS
from blendtune_operator.settings import Settings

_STALE_AFTER_INTERVALS = 4
_CHECKPOINT_BYTES = "checkpointBytes"
DIVERGENCE = {Role.GENERAL: "divergenceGeneral", Role.IN_DOMAIN: "divergenceInDomain"}  # metrics' names
_LONGEST_SAVE = timedelta(days=1).total_seconds()  # pods get twice as long to end
_LONGEST_REMAINING = timedelta(days=10 * 365).total_seconds()


def pod_to_ask(run: BlendedFineTune, children: Children, now: datetime, settings: Settings) -> Object | None:
    """The pod that rehearses, or rank 0 of the training, if it was last heard an interval ago or more."""
    status = run.status
    for stage, type, told in (
        (Stage.REHEARSE, ConditionType.DATA_REHEARSED, status.rehearsal),
        (Stage.TRAIN, ConditionType.TRAINING_SUCCEEDED, status.trainer_status),
    ):
        condition, attempt = find(status.conditions, type), last_attempt(status, stage)
        if condition is None or condition.reason != Reason.RUNNING or attempt is None:
            continue
        heard = told.last_updated_time if told else None
        if heard is not None and now - moment(heard) < settings.progress_interval:
            return None
        return next((pod for pod in children.pods(stage, attempt.number) if is_live(pod)), None)
    return None


def update_progress(draft: Draft[BlendedFineTuneStatus]) -> None:
    """Copies the answer of rank 0 into the status. Without an answer for long the condition says so."""
    condition = draft.condition(ConditionType.TRAINING_SUCCEEDED)
    if condition is None or condition.reason != Reason.RUNNING:
        return
    draft.requeue_after(draft.settings.progress_interval)
    if draft.children.progress is not None:
        heard = trainer_status(draft.children.progress, draft.now)
        draft.update(trainer_status=_with_known_checkpoint(heard, draft.status.trainer_status))
        return
    known = draft.status.trainer_status
    if known is None or known.last_updated_time is None:
        return
    silence = draft.now - moment(known.last_updated_time)
    if silence > draft.settings.progress_interval * _STALE_AFTER_INTERVALS:
        message = f"{condition.message}; its progress has not been heard since {known.last_updated_time}"
        draft.set(ConditionType.TRAINING_SUCCEEDED, condition.status, Reason.RUNNING, message)


def _with_known_checkpoint(heard: TrainerStatus, known: TrainerStatus | None) -> TrainerStatus:
    """The progress with an earlier attempt's checkpoint metrics, until this one has saved a checkpoint."""
    reported = {metric.name for metric in heard.metrics}
    kept = tuple(
        metric
        for metric in (known.metrics if known else ())
        if metric.name in (SAVE_SECONDS, _CHECKPOINT_BYTES) and metric.name not in reported
    )
    return replace(heard, metrics=heard.metrics + kept)


def final_trainer_status(known: TrainerStatus | None, result: TrainResult, now: datetime) -> TrainerStatus:
    """The progress of a finished training: its last answer came some steps before the end."""
    metrics = {metric.name: metric for metric in (known.metrics if known else ())}
    final = {"step": str(result.steps), "steps": str(result.steps), "tokens": str(result.tokens)}
    if result.final_loss is not None:
        final["loss"] = f"{result.final_loss:.6g}"
    final |= {
        DIVERGENCE[each.role]: f"{each.value:.6g}" for each in result.divergence if each.value is not None
    }
    metrics |= {name: NamedValue(name=name, value=value) for name, value in final.items()}
    return TrainerStatus(
        progress_percentage=100,
        estimated_remaining_seconds=0,
        metrics=tuple(metrics.values()),
        last_updated_time=timestamp(now),
    )


def trainer_status(progress: Progress, now: datetime) -> TrainerStatus:
    """The progress as status.trainerStatus; what is unknown, or cannot be, is left out.

    The image may be a user's own, and say anything.
    """
    step, steps = max(0, progress.step), max(0, progress.steps)
    values: dict[str, float | int | None] = {
        "loss": progress.loss,
        "learningRate": progress.learning_rate,
        DIVERGENCE[Role.GENERAL]: progress.divergence_general,
        DIVERGENCE[Role.IN_DOMAIN]: progress.divergence_in_domain,
        "tokensPerSecond": progress.tokens_per_second,
        "tokensPerSecondPerGpu": progress.tokens_per_second_per_gpu,
        "mfu": progress.mfu,
        "step": step,
        "steps": steps or None,
        "tokens": progress.tokens,
        SAVE_SECONDS: progress.save_seconds if (progress.save_seconds or 0) <= _LONGEST_SAVE else None,
        _CHECKPOINT_BYTES: progress.checkpoint_bytes,
    }
    remaining = progress.remaining_seconds
    if remaining is not None and not 0 <= remaining <= _LONGEST_REMAINING:
        remaining = None
    return TrainerStatus(
        progress_percentage=min(100, 100 * step // steps) if steps else None,
        estimated_remaining_seconds=None if remaining is None else round(remaining),
        metrics=tuple(
            NamedValue(name=name, value=f"{value:.6g}" if isinstance(value, float) else str(value))
            for name, value in values.items()
            if value is not None and value >= 0
        ),
        last_updated_time=timestamp(now),
    )
