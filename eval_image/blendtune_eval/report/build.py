"""Makes the report of an evaluation."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from blendtune_api import codec
from blendtune_api.contract import REPORT_FORMAT, EvalResult
from blendtune_core.diagnosis import diagnose
from blendtune_core.gates import judge_gates
from blendtune_eval.answering.decoding import Decoding
from blendtune_eval.answering.subjects import Subject
from blendtune_eval.answers import AnswerKey, Answers, Scores, question_score, question_scores
from blendtune_eval.cache import GivenAnswer
from blendtune_eval.evaluation import Evaluation
from blendtune_eval.judging.judge import Judge, Judgements
from blendtune_eval.report.model import (
    AnswerStatistics,
    BenchmarkMetrics,
    NotAsked,
    Report,
    ReportedAnswer,
    ReportedCriterion,
    ReportedJudge,
    ReportedQuestion,
    ReportedRubric,
    ReportedTraining,
    ReportedWording,
    Respondent,
)
from blendtune_eval.result import MeasuredBenchmarks
from blendtune_eval.rubric import Forbidden, Question, Rubric
from blendtune_eval.rules.criteria import CriterionVerdict
from blendtune_eval.rules.reply import read_reply
from blendtune_eval.scoring.dimensions import DEFINITIONS, diagnostics_of
from blendtune_eval.training import TrainingRecord

_PACKAGES = ("blendtune", "torch", "transformers")


@dataclass(frozen=True, kw_only=True, slots=True)
class Findings:
    """All that was found out of the models. `scores` are those of `judgements`, by model and wording."""

    answers: Answers
    judgements: Judgements
    scores: Scores
    measured: MeasuredBenchmarks
    result: EvalResult


def build_report(evaluation: Evaluation, findings: Findings) -> Report:
    config, training, result = evaluation.config, evaluation.training, findings.result
    gates = judge_gates(config.spec.gates, result)
    return Report(
        format_version=REPORT_FORMAT,
        identity=evaluation.identity,
        namespace=config.namespace,
        name=config.name,
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
        respondents=tuple(
            _respondent(model, findings.answers.of_model(model)) for model in evaluation.compared
        ),
        rubric=_rubric(evaluation.rubric),
        judge=_judge(evaluation.judge, findings.judgements),
        decoding=_decoding(evaluation.model.decoding),
        versions=_versions(),
        definitions=DEFINITIONS,
        scores=result,
        diagnostics=tuple(
            asdict(diagnostics_of(question_scores(evaluation.rubric, findings.scores, model)))
            for model in evaluation.compared
        ),
        benchmarks=tuple(
            BenchmarkMetrics(
                name=name, metrics=tuple(by_model[model].metrics for model in evaluation.compared)
            )
            for name, by_model in findings.measured.items()
        ),
        gates=gates,
        diagnosis=diagnose(result, gates, training.trained) if training else None,
        training=_training(training) if training else None,
        questions=tuple(
            _question(question, evaluation.compared, findings)
            for question in evaluation.rubric.questions
            if findings.answers.has(question.id)
        ),
        not_asked=tuple(
            NotAsked(id=question.id, category=question.category, prompt=question.prompt)
            for question in evaluation.rubric.questions
            if not findings.answers.has(question.id)
        ),
    )


def _respondent(model: Subject, answers: Sequence[GivenAnswer]) -> Respondent:
    return Respondent(
        label=model.label,
        uri=model.checkpoint.uri,
        digest=model.checkpoint.digest,
        system_prompt=model.system_prompt,
        answers=AnswerStatistics(
            count=len(answers),
            empty=sum(not answer.text for answer in answers),
            truncated=sum(not answer.finished for answer in answers),
            unfinished=sum(read_reply(answer.text).unfinished for answer in answers),
            mean_tokens=sum(answer.tokens for answer in answers) / len(answers),
        ),
    )


def _rubric(rubric: Rubric) -> ReportedRubric:
    return ReportedRubric(
        name=rubric.name,
        version=rubric.version,
        description=rubric.description,
        digest=rubric.digest,
        categories=rubric.categories,
    )


def _judge(judge: Judge, judgements: Judgements) -> ReportedJudge:
    return ReportedJudge(
        kind=judge.kind, digest=judge.digest, statement=judgements.statement, anchors=judgements.anchors
    )


def _decoding(decoding: Decoding) -> Mapping[str, Any]:
    return {**codec.encode(asdict(decoding)), "digest": decoding.digest}


def _question(question: Question, models: Sequence[Subject], findings: Findings) -> ReportedQuestion:
    return ReportedQuestion(
        id=question.id,
        category=question.category,
        domain=question.domain,
        weight=question.weight,
        reference=question.reference,
        scores=tuple(question_score(question, findings.scores, model).score for model in models),
        wordings=tuple(
            ReportedWording(
                prompt=text,
                answers=tuple(
                    _answer(question, AnswerKey(model, question.id, number), findings) for model in models
                ),
            )
            for number, text in enumerate(question.wordings)
        ),
    )


def _answer(question: Question, key: AnswerKey, findings: Findings) -> ReportedAnswer:
    given, score = findings.answers[key], findings.scores[key]
    reply = read_reply(given.text)
    return ReportedAnswer(
        answer=reply.said,
        thoughts=reply.thoughts,
        tokens=given.tokens,
        finished=given.finished,
        score=score.score,
        outcome=score.outcome,
        critical_error=score.critical_error,
        unscored=score.unscored,
        unfinished=score.unfinished,
        criteria=tuple(_criterion(question, verdict) for verdict in score.verdicts),
    )


def _criterion(question: Question, verdict: CriterionVerdict) -> ReportedCriterion:
    criterion = next(each for each in question.criteria if each.name == verdict.criterion)
    return ReportedCriterion(
        name=criterion.name,
        kind=criterion.kind,
        points=criterion.points,
        met=verdict.met,
        doubt=verdict.doubt,
        good=verdict.doubt is None and verdict.met is not isinstance(criterion, Forbidden),
        reason=verdict.reason,
    )


def _training(training: TrainingRecord) -> ReportedTraining:
    return ReportedTraining(
        sources=training.trained.sources,
        loss=tuple((point.step, point.loss) for point in training.loss),
        validation_loss=training.trained.validation_loss,
        divergence=training.divergence,
        stopped_early=training.stopped_early,
        contaminated=training.contaminated,
    )


def _versions() -> dict[str, str]:
    """Of Python and of the packages that are installed."""
    versions = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return versions
