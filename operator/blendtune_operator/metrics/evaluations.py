"""Prometheus series of evaluations: scores, gates and how far both can be trusted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from prometheus_client.core import Metric

from blendtune_api.v1alpha1 import (
    RUBRIC_EVAL,
    BenchmarkScore,
    BlendedFineTune,
    EvaluationSummary,
    GateResult,
    GateStatus,
    JudgeKind,
    RetentionScore,
    RubricEval,
    RubricEvalStatus,
    ScopeScore,
)
from blendtune_operator.metrics.series import add_known, run_family

_SCOPE_SERIES: tuple[tuple[str, str, Callable[[ScopeScore], float | None]], ...] = (
    ("score", "Score of a scope, 0 to 1.", lambda scope: scope.score),
    ("score_low", "Lower end of its 95% interval.", lambda scope: scope.low),
    ("score_high", "Upper end of its 95% interval.", lambda scope: scope.high),
    ("baseline_score", "Score of the base model.", lambda scope: scope.baseline_score),
    ("delta", "Score less the base model's.", lambda scope: scope.delta),
    ("delta_low", "Lower end of the delta's 95% interval.", lambda scope: scope.delta_low),
    ("delta_high", "Upper end of the delta's 95% interval.", lambda scope: scope.delta_high),
    ("unscored_questions", "Questions that could not be scored.", lambda scope: float(scope.unscored)),
)

_BENCHMARK_SERIES: tuple[tuple[str, str, Callable[[BenchmarkScore], float | None]], ...] = (
    ("score", "Score of a standard benchmark, on its metric's scale.", lambda benchmark: benchmark.score),
    ("standard_error", "Standard error of the score.", lambda benchmark: benchmark.standard_error),
    ("baseline_score", "Score of the base model.", lambda benchmark: benchmark.baseline_score),
    ("delta", "Score less the base model's.", lambda benchmark: benchmark.delta),
    ("delta_low", "Lower end of the delta's 95% interval.", lambda benchmark: benchmark.delta_low),
    ("delta_high", "Upper end of the delta's 95% interval.", lambda benchmark: benchmark.delta_high),
)


_RETENTION_SERIES: tuple[tuple[str, str, Callable[[RetentionScore], float]], ...] = (
    ("loss", "Loss of the tuned model on general text, nats per token.", lambda score: score.loss),
    ("baseline_loss", "Loss of the base model.", lambda score: score.baseline),
    ("rise", "Loss less the base model's.", lambda score: score.rise),
    ("rise_low", "Lower end of the rise's 95% interval.", lambda score: score.rise_low),
    ("rise_high", "Upper end of the rise's 95% interval.", lambda score: score.rise_high),
    ("divergence", "KL divergence from the base model, nats per token.", lambda score: score.divergence),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Evaluation:
    """What is known of one evaluation, from its RubricEval or from its BlendedFineTune."""

    namespace: str
    name: str
    judge: JudgeKind
    scores: RubricEvalStatus | EvaluationSummary
    gates: tuple[GateStatus, ...]

    @property
    def labels(self) -> list[str]:
        return [RUBRIC_EVAL, self.namespace, self.name]


def evaluations_of(objects: Iterable[BlendedFineTune | RubricEval]) -> tuple[Evaluation, ...]:
    """Each evaluation once.

    Gates are taken from the BlendedFineTune, where they may be edited after the end. Its summary of the
    scores outlives a RubricEval that `ttlSecondsAfterFinished` removed.
    """
    objects = tuple(objects)
    found: dict[tuple[str, str], Evaluation] = {}
    for evaluation in objects:
        if isinstance(evaluation, RubricEval):
            metadata, status = evaluation.metadata, evaluation.status
            found[metadata.namespace, metadata.name] = Evaluation(
                namespace=metadata.namespace, name=metadata.name, judge=evaluation.spec.judge.kind,
                scores=status, gates=status.gates,
            )  # fmt: skip
    for run in objects:
        if isinstance(run, BlendedFineTune) and (summary := run.status.evaluation) is not None:
            namespace = run.metadata.namespace
            child = found.get((namespace, summary.name))
            found[namespace, summary.name] = Evaluation(
                namespace=namespace, name=summary.name, judge=run.spec.evaluation.judge.kind,
                scores=child.scores if child else summary, gates=summary.gates,
            )  # fmt: skip
    return tuple(found.values())


def evaluation_series(evaluations: Iterable[Evaluation]) -> Iterator[Metric]:
    """All series of these evaluations."""
    evaluations = tuple(evaluations)
    yield from _scores(evaluations)
    yield from _benchmarks(evaluations)
    yield from _retention(evaluations)
    yield from _candidates(evaluations)
    yield from _coverage_and_errors(evaluations)
    yield from _gates(evaluations)


def _scopes(scores: RubricEvalStatus | EvaluationSummary) -> Iterator[tuple[str, ScopeScore]]:
    for kind, scope in (
        ("overall", scores.overall),
        ("domain", scores.general),
        ("domain", scores.in_domain),
    ):
        if scope is not None:
            yield kind, scope
    yield from (("dimension", scope) for scope in scores.dimensions)
    if isinstance(scores, RubricEvalStatus):
        yield from (("category", scope) for scope in scores.categories)


def _scores(evaluations: Iterable[Evaluation]) -> Iterator[Metric]:
    families = [
        (run_family(f"blendtune_eval_{name}", text, "scope_kind", "scope", "judge"), value)
        for name, text, value in _SCOPE_SERIES
    ]
    for evaluation in evaluations:
        for kind, scope in _scopes(evaluation.scores):
            labels = [*evaluation.labels, kind, scope.name, evaluation.judge]
            for family, value in families:
                add_known(family, labels, value(scope))
    yield from (family for family, _ in families)


def _benchmarks(evaluations: Iterable[Evaluation]) -> Iterator[Metric]:
    families = [
        (run_family(f"blendtune_benchmark_{name}", text, "benchmark", "metric"), value)
        for name, text, value in _BENCHMARK_SERIES
    ]
    for evaluation in evaluations:
        for benchmark in evaluation.scores.benchmarks:
            for family, value in families:
                add_known(family, [*evaluation.labels, benchmark.name, benchmark.metric], value(benchmark))
    yield from (family for family, _ in families)


def _retention(evaluations: Iterable[Evaluation]) -> Iterator[Metric]:
    families = [
        (run_family(f"blendtune_retention_{name}", text, "text"), value)
        for name, text, value in _RETENTION_SERIES
    ]
    for evaluation in evaluations:
        for score in evaluation.scores.retention:
            for family, value in families:
                add_known(family, [*evaluation.labels, score.text], value(score))
    yield from (family for family, _ in families)


def _candidates(evaluations: Iterable[Evaluation]) -> Iterator[Metric]:
    score = run_family(
        "blendtune_candidate_score", "Score of a model between base and tuned one.", "weight", "domain"
    )
    taken = run_family("blendtune_candidate_taken", "1 for the model that was taken.", "weight")
    for evaluation in evaluations:
        chosen = evaluation.scores.interpolation
        for each in chosen.candidates if chosen is not None else ():
            labels = [*evaluation.labels, str(each.weight)]
            for domain, scope in (("general", each.general), ("inDomain", each.in_domain)):
                add_known(score, [*labels, domain], scope.score if scope is not None else None)
            taken.add_metric(labels, float(chosen is not None and each.weight == chosen.weight))
    yield score
    yield taken


def _coverage_and_errors(evaluations: Iterable[Evaluation]) -> Iterator[Metric]:
    coverage = run_family(
        "blendtune_eval_coverage_ratio", "Share of the questions that were judged, 0 to 1.", "judge"
    )
    errors = run_family("blendtune_eval_critical_errors", "Critical errors of the model.", "judge")
    unsure = run_family(
        "blendtune_eval_unsure_answers", "Answers that the rules left undecided.", "judge", "reason"
    )
    unfinished = run_family(
        "blendtune_eval_unfinished_answers", "Answers that were cut within their thoughts.", "judge", "whose"
    )
    for evaluation in evaluations:
        labels = [*evaluation.labels, evaluation.judge]
        for each in evaluation.scores.unsure:
            add_known(unsure, [*labels, each.reason], float(each.answers))
        if (cut := evaluation.scores.unfinished) is not None:
            add_known(unfinished, [*labels, "model"], float(cut.model))
            add_known(unfinished, [*labels, "baseline"], float(cut.baseline))
        add_known(coverage, labels, evaluation.scores.coverage)
        overall = evaluation.scores.overall
        add_known(errors, labels, overall.critical_errors if overall else None)
    yield coverage
    yield errors
    yield unsure
    yield unfinished


def _gates(evaluations: Iterable[Evaluation]) -> Iterator[Metric]:
    named = ("metric", "benchmark", "rule")
    result = run_family("blendtune_gate", "1 for the result that a gate has.", *named, "result")
    value = run_family("blendtune_gate_value", "What a gate measured.", *named)
    threshold = run_family("blendtune_gate_threshold", "The threshold of a gate.", *named)
    for evaluation in evaluations:
        for gate in _one_of_each(evaluation.gates):
            labels = [*evaluation.labels, gate.metric, gate.name, gate.rule]
            for each in GateResult:
                result.add_metric([*labels, each], float(gate.result is each))
            add_known(value, labels, gate.value)
            add_known(threshold, labels, gate.threshold)
    yield from (result, value, threshold)


def _one_of_each(gates: Iterable[GateStatus]) -> tuple[GateStatus, ...]:
    """Of several gates with one metric and rule the strictest: a series may be there only once."""
    strictest: dict[tuple[str, str, str], GateStatus] = {}
    for gate in gates:
        key = (gate.metric, gate.name, gate.rule)
        other = strictest.get(key)
        upwards = gate.rule in ("minScore", "minGain")
        if other is None or (gate.threshold > other.threshold) == upwards:
            strictest[key] = gate
    return tuple(strictest.values())
