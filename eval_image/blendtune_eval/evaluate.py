"""The evaluation of one model beside its baseline: answer, score, analyse, report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from blendtune_api.contract import (
    EvalResult,
    MessageError,
    Workspace,
    decode_message,
    encode_message,
    storage_path,
)
from blendtune_api.v1alpha1 import BenchmarkScore, Engine, EpochScore, Stage
from blendtune_core.verdict import not_comparable
from blendtune_eval.answering import answer, vllm_answer
from blendtune_eval.answering.progress import AnswerProgress
from blendtune_eval.benchmark_scores import Measured, benchmark_score
from blendtune_eval.cache import AnswerCache, GivenAnswer
from blendtune_eval.evaluation import Evaluation, open_evaluation
from blendtune_eval.judging.judge import Case
from blendtune_eval.report.write import Finding, build_report, write_report
from blendtune_eval.rubric import Rubric
from blendtune_eval.scoring.analyse import Analysis, analyse, epoch_score
from blendtune_eval.scoring.score import QuestionScore, WordingScore
from blendtune_runtime.files import write_text

_ENGINES = {Engine.TRANSFORMERS: answer.answer_all, Engine.VLLM: vllm_answer.answer_all}


def evaluate(environment: Mapping[str, str]) -> EvalResult:
    """Raises StageError where rubric, model or configuration is at fault."""
    evaluation = open_evaluation(environment)
    place, rubric = evaluation.place, evaluation.rubric
    if (kept := _kept_result(place, evaluation.identity)) is not None:
        print("this evaluation is already in the workspace", flush=True)
        return kept
    if evaluation.benchmarks is not None:
        evaluation.benchmarks.prepare()
    answers = _ask(evaluation)
    cases = [case for given in answers for case in _cases(rubric, given)]
    judgements = evaluation.judge.judge_all(cases)
    scores = _by_subject(rubric, judgements.scores)
    analysis, curve = _analyse(evaluation, scores)
    measured = _measure(evaluation)
    result = replace(
        _result(evaluation, analysis, curve),
        benchmarks=_benchmark_scores(evaluation, measured, analysis),
        unscored_reason=_unscored_reason(judgements.scores),
    )
    findings = [
        Finding(subject=subject, scores=score, answers=given)
        for subject, score, given in zip(evaluation.compared, scores, answers, strict=False)
    ]
    report = build_report(evaluation, judgements, findings, analysis, result, measured)
    write_report(place.evaluation, report)
    write_text(place.result(Stage.EVAL), encode_message(result))
    _print_scores(result)
    return result


def _ask(evaluation: Evaluation) -> list[list[GivenAnswer]]:
    """The answers of each model, in the order of its prompts."""
    spec = evaluation.config.spec
    total = sum(len(subject.prompts) for subject in evaluation.subjects)
    progress = AnswerProgress(evaluation.place.evaluation, total)
    before = 0
    answers = []
    for subject in evaluation.subjects:

        def report(done: int, label: str = subject.label, before: int = before) -> None:
            progress.report(before + done, label)

        cache = AnswerCache(evaluation.known_answers, subject.checkpoint.digest, subject.decoding.digest)
        answers.append(
            _ENGINES[spec.engine](
                subject.checkpoint.folder,
                subject.prompts,
                subject.chat,
                subject.decoding,
                cache,
                spec.cluster.gpus,
                report,
            )
        )
        before += len(subject.prompts)
    return answers


def _analyse(
    evaluation: Evaluation, scores: Sequence[Sequence[QuestionScore]]
) -> tuple[Analysis, tuple[EpochScore, ...]]:
    """The model beside its baseline, and its curve over the epochs. `scores` are in the subjects' order."""
    categories, compared = evaluation.rubric.categories, len(evaluation.compared)
    model, *baseline = scores[:compared]
    digests = evaluation.digests
    analysis = analyse(
        categories, model, baseline[0] if baseline else None, not_comparable(digests[0], digests[-1])
    )
    curve = tuple(
        epoch_score(earlier.epoch, analyse(categories, model, then))
        for earlier, then in zip(evaluation.config.spec.epochs, scores[compared:], strict=True)
    )
    return analysis, curve


