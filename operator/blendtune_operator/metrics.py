"""Prometheus series of the runs: read from their status at each scrape, so a deleted run leaves no series.

A value that is not known is absent, never zero.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from blendtune_api.v1alpha1 import BLENDED_FINE_TUNE as FINE_TUNE
from blendtune_api.v1alpha1 import (
    RUBRIC_EVAL,
    BlendedFineTune,
    GateResult,
    RubricEval,
    ScopeScore,
    State,
)

_RUN = ("kind", "namespace", "name")
_TRAINER_METRICS = {
    "loss": ("blendtune_training_loss", "Loss of the latest step, nats per supervised token."),
    "learningRate": ("blendtune_training_learning_rate", "Learning rate of the latest step."),
    "tokensPerSecond": ("blendtune_training_tokens_per_second", "Tokens trained on per second, all ranks."),
    "mfu": ("blendtune_training_mfu_ratio", "Model FLOP/s utilisation."),
}


class RunCollector(Collector):
    """Walks the objects that `objects` returns at each scrape."""

    def __init__(self, objects: Callable[[], Iterable[BlendedFineTune | RubricEval]]) -> None:
        self._objects = objects

    def collect(self) -> Iterator[Metric]:
        objects = tuple(self._objects())
        fine_tunes = [object for object in objects if isinstance(object, BlendedFineTune)]
        evaluations = [object for object in objects if isinstance(object, RubricEval)]
        yield _states(objects)
        yield _conditions(objects)
        yield from _progress(fine_tunes)
        yield from _blends(fine_tunes)
        yield _gpu_seconds(fine_tunes)
        yield from _scores(evaluations)
        yield _gates(evaluations)


def _labels(object: BlendedFineTune | RubricEval) -> list[str]:
    kind = FINE_TUNE if isinstance(object, BlendedFineTune) else RUBRIC_EVAL
    return [kind, object.metadata.namespace, object.metadata.name]


def _family(name: str, text: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, labels=[*_RUN, *labels])


def _states(objects: Iterable[BlendedFineTune | RubricEval]) -> Metric:
    family = _family("blendtune_run_state", "1 for the state the run is in, 0 for the others.", "state")
    for object in objects:
        for state in State:
            family.add_metric([*_labels(object), state], float(object.status.state is state))
    return family


def _conditions(objects: Iterable[BlendedFineTune | RubricEval]) -> Metric:
    family = _family(
        "blendtune_run_condition", "1 for the status that the condition has.", "condition", "status"
    )
    for object in objects:
        for condition in object.status.conditions:
            family.add_metric([*_labels(object), condition.type, condition.status], 1)
    return family


def _progress(fine_tunes: Iterable[BlendedFineTune]) -> Iterator[Metric]:
    progress = _family("blendtune_training_progress_ratio", "Share of the training that is done, 0 to 1.")
    remaining = _family("blendtune_training_remaining_seconds", "Expected time to the end of the training.")
    families = {key: _family(name, text) for key, (name, text) in _TRAINER_METRICS.items()}
    for object in fine_tunes:
        trainer = object.status.trainer_status
        if trainer is None:
            continue
        if trainer.progress_percentage is not None:
            progress.add_metric(_labels(object), trainer.progress_percentage / 100)
        if trainer.estimated_remaining_seconds is not None:
            remaining.add_metric(_labels(object), trainer.estimated_remaining_seconds)
        for metric in trainer.metrics:
            if metric.name in families:
                families[metric.name].add_metric(_labels(object), float(metric.value))
    yield progress
    yield remaining
    yield from families.values()


def _blends(fine_tunes: Iterable[BlendedFineTune]) -> Iterator[Metric]:
    target = _family("blendtune_blend_target_share", "Declared share of a source, 0 to 1.", "source")
    achieved = _family("blendtune_blend_achieved_share", "Share that a source reached, 0 to 1.", "source")
    for object in fine_tunes:
        for source in object.status.blend.sources if object.status.blend else ():
            target.add_metric([*_labels(object), source.name], source.target_share)
            achieved.add_metric([*_labels(object), source.name], source.achieved_share)
    yield target
    yield achieved


def _gpu_seconds(fine_tunes: Iterable[BlendedFineTune]) -> Metric:
    family = _family("blendtune_training_gpu_seconds", "GPUs held times seconds of training.")
    for object in fine_tunes:
        if object.status.training and object.status.training.gpu_seconds is not None:
            family.add_metric(_labels(object), object.status.training.gpu_seconds)
    return family


def _scopes(evaluation: RubricEval) -> Iterator[tuple[str, ScopeScore]]:
    status = evaluation.status
    for kind, scope in (
        ("overall", status.overall),
        ("domain", status.general),
        ("domain", status.in_domain),
    ):
        if scope is not None:
            yield kind, scope
    yield from (("dimension", scope) for scope in status.dimensions)
    yield from (("category", scope) for scope in status.categories)


def _scores(evaluations: Iterable[RubricEval]) -> Iterator[Metric]:
    fields: dict[str, tuple[GaugeMetricFamily, Callable[[ScopeScore], float | None]]] = {
        name: (_family(f"blendtune_eval_{name}", text, "scope_kind", "scope", "judge"), value)
        for name, text, value in (
            ("score", "Score of a scope, 0 to 1.", lambda scope: scope.score),
            ("score_low", "Lower end of its 95% interval.", lambda scope: scope.low),
            ("score_high", "Upper end of its 95% interval.", lambda scope: scope.high),
            ("baseline_score", "Score of the base model.", lambda scope: scope.baseline_score),
            ("delta", "Score less the base model's.", lambda scope: scope.delta),
            (
                "unscored_questions",
                "Questions that could not be scored.",
                lambda scope: float(scope.unscored),
            ),
        )
    }
    for evaluation in evaluations:
        for kind, scope in _scopes(evaluation):
            for family, value in fields.values():
                measured = value(scope)
                if measured is not None:
                    labels = [*_labels(evaluation), kind, scope.name, evaluation.spec.judge.kind]
                    family.add_metric(labels, measured)
    for family, _ in fields.values():
        yield family


def _gates(evaluations: Iterable[RubricEval]) -> Metric:
    family = _family("blendtune_gate", "1 for the result that a gate has.", "metric", "rule", "result")
    for evaluation in evaluations:
        for gate in evaluation.status.gates:
            for result in GateResult:
                labels = [*_labels(evaluation), gate.metric, gate.rule, result]
                family.add_metric(labels, float(gate.result is result))
    return family
