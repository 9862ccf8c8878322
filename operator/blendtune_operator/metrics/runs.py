"""Prometheus series of the runs: read from their status at each scrape, so a deleted run leaves no series.

A value that is not known is absent, never zero.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from blendtune_api.blend_study import BlendStudy
from blendtune_api.codec import Resource
from blendtune_api.v1alpha1 import BLENDED_FINE_TUNE as FINE_TUNE
from blendtune_api.v1alpha1 import RUBRIC_EVAL, BlendedFineTune, RubricEval, Stage, State
from blendtune_operator.conditions import moment
from blendtune_operator.metrics.evaluations import evaluation_series, evaluations_of
from blendtune_operator.metrics.series import add_known, run_family
from blendtune_operator.metrics.studies import study_series
from blendtune_operator.plan.attempts import last_attempt
from blendtune_operator.plan.progress import DIVERGENCE

_TRAINER_METRICS = {
    "step": ("blendtune_training_step", "Optimizer steps taken."),
    "loss": ("blendtune_training_loss", "Loss of the latest step, nats per supervised token."),
    "learningRate": ("blendtune_training_learning_rate", "Learning rate of the latest step."),
    "tokensPerSecond": ("blendtune_training_tokens_per_second", "Tokens trained on per second, all ranks."),
    "mfu": ("blendtune_training_mfu_ratio", "Model FLOP/s utilisation."),
}


class RunCollector(Collector):
    """Walks the objects that `objects` returns at each scrape."""

    def __init__(self, objects: Callable[[], Iterable[Resource]]) -> None:
        self._objects = objects

    def collect(self) -> Iterator[Metric]:
        resources = tuple(self._objects())
        objects = [item for item in resources if not isinstance(item, BlendStudy)]
        fine_tunes = [object for object in objects if isinstance(object, BlendedFineTune)]
        yield _states(objects)
        yield _conditions(objects)
        yield _attempts(objects)
        yield from _progress(fine_tunes)
        yield from _rehearsals(fine_tunes)
        yield from _blends(fine_tunes)
        yield from _trainings(fine_tunes)
        yield _diagnoses(fine_tunes)
        yield from evaluation_series(evaluations_of(objects))
        yield from study_series([item for item in resources if isinstance(item, BlendStudy)])


def _labels(object: BlendedFineTune | RubricEval) -> list[str]:
    kind = FINE_TUNE if isinstance(object, BlendedFineTune) else RUBRIC_EVAL
    return [kind, object.metadata.namespace, object.metadata.name]


def _states(objects: Iterable[BlendedFineTune | RubricEval]) -> Metric:
    family = run_family("blendtune_run_state", "1 for the state the run is in, 0 for the others.", "state")
    for object in objects:
        for state in State:
            family.add_metric([*_labels(object), state], float(object.status.state is state))
    return family


def _conditions(objects: Iterable[BlendedFineTune | RubricEval]) -> Metric:
    family = run_family(
        "blendtune_run_condition",
        "1 for the status and the reason that the condition has.",
        "condition",
        "status",
        "reason",
    )
    for object in objects:
        for condition in object.status.conditions:
            labels = [*_labels(object), condition.type, condition.status, condition.reason]
            family.add_metric(labels, 1)
    return family


def _attempts(objects: Iterable[BlendedFineTune | RubricEval]) -> Metric:
    family = run_family("blendtune_run_attempt", "Number of the latest attempt of a stage, from 1.", "stage")
    for object in objects:
        for stage in Stage:
            attempt = last_attempt(object.status, stage)
            if attempt is not None:
                family.add_metric([*_labels(object), stage], attempt.number)
    return family


def _progress(fine_tunes: Iterable[BlendedFineTune]) -> Iterator[Metric]:
    progress = run_family("blendtune_training_progress_ratio", "Share of the training that is done, 0 to 1.")
    remaining = run_family(
        "blendtune_training_remaining_seconds", "Expected time to the end of the training."
    )
    heard = run_family(
        "blendtune_training_last_heard_timestamp_seconds",
        "When rank 0 last told its progress, in seconds since the epoch.",
    )
    families = {key: run_family(name, text) for key, (name, text) in _TRAINER_METRICS.items()}
    moved = run_family(
        "blendtune_training_divergence",
        "KL(base, tuned) on held-out rows at the latest validation, nats per token.",
        "role",
    )
    roles = {name: role for role, name in DIVERGENCE.items()}
    for object in fine_tunes:
        trainer = object.status.trainer_status
        if trainer is None:
            continue
        if trainer.progress_percentage is not None:
            progress.add_metric(_labels(object), trainer.progress_percentage / 100)
        add_known(remaining, _labels(object), trainer.estimated_remaining_seconds)
        if trainer.last_updated_time is not None:
            heard.add_metric(_labels(object), moment(trainer.last_updated_time).timestamp())
        for metric in trainer.metrics:
            if metric.name in families:
                families[metric.name].add_metric(_labels(object), float(metric.value))
            if metric.name in roles:
                moved.add_metric([*_labels(object), roles[metric.name]], float(metric.value))
    yield from (progress, remaining, heard, *families.values(), moved)


def _rehearsals(fine_tunes: Iterable[BlendedFineTune]) -> Iterator[Metric]:
    progress = run_family(
        "blendtune_rehearsal_progress_ratio", "Share of the rehearsal that is done, 0 to 1."
    )
    remaining = run_family(
        "blendtune_rehearsal_remaining_seconds", "Expected time to the end of the rehearsal."
    )
    tokens = run_family(
        "blendtune_rehearsal_tokens", "Tokens of the rows that are kept of a source.", "source"
    )
    rows = run_family(
        "blendtune_rehearsal_rows",
        "Rows that the base model has written for a source: Kept, or why they were left out.",
        "source",
        "outcome",
    )
    for object in fine_tunes:
        rehearsal = object.status.rehearsal
        if rehearsal is None:
            continue
        if rehearsal.progress_percentage is not None:
            progress.add_metric(_labels(object), rehearsal.progress_percentage / 100)
        add_known(remaining, _labels(object), rehearsal.estimated_remaining_seconds)
        for source in rehearsal.sources:
            tokens.add_metric([*_labels(object), source.name], source.tokens)
            rows.add_metric([*_labels(object), source.name, "Kept"], source.rows)
            for rejected in source.rejected:
                rows.add_metric([*_labels(object), source.name, rejected.reason], rejected.rows)
    yield from (progress, remaining, tokens, rows)


def _blends(fine_tunes: Iterable[BlendedFineTune]) -> Iterator[Metric]:
    target = run_family("blendtune_blend_target_share", "Declared share of a source, 0 to 1.", "source")
    achieved = run_family("blendtune_blend_achieved_share", "Share that a source reached, 0 to 1.", "source")
    for object in fine_tunes:
        for source in object.status.blend.sources if object.status.blend else ():
            target.add_metric([*_labels(object), source.name], source.target_share)
            achieved.add_metric([*_labels(object), source.name], source.achieved_share)
    yield target
    yield achieved


def _trainings(fine_tunes: Iterable[BlendedFineTune]) -> Iterator[Metric]:
    ranks = run_family("blendtune_training_ranks", "Ranks that spec.cluster asks for, one on each GPU.")
    seconds = run_family("blendtune_training_gpu_seconds", "GPUs held times seconds of training.")
    losses = run_family(
        "blendtune_training_validation_loss",
        "Loss on the rows held out of a source, nats per supervised token.",
        "source",
        "moment",
    )
    for object in fine_tunes:
        cluster, training = object.spec.cluster, object.status.training
        ranks.add_metric(_labels(object), cluster.nodes * cluster.gpus_per_node)
        if training is None:
            continue
        add_known(seconds, _labels(object), training.gpu_seconds)
        for source in training.validation_loss:
            for name, loss in (("before", source.before), ("after", source.after)):
                add_known(losses, [*_labels(object), source.name, name], loss)
    yield from (ranks, seconds, losses)


def _diagnoses(fine_tunes: Iterable[BlendedFineTune]) -> Metric:
    family = run_family("blendtune_run_diagnosis", "1 for what the scores say of the blend.", "verdict")
    for object in fine_tunes:
        if object.status.diagnosis is not None:
            family.add_metric([*_labels(object), object.status.diagnosis.verdict], 1)
    return family