def _measure(evaluation: Evaluation) -> list[list[Measured]]:
    """By model and benchmark."""
    if evaluation.benchmarks is None:
        return []
    results, gpus = evaluation.benchmark_results, evaluation.config.spec.cluster.gpus
    return [evaluation.benchmarks.measure(subject, results, gpus) for subject in evaluation.compared]


def _benchmark_scores(
    evaluation: Evaluation, measured: Sequence[Sequence[Measured]], analysis: Analysis
) -> tuple[BenchmarkScore, ...]:
    if evaluation.benchmarks is None:
        return ()
    baselines = measured[1] if len(measured) > 1 else [None] * len(measured[0])
    return tuple(
        benchmark_score(name, model, baseline, compared=not analysis.not_compared)
        for name, model, baseline in zip(evaluation.benchmarks.names, measured[0], baselines, strict=True)
    )


def _cases(rubric: Rubric, answers: Sequence[GivenAnswer]) -> list[Case]:
    """One model's answers, question by question, each to its wording."""
    wordings = [(question, text) for question in rubric.questions for text in question.wordings]
    return [
        Case(question=question, wording=text, answer=answer.text)
        for (question, text), answer in zip(wordings, answers, strict=True)
    ]


def _by_subject(rubric: Rubric, scores: Sequence[WordingScore]) -> list[list[QuestionScore]]:
    """The scores of all cases by model and question."""
    left = iter(scores)
    models = len(scores) // sum(len(question.wordings) for question in rubric.questions)
    return [
        [
            QuestionScore(question=question, wordings=tuple(next(left) for _ in question.wordings))
            for question in rubric.questions
        ]
        for _ in range(models)
    ]


def _unscored_reason(scores: Sequence[WordingScore]) -> str:
    """The most frequent one; empty where everything was scored."""
    reasons = Counter(score.unscored for score in scores if score.score is None)
    return reasons.most_common(1)[0][0] if reasons else ""


def _result(evaluation: Evaluation, analysis: Analysis, curve: tuple[EpochScore, ...]) -> EvalResult:
    config, digests, training = evaluation.config, evaluation.digests, evaluation.training
    folder = storage_path(config.spec.storage, config.namespace, config.name)
    return EvalResult(
        overall=analysis.overall,
        general=analysis.general,
        in_domain=analysis.in_domain,
        dimensions=analysis.dimensions,
        categories=analysis.categories,
        coverage=analysis.coverage,
        digests=replace(digests[0], baseline=digests[1].model if len(digests) > 1 else ""),
        verdict=analysis.verdict,
        not_compared=analysis.not_compared,
        report_uri=f"pvc://{folder / Workspace(Path()).evaluation.name}",
        epochs=curve,
        contaminated=len(training.contaminated or ()) if training else 0,
    )


def _kept_result(place: Workspace, identity: str) -> EvalResult | None:
    """What an evaluation of the same models, questions, judge and gates left, if it scored everything."""
    try:
        outcome = decode_message(place.result(Stage.EVAL).read_text())
        report = (place.evaluation / "report.json").read_text()
    except (OSError, MessageError):
        return None
    same = f'"identity": "{identity}"' in report
    return outcome if same and isinstance(outcome, EvalResult) and outcome.coverage == 1 else None


def _print_scores(result: EvalResult) -> None:
    if result.not_compared:
        print(f"not compared with the baseline: {result.not_compared}", flush=True)
    for scope in (result.overall, result.general, result.in_domain, *result.dimensions):
        if scope.score is None:
            print(f"{scope.name}: unscored", flush=True)
            continue
        line = f"{scope.name}: {scope.score:.3f} [{scope.low:.3f}, {scope.high:.3f}] over {scope.n} questions"
        if scope.delta is not None:
            line += f", {scope.delta:+.3f} [{scope.delta_low:+.3f}, {scope.delta_high:+.3f}] on the baseline"
        print(line, flush=True)
