"""Small reports with answers and scores that a test chooses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from blendtune_api.contract import REPORT_FORMAT, EvalResult
from blendtune_api.v1alpha1 import (
    EvaluationDigests,
    GateResult,
    GateStatus,
    JudgeKind,
    Metric,
    Role,
    ScopeScore,
)
from blendtune_eval.report.model import (
    AnswerStatistics,
    Report,
    ReportedAnswer,
    ReportedCriterion,
    ReportedJudge,
    ReportedQuestion,
    ReportedRubric,
    ReportedWording,
    Respondent,
)
from blendtune_eval.rubric import Category, CriterionKind
from blendtune_eval.rules.doubt import Doubt
from blendtune_eval.scoring.dimensions import diagnostics_of

Score = float | None
SCOPE = ScopeScore(
    name="general", score=0.5, low=0.4, high=0.6, n=40, baseline_score=0.55,
    delta=-0.05, delta_low=-0.19, delta_high=0.09, minimum_detectable_effect=0.2,
)  # fmt: skip
DECODING = {
    "temperature": 0, "max_new_tokens": 9, "precision": "fp32", "stop_token_ids": [2], "digest": "d",
}  # fmt: skip
DIAGNOSTICS = asdict(diagnostics_of(()))


def answer(
    text: str = "so", score: Score = 1.0, *, doubt: Doubt | None = None, **changes: Any
) -> ReportedAnswer:
    criterion = ReportedCriterion(
        name="right", kind=CriterionKind.FACT, points=1, met=False, doubt=doubt, good=False, reason="told"
    )
    given = ReportedAnswer(
        answer=text, thoughts="", tokens=3, finished=True, score=None if doubt else score, outcome=None,
        critical_error=False, unscored=f"the rules cannot tell: {doubt}" if doubt else "", unfinished=False,
        criteria=(criterion,),
    )  # fmt: skip
    return replace(given, **changes)


def question(id: str, *scores: tuple[Score, Score], weight: float = 1.0) -> ReportedQuestion:
    """One wording for each pair of scores: the tuned model's and the base model's."""
    wordings = tuple(
        ReportedWording(prompt=f"{id} {number}?", answers=(answer("tuned", tuned), answer("base", base)))
        for number, (tuned, base) in enumerate(scores)
    )
    return asked(id, *wordings, weight=weight)


def asked(id: str, *wordings: ReportedWording, weight: float = 1.0) -> ReportedQuestion:
    return ReportedQuestion(
        id=id, category="world", domain=Role.GENERAL, weight=weight, reference="so",
        scores=tuple(_mean([wording.answers[index].score for wording in wordings]) for index in (0, 1)),
        wordings=wordings,
    )  # fmt: skip


def report(*questions: ReportedQuestion, gates: Sequence[GateStatus] = (), **scores: Any) -> Report:
    statistics = AnswerStatistics(count=2, empty=0, truncated=0, unfinished=0, mean_tokens=3.0)
    found = EvalResult(
        overall=replace(SCOPE, name="overall", n=60),
        general=SCOPE,
        in_domain=replace(SCOPE, name="inDomain", n=20, delta=0.4, delta_low=0.2, delta_high=0.6),
        dimensions=(),
        categories=(),
        coverage=1.0,
        digests=EvaluationDigests(),
    )
    return Report(
        format_version=REPORT_FORMAT, identity="i", namespace="ns", name="ev", finished="2026-11-30",
        respondents=tuple(
            Respondent(label=label, uri=f"file://{label}", digest=label, system_prompt="", answers=statistics)
            for label in ("tuned", "base")
        ),
        rubric=ReportedRubric(
            name="small", version="1", description="", digest="d",
            categories=(Category(name="world", title="World"),),
        ),
        judge=ReportedJudge(kind=JudgeKind.RULES, digest="j", statement="", anchors=()),
        decoding=DECODING, versions={}, definitions={}, scores=replace(found, **scores),
        diagnostics=(DIAGNOSTICS, DIAGNOSTICS),
        benchmarks=(), gates=tuple(gates), diagnosis=None, training=None, questions=questions,
    )  # fmt: skip


def gate(metric: Metric, rule: str, threshold: float, low: float, high: float) -> GateStatus:
    return GateStatus(
        metric=metric, rule=rule, threshold=threshold, result=GateResult.INCONCLUSIVE,
        value=(low + high) / 2, low=low, high=high,
    )  # fmt: skip


def _mean(scores: Sequence[Score]) -> Score:
    known = [score for score in scores if score is not None]
    return sum(known) / len(known) if len(known) == len(scores) else None
