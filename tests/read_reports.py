"""Reports as other programs read them, with scores that a test chooses."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from blendtune_api import codec
from blendtune_api.contract import (
    REPORT_FORMAT,
    EvalResult,
    ReadAnswer,
    ReadCategory,
    ReadCriterion,
    ReadJudge,
    ReadQuestion,
    ReadReport,
    ReadRespondent,
    ReadRubric,
    ReadTraining,
    ReadWording,
)
from blendtune_api.v1alpha1 import (
    BlendedSource,
    EvaluationDigests,
    JudgeKind,
    RetentionScore,
    RetentionText,
    Role,
    ScopeScore,
    Verdict,
)

Score = float | None


def question(
    id: str, score: Score, base: Score = None, *, general: bool = True, prompt: str = "", points: float = 1.0
) -> ReadQuestion:
    answer = ReadAnswer(criteria=(ReadCriterion(name="right", points=points),))
    return ReadQuestion(
        id=id,
        category="world" if general else "shop",
        domain=Role.GENERAL if general else Role.IN_DOMAIN,
        weight=1.0,
        reference=f"the answer to {id}",
        scores=(score, base),
        wordings=(ReadWording(prompt=prompt or f"what of {id}?", answers=(answer, answer)),),
    )


def report(name: str, general: Sequence[Score], in_domain: Sequence[Score] = (0.5,)) -> ReadReport:
    """A run whose base model fails everything; questions are named by their place."""
    questions = (
        *(question(f"world-{number}", score, 0.0) for number, score in enumerate(general)),
        *(question(f"shop-{number}", score, 0.0, general=False) for number, score in enumerate(in_domain)),
    )
    scope = ScopeScore(name="overall")
    return ReadReport(
        format_version=REPORT_FORMAT,
        namespace="default",
        name=name,
        finished="2026-11-30T04:00:00+00:00",
        respondents=(
            ReadRespondent(label="tuned", uri=f"pvc://disk/{name}/model", digest=f"weights of {name}"),
            ReadRespondent(label="base", uri="hf://base", digest="weights of base"),
        ),
        rubric=ReadRubric(
            name="kettle-shop",
            version="1.0",
            digest="0123456789abcdef",
            categories=(
                ReadCategory(name="world", title="World"),
                ReadCategory(name="shop", title="The shop"),
            ),
        ),
        judge=ReadJudge(kind=JudgeKind.RULES, digest="rules-5"),
        scores=EvalResult(
            overall=scope,
            general=replace(scope, name="general"),
            in_domain=replace(scope, name="inDomain"),
            dimensions=(replace(scope, name="reliability", score=0.5, low=0.4, high=0.6),),
            categories=(),
            coverage=1.0,
            digests=EvaluationDigests(template="chatml", decoding="greedy"),
            verdict=Verdict.MIXED,
            retention=(
                RetentionScore(
                    text=RetentionText.BASE_ANSWERS, rows=40, tokens=900, baseline=0.3, loss=0.5,
                    rise=0.2, rise_low=0.15, rise_high=0.25, divergence=0.1,
                ),
            ),
        ),
        gates=(),
        training=ReadTraining(
            sources=(
                BlendedSource(
                    name="handbook", examples=10, tokens=1000, target_share=0.5, achieved_share=0.499,
                    epochs=3.0,
                ),
            )
        ),
        questions=questions,
    )  # fmt: skip


def written(report: ReadReport, folder: Path, changes: Mapping[str, object] | None = None) -> Path:
    """The folder, with the report in it; `changes` replace fields of its JSON."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.json").write_text(json.dumps(codec.encode(report) | dict(changes or {})))
    return folder
