"""The report: everything that was asked, answered, judged and computed, as report.json and answers.jsonl."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from blendtune_api import codec
from blendtune_api.contract import EvalResult
from blendtune_core.diagnosis import diagnose
from blendtune_core.gates import judge_gates
from blendtune_eval.answering.decoding import Decoding
from blendtune_eval.answering.subjects import Subject
from blendtune_eval.benchmark_scores import Measured
from blendtune_eval.cache import GivenAnswer
from blendtune_eval.evaluation import Evaluation
from blendtune_eval.judging.judge import Judge, Judgements
from blendtune_eval.report.page import render_page
from blendtune_eval.rubric import Forbidden, Question, Rubric
from blendtune_eval.scoring.analyse import Analysis
from blendtune_eval.scoring.dimensions import DEFINITIONS
from blendtune_eval.scoring.score import QuestionScore
from blendtune_eval.training import TrainingRecord
from blendtune_runtime.errors import BadConfiguration
from blendtune_runtime.files import write_text

FORMAT_VERSION = 2
_PACKAGES = ("blendtune", "torch", "transformers")


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """A model's scores by question, and its answers by question and wording, in the rubric's order."""

    subject: Subject
    scores: Sequence[QuestionScore]
    answers: Sequence[GivenAnswer]


def build_report(
    evaluation: Evaluation,
    judgements: Judgements,
    findings: Sequence[Finding],
    analysis: Analysis,
    result: EvalResult,
    measured: Sequence[Sequence[Measured]] = (),
) -> dict[str, Any]:
    """JSON values. `measured` has the benchmarks by model, in the order of `findings`."""
    config, training = evaluation.config, evaluation.training
    gates = judge_gates(config.spec.gates, result)
    return {
        "formatVersion": FORMAT_VERSION,
        "identity": evaluation.identity,
        "namespace": config.namespace,
        "name": config.name,
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "respondents": [_respondent(finding) for finding in findings],
        "rubric": _rubric(evaluation.rubric),
        "judge": _judge(evaluation.judge, judgements),
        "decoding": _decoding(findings[0].subject.decoding),
        "versions": _versions(),
        "definitions": DEFINITIONS,
        "scores": codec.encode(result),
        "diagnostics": [
            asdict(diagnostics)
            for diagnostics in (analysis.diagnostics, analysis.baseline_diagnostics)
            if diagnostics is not None
        ],
        "benchmarks": [
            {"name": score.name, "metrics": [model.metrics for model in models]}
            for score, models in zip(result.benchmarks, zip(*measured, strict=True), strict=True)
        ],
        "gates": codec.encode(gates),
        "diagnosis": codec.encode(diagnose(result, gates, training.trained) if training else None),
        "training": _training(training),
        "questions": _questions(evaluation.rubric, findings),
    }


def write_report(folder: Path, report: Mapping[str, Any]) -> None:
    """Leaves answers.jsonl, report.html and, last, report.json in the folder."""
    lines = (json.dumps(line, ensure_ascii=False) for line in answer_lines(report))
    write_text(folder / "answers.jsonl", "".join(f"{line}\n" for line in lines))
    write_text(folder / "report.html", render_page(report))
    write_text(folder / "report.json", json.dumps(report, indent=1, ensure_ascii=False) + "\n")


def rebuild(folder: Path) -> Path:
    """Writes report.html and answers.jsonl again from report.json, and returns the page.

    `folder` is the report's or that of the run above it. Raises StageError where there is no report.
    """
    place = next((each for each in (folder, folder / "eval") if (each / "report.json").is_file()), None)
    if place is None:
        raise BadConfiguration(f"{folder} holds no report.json: name the folder of a report")
    try:
        report = json.loads((place / "report.json").read_text(encoding="utf-8"))
    except ValueError as error:
        raise BadConfiguration(f"{place / 'report.json'} is no JSON: {error}") from error
    if not isinstance(report, dict) or report.get("formatVersion") != FORMAT_VERSION:
        raise BadConfiguration(f"{place / 'report.json'} is no report of format {FORMAT_VERSION}")
    write_report(place, report)
    return place / "report.html"


def answer_lines(report: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """One value for each respondent, question and wording."""
    for index, respondent in enumerate(report["respondents"]):
        for question in report["questions"]:
            for number, wording in enumerate(question["wordings"]):
                answer = wording["answers"][index]
                yield {
                    "respondent": respondent["label"],
                    "question": question["id"],
                    "wording": number,
                    "prompt": wording["prompt"],
                    **answer,
                }


def _respondent(finding: Finding) -> dict[str, Any]:
    subject = finding.subject
    return {
        "label": subject.label,
        "uri": subject.checkpoint.uri,
        "digest": subject.checkpoint.digest,
        "systemPrompt": subject.system_prompt,
        "answers": _answer_statistics(finding.answers),
    }


def _rubric(rubric: Rubric) -> dict[str, Any]:
    return {
        "name": rubric.name,
        "version": rubric.version,
        "description": rubric.description,
        "digest": rubric.digest,
        "categories": [asdict(category) for category in rubric.categories],
    }


def _judge(judge: Judge, judgements: Judgements) -> dict[str, Any]:
    return {
        "kind": judge.kind.value,
        "digest": judge.digest,
        "statement": judgements.statement,
        "anchors": [asdict(anchor) for anchor in judgements.anchors],
    }


def _decoding(decoding: Decoding) -> dict[str, Any]:
    return {**codec.encode(asdict(decoding)), "digest": decoding.digest}


def _questions(rubric: Rubric, findings: Sequence[Finding]) -> list[dict[str, Any]]:
    by_question = zip(*map(_by_question, findings), strict=True)
    return [_question(question, given) for question, given in zip(rubric.questions, by_question, strict=True)]


def _question(
    question: Question, respondents: Sequence[tuple[QuestionScore, Sequence[GivenAnswer]]]
) -> dict[str, Any]:
    return {
        "id": question.id,
        "category": question.category,
        "domain": question.domain.value,
        "weight": question.weight,
        "reference": question.reference,
        "scores": [score.score for score, _ in respondents],
        "wordings": [
            {
                "prompt": prompt,
                "answers": [_answer(question, score, answers, number) for score, answers in respondents],
            }
            for number, prompt in enumerate(question.wordings)
        ],
    }


def _answer(
    question: Question, score: QuestionScore, answers: Sequence[GivenAnswer], number: int
) -> dict[str, Any]:
    wording, given = score.wordings[number], answers[number]
    return {
        "answer": given.text,
        "tokens": given.tokens,
        "finished": given.finished,
        "score": wording.score,
        "outcome": wording.outcome,
        "criticalError": wording.critical_error,
        "unscored": wording.unscored,
        "criteria": [
            {
                "name": verdict.criterion,
                "kind": criterion.kind.value,
                "points": criterion.points,
                "met": verdict.met,
                "good": verdict.met is not isinstance(criterion, Forbidden),
                "reason": verdict.reason,
            }
            for criterion, verdict in zip(question.criteria, wording.verdicts, strict=False)
        ],
    }


def _by_question(finding: Finding) -> list[tuple[QuestionScore, Sequence[GivenAnswer]]]:
    grouped, start = [], 0
    for score in finding.scores:
        end = start + len(score.wordings)
        grouped.append((score, finding.answers[start:end]))
        start = end
    return grouped


def _answer_statistics(answers: Sequence[GivenAnswer]) -> dict[str, Any]:
    return {
        "count": len(answers),
        "empty": sum(not answer.text for answer in answers),
        "truncated": sum(not answer.finished for answer in answers),
        "meanTokens": sum(answer.tokens for answer in answers) / len(answers),
    }


def _training(training: TrainingRecord | None) -> dict[str, Any] | None:
    if training is None:
        return None
    return {
        "sources": codec.encode(training.trained.sources),
        "loss": [[point.step, point.loss] for point in training.loss],
        "validationLoss": codec.encode(training.trained.validation_loss),
        "contaminated": None if training.contaminated is None else list(training.contaminated),
    }


def _versions() -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return versions
