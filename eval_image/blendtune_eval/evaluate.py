"""The evaluation of one model beside its baseline: answer, score, analyse, report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from blendtune_api.contract import (
    EvalConfig,
    EvalResult,
    MessageError,
    Workspace,
    decode_message,
    digest_of,
    encode_message,
    storage_path,
    workspace,
)
from blendtune_api.diagnosis import diagnose
from blendtune_api.gates import judge_gates
from blendtune_api.shared_folder import shared_folder
from blendtune_api.v1alpha1 import (
    BenchmarkScore,
    Engine,
    EpochScore,
    EvaluationDigests,
    RubricEvalSpec,
    Stage,
)
from blendtune_api.verdict import not_comparable
from blendtune_eval import answer, vllm_answer
from blendtune_eval.analyse import Analysis, analyse, epoch_score
from blendtune_eval.benchmark_scores import Measured, benchmark_score
from blendtune_eval.benchmarks import Benchmarks, open_benchmarks
from blendtune_eval.cache import AnswerCache, GivenAnswer
from blendtune_eval.files import write_json, write_text
from blendtune_eval.judge import Case, Judge
from blendtune_eval.judges import judge_for
from blendtune_eval.program import load_config, load_rubric
from blendtune_eval.report import Finding, Respondent, build_report, write_report
from blendtune_eval.rubric import Rubric
from blendtune_eval.score import PhrasingScore, QuestionScore
from blendtune_eval.subjects import Subject, open_epochs, open_subjects
from blendtune_eval.training import TrainingRecord, read_training

JUDGEMENTS_FOLDER = "judgements"
BENCHMARK_RESULTS_FOLDER = "benchmark-results"
DOWNLOADS_FOLDER = "models"
PROGRESS_FILE = "progress.json"
_ENGINES = {Engine.TRANSFORMERS: answer.answer_all, Engine.VLLM: vllm_answer.answer_all}


def evaluate(environment: Mapping[str, str]) -> EvalResult:
    """Raises EvaluationError where rubric, model or configuration is at fault."""
    config, claims = load_config(EvalConfig, environment)
    spec = config.spec
    rubric = load_rubric(spec.rubric, environment)
    place = workspace(claims, spec.storage, config.namespace, config.name)
    benchmarks = open_benchmarks(spec, claims)
    judge = judge_for(config, environment, place.root / JUDGEMENTS_FOLDER)
    training = read_training(config, claims, rubric)
    subjects = open_subjects(
        config, claims, place.root / DOWNLOADS_FOLDER, rubric, trained=training is not None
    )
    epochs = open_epochs(config, claims, place.root / DOWNLOADS_FOLDER, rubric, subjects[0].chat)
    digests = [_digests(subject, rubric, judge) for subject in (*subjects, *epochs)]
    identity = digest_of(
        [spec.gates, spec.baseline.system_prompt, digests, benchmarks.digest if benchmarks else None]
    )
    if (kept := _kept_result(place, identity)) is not None:
        print("this evaluation is already in the workspace", flush=True)
        return kept
    if benchmarks is not None:
        benchmarks.prepare()
    known = shared_folder(claims, spec.storage, config.namespace, config.name).answers
    answers = _ask([*subjects, *epochs], place, known, spec)
    judgements = judge.judge_all([case for given in answers for case in _cases(rubric, given)])
    scores = _by_respondent(rubric, judgements.scores)
    compared = len(subjects)  # after them come the earlier epochs
    analysis = analyse(
        rubric.categories,
        scores[0],
        scores[1] if compared > 1 else None,
        not_comparable(digests[0], digests[compared - 1]),
    )
    curve = tuple(
        epoch_score(earlier.epoch, analyse(rubric.categories, scores[0], then))
        for earlier, then in zip(spec.epochs, scores[compared:], strict=True)
    )
    measured = _measure(benchmarks, subjects, known.with_name(BENCHMARK_RESULTS_FOLDER), spec.cluster.gpus)
    result = _result(
        config, analysis, curve, digests[:compared], training, _unscored_reason(judgements.scores)
    )
    result = replace(result, benchmarks=_benchmark_scores(benchmarks, measured, analysis))
    gates = judge_gates(spec.gates, result)
    report = build_report(
        config=config,
        identity=identity,
        rubric=rubric,
        judge=judge,
        judgements=judgements,
        respondents=[
            Respondent(
                label=subject.label, checkpoint=subject.checkpoint, system_prompt=subject.system_prompt
            )
            for subject in subjects
        ],
        findings=[
            Finding(scores=score, answers=given)
            for score, given in zip(scores[:compared], answers[:compared], strict=True)
        ],
        decoding=subjects[0].decoding,
        analysis=analysis,
        gates=gates,
        diagnosis=diagnose(result, gates, training.trained) if training else None,
        result=result,
        training=training,
        measured=measured,
    )
    write_report(place.evaluation, report)
    write_text(place.result(Stage.EVAL), encode_message(result))
    _print_scores(result)
    return result


def _ask(
    subjects: Sequence[Subject], place: Workspace, known: Path, spec: RubricEvalSpec
) -> list[list[GivenAnswer]]:
    total = sum(len(subject.prompts) for subject in subjects)
    before = 0
    answers = []
    for subject in subjects:

        def report_progress(done: int, label: str = subject.label, before: int = before) -> None:
            write_json(place.evaluation / PROGRESS_FILE, {"done": before + done, "total": total})
            print(f"answered {before + done}/{total} ({label})", flush=True)

        cache = AnswerCache(known, subject.checkpoint.digest, subject.decoding.digest)
        answers.append(
            _ENGINES[spec.engine](
                subject.checkpoint.folder,
                subject.prompts,
                subject.chat,
                subject.decoding,
                cache,
                spec.cluster.gpus,
                report_progress,
            )
        )
        before += len(subject.prompts)
    return answers


def _measure(
    benchmarks: Benchmarks | None, subjects: Sequence[Subject], results: Path, gpus: int
) -> list[list[Measured]]:
    """By model and benchmark."""
    if benchmarks is None:
        return []
    return [benchmarks.measure(subject, results, gpus) for subject in subjects]


def _benchmark_scores(
    benchmarks: Benchmarks | None, measured: Sequence[Sequence[Measured]], analysis: Analysis
) -> tuple[BenchmarkScore, ...]:
    if benchmarks is None:
        return ()
    baselines = measured[1] if len(measured) > 1 else [None] * len(measured[0])
    return tuple(
        benchmark_score(name, model, baseline, compared=not analysis.not_compared)
        for name, model, baseline in zip(benchmarks.names, measured[0], baselines, strict=True)
    )


def _cases(rubric: Rubric, answers: Sequence[GivenAnswer]) -> list[Case]:
    """One model's answers, question by question, each to its wording."""
    wordings = [(question, text) for question in rubric.questions for text in question.phrasings]
    return [
        Case(question=question, phrasing=text, answer=answer.text)
        for (question, text), answer in zip(wordings, answers, strict=True)
    ]


