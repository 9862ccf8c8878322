"""The result of an evaluation: what its scores and benchmarks amount to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

from blendtune_api.contract import EvalResult, Workspace, storage_path
from blendtune_api.v1alpha1 import (
    BenchmarkScore,
    InterpolationStatus,
    RetentionScore,
    UnfinishedAnswers,
    UnsureAnswers,
)
from blendtune_core.asked import asked_questions, open_gates
from blendtune_core.benchmark_scores import Measured, benchmark_score
from blendtune_core.gates import judge_gates, verdict_of
from blendtune_core.power import level_of
from blendtune_core.sequential import ONLY_LOOK, Look
from blendtune_core.unfinished import enough_new_tokens
from blendtune_eval.answering.subjects import Subject
from blendtune_eval.answers import Scores, question_scores
from blendtune_eval.evaluation import Evaluation
from blendtune_eval.scoring.analyse import analyse, epoch_score

MeasuredBenchmarks: TypeAlias = Mapping[str, Mapping[Subject, Measured]]  # by name and model
Retention: TypeAlias = Mapping[Subject, tuple[RetentionScore, ...]]


def scored(
    evaluation: Evaluation,
    model: Subject,
    scores: Scores,
    measured: MeasuredBenchmarks,
    kept: Retention,
    look: Look = ONLY_LOOK,
) -> EvalResult:
    """What one of the models that may be taken scores beside the baseline: rubric, retention, benchmarks.

    `scores` are of the questions that were asked, at this look at them.
    """
    baseline, candidates = evaluation.baseline, len(evaluation.choosable)
    result = analyse(
        evaluation.rubric.categories,
        question_scores(evaluation.rubric, scores, model),
        question_scores(evaluation.rubric, scores, baseline) if baseline is not None else None,
        digests=replace(evaluation, model=model).digests,
        not_compared=evaluation.not_compared,
        look=look,
        candidates=candidates,
    )
    benchmarks = tuple(_benchmark_scores(evaluation, model, measured))
    return replace(result, retention=kept.get(model, ()), benchmarks=benchmarks)


def result_of(
    evaluation: Evaluation,
    scores: Scores,
    found: EvalResult,
    look: Look = ONLY_LOOK,
    interpolation: InterpolationStatus | None = None,
) -> EvalResult:
    """The result of the evaluation at this look, of whose model `found` is what it scores."""
    training, spec = evaluation.training, evaluation.config.spec
    tuned = question_scores(evaluation.rubric, scores, evaluation.tuned)
    left = open_gates(spec.gates, found)
    return replace(
        found,
        verdict=verdict_of(found, judge_gates(spec.gates, found)),
        report_uri=_report_uri(evaluation),
        contaminated=len(training.contaminated or ()) if training else 0,
        epochs=tuple(
            epoch_score(
                earlier.epoch, tuned, question_scores(evaluation.rubric, scores, earlier.subject), look
            )
            for earlier in evaluation.epochs
        ),
        unscored_reason=_unscored_reason(scores),
        unsure=_unsure(evaluation, scores),
        unfinished=_unfinished(evaluation, scores),
        asked=asked_questions(len(tuned), len(evaluation.rubric.questions), look, left),
        interpolation=interpolation,
    )


def _report_uri(evaluation: Evaluation) -> str:
    config = evaluation.config
    folder = storage_path(config.spec.storage, config.namespace, config.name)
    return f"pvc://{folder / Workspace(Path()).evaluation.name}"


def _benchmark_scores(
    evaluation: Evaluation, model: Subject, measured: MeasuredBenchmarks
) -> Iterator[BenchmarkScore]:
    """Those that gates are on come first: a status that has no room for all keeps the first."""
    gated = {gate.name for gate in evaluation.config.spec.gates}
    for name, by_model in sorted(measured.items(), key=lambda each: each[0] not in gated):
        baseline = by_model[evaluation.baseline] if evaluation.baseline is not None else None
        yield benchmark_score(
            name,
            by_model[model],
            baseline,
            compared=not evaluation.not_compared,
            level=level_of(len(evaluation.choosable)),
        )


def _unsure(evaluation: Evaluation, scores: Scores) -> tuple[UnsureAnswers, ...]:
    """How many answers the rules left undecided, by reason, the most frequent first."""
    given = [score for model in evaluation.compared for score in scores.of_model(model)]
    doubts = Counter(score.doubt for score in given if score.doubt is not None)
    return tuple(UnsureAnswers(reason=doubt, answers=count) for doubt, count in doubts.most_common())


def _unfinished(evaluation: Evaluation, scores: Scores) -> UnfinishedAnswers | None:
    """The answers that were cut within their thoughts; None where none was."""
    by_model = {model: scores.of_model(model) for model in evaluation.compared}
    cut = {model: sum(score.unfinished for score in given) for model, given in by_model.items()}
    if not any(cut.values()):
        return None
    share = max(cut[model] / len(by_model[model]) for model in evaluation.compared)
    return UnfinishedAnswers(
        model=cut[evaluation.model],
        baseline=cut[evaluation.baseline] if evaluation.baseline is not None else 0,
        max_new_tokens=enough_new_tokens(evaluation.config.spec.sampling.max_new_tokens, share),
    )


def _unscored_reason(scores: Scores) -> str:
    """The most frequent reason why an answer was not judged; empty where all were, if not decided."""
    reasons = Counter(score.unscored for score in scores.values() if score.failed)
    return reasons.most_common(1)[0][0] if reasons else ""
