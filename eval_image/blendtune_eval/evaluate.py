"""The evaluation of one model beside its baseline: ask, judge, score, report."""

from __future__ import annotations

from collections.abc import Mapping

from blendtune_api.contract import EvalResult, MessageError, decode_message, encode_message
from blendtune_api.v1alpha1 import JudgeKind, Stage
from blendtune_core.asked import told_asked
from blendtune_eval.asking import ask, cases_of
from blendtune_eval.evaluation import Evaluation, open_evaluation
from blendtune_eval.interpolate import choose, copy_taken, keep_only_taken, with_candidates
from blendtune_eval.report.build import Findings, build_report
from blendtune_eval.report.files import read_report, write_report
from blendtune_eval.result import MeasuredBenchmarks, result_of, scored
from blendtune_eval.retention import measure_retention
from blendtune_runtime.errors import BadConfiguration
from blendtune_runtime.files import write_text


def evaluate(environment: Mapping[str, str]) -> EvalResult:
    """Evaluates the model of the pinned configuration, and leaves result and report in the workspace.

    Raises BadConfiguration, BadRubric, BadModel, DoesNotFit or Transient; see `blendtune_runtime.errors`.
    """
    evaluation = open_evaluation(environment)
    place = evaluation.place
    if (kept := _kept_result(evaluation)) is not None:
        print("this evaluation is already in the workspace", flush=True)
        return kept
    if evaluation.benchmarks is not None:
        evaluation.benchmarks.prepare()
    evaluation = with_candidates(evaluation)
    asked = ask(evaluation)
    cases = cases_of(evaluation.rubric, asked.answers)
    judgements = evaluation.judge.judge_all(cases.values())
    scores = cases.with_values(judgements.scores)
    measured = _measure(evaluation)
    retention = measure_retention(evaluation, asked.baseline)
    found = {
        model: scored(evaluation, model, scores, measured, retention, asked.look)
        for model in evaluation.choosable
    }
    interpolation = None
    if evaluation.candidates:
        evaluation, interpolation = choose(evaluation, found)
    result = result_of(evaluation, scores, found[evaluation.model], asked.look, interpolation)
    findings = Findings(
        answers=asked.answers, judgements=judgements, scores=scores, measured=measured, result=result
    )
    keep_only_taken(evaluation)
    copy_taken(evaluation)
    write_report(place.evaluation, build_report(evaluation, findings))
    write_text(place.result(Stage.EVAL), encode_message(result))
    _print_scores(result)
    return result


def _measure(evaluation: Evaluation) -> MeasuredBenchmarks:
    """Runs the benchmarks on the baseline and each model that may be taken."""
    benchmarks = evaluation.benchmarks
    if benchmarks is None:
        return {}
    results, gpus = evaluation.benchmark_results, evaluation.config.spec.cluster.gpus
    by_model = {
        model: benchmarks.measure(model, results, gpus)
        for model in (*evaluation.compared[1:], *evaluation.choosable)
    }
    return {
        name: {model: measured[name] for model, measured in by_model.items()} for name in benchmarks.names
    }


def _kept_result(evaluation: Evaluation) -> EvalResult | None:
    """The result of an earlier attempt at the same evaluation; None where there is none that is complete.

    An evaluation is the same where its identity is; it is complete where every question was scored, or rules
    judged it: they would leave the same answers undecided again.
    """
    place = evaluation.place
    try:
        outcome = decode_message(place.result(Stage.EVAL).read_text())
        report = read_report(place.evaluation)
    except (OSError, MessageError, BadConfiguration):
        return None
    if report.identity != evaluation.identity or not isinstance(outcome, EvalResult):
        return None
    return outcome if outcome.coverage == 1 or evaluation.judge.kind is JudgeKind.RULES else None


def _print_scores(result: EvalResult) -> None:
    if result.asked is not None:
        print(told_asked(result.asked), flush=True)
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
    for kept in result.retention:
        print(
            f"retention on {kept.text}: {kept.rise:+.3f} [{kept.rise_low:+.3f}, {kept.rise_high:+.3f}] "
            f"nats per token over {kept.tokens:,} tokens, divergence {kept.divergence:.3f}",
            flush=True,
        )