def _by_respondent(rubric: Rubric, scores: Sequence[PhrasingScore]) -> list[list[QuestionScore]]:
    """The scores of all cases by model and question."""
    left = iter(scores)
    models = len(scores) // sum(len(question.phrasings) for question in rubric.questions)
    return [
        [
            QuestionScore(question=question, phrasings=tuple(next(left) for _ in question.phrasings))
            for question in rubric.questions
        ]
        for _ in range(models)
    ]


def _unscored_reason(scores: Sequence[PhrasingScore]) -> str:
    """The most frequent one; empty where everything was scored."""
    reasons = Counter(score.unscored for score in scores if score.score is None)
    return reasons.most_common(1)[0][0] if reasons else ""


def _digests(subject: Subject, rubric: Rubric, judge: Judge) -> EvaluationDigests:
    """What decided the subject's scores, `model` being its weights."""
    decoding = subject.decoding
    return EvaluationDigests(
        model=subject.checkpoint.digest,
        rubric=rubric.digest,
        judge=judge.digest,
        template=digest_of(decoding.template),
        decoding=replace(decoding, template="").digest,
    )


def _result(
    config: EvalConfig,
    analysis: Analysis,
    curve: tuple[EpochScore, ...],
    digests: Sequence[EvaluationDigests],
    training: TrainingRecord | None,
    unscored_reason: str,
) -> EvalResult:
    folder = (
        storage_path(config.spec.storage, config.namespace, config.name) / Workspace(Path()).evaluation.name
    )
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
        report_uri=f"pvc://{folder}",
        epochs=curve,
        contaminated=len(training.contaminated or ()) if training else 0,
        unscored_reason=unscored_reason,
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
