"""The report as report.json holds it. A field without a default is always there; None is written as null."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from blendtune_api.contract import EvalResult
from blendtune_api.v1alpha1 import (
    BlendedSource,
    Diagnosis,
    GateStatus,
    JudgeKind,
    Role,
    RoleDivergence,
    SourceLoss,
)
from blendtune_eval.judging.judge import AnchorFinding
from blendtune_eval.rubric import Category, CriterionKind
from blendtune_eval.rules.doubt import Doubt
from blendtune_eval.scoring.score import Outcome


@dataclass(frozen=True, kw_only=True, slots=True)
class AnswerStatistics:
    count: int
    empty: int
    truncated: int  # cut at the limit on new tokens
    unfinished: int  # of these, cut within their thoughts
    mean_tokens: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Respondent:
    """A model that was asked."""

    label: str
    uri: str
    digest: str  # of the weights
    system_prompt: str
    answers: AnswerStatistics


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportedRubric:
    name: str
    version: str
    description: str
    digest: str
    categories: tuple[Category, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportedJudge:
    kind: JudgeKind
    digest: str
    statement: str
    anchors: tuple[AnchorFinding, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class BenchmarkMetrics:
    """All metrics of a benchmark, by name, for each respondent."""

    name: str
    metrics: tuple[Mapping[str, float], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportedTraining:
    """What the run that made the model left. `contaminated` is None where its rows were not searched."""

    sources: tuple[BlendedSource, ...]
    loss: tuple[tuple[float, ...], ...]  # pairs of a step and its loss in nats per supervised token
    validation_loss: tuple[SourceLoss, ...]
    divergence: tuple[RoleDivergence, ...]  # KL(base, tuned) on held-out rows, nats per token
    stopped_early: str
    contaminated: tuple[str, ...] | None  # ids of questions


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportedCriterion:
    """`good`: met as wished, which a Forbidden criterion is when the claim was not made."""

    name: str
    kind: CriterionKind
    points: float
    met: bool
    doubt: Doubt | None
    good: bool
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportedAnswer:
    """What was judged, and the thoughts before it. Without `score` and `outcome` it could not be judged, and
    `unscored` says why; `unfinished`: it was cut within its thoughts.
    """

    answer: str
    thoughts: str
    tokens: int
    finished: bool
    score: float | None
    outcome: Outcome | None
    critical_error: bool
    unscored: str
    unfinished: bool
    criteria: tuple[ReportedCriterion, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportedWording:
    """One wording of a question, and the answer of each respondent to it."""

    prompt: str
    answers: tuple[ReportedAnswer, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportedQuestion:
    id: str
    category: str
    domain: Role
    weight: float
    reference: str
    scores: tuple[Any, ...]  # float or None for each respondent; the codec reads no null in a list of floats
    wordings: tuple[ReportedWording, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class NotAsked:
    """A question of the rubric that was not put to the model: the gates were decided before."""

    id: str
    category: str
    prompt: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """Everything that was asked, answered, judged and computed.

    `decoding` and `diagnostics` are mappings because their keys are in snake case, which the codec does not
    write: the fields of `Decoding` with its digest, and those of `Diagnostics` for each respondent.
    """

    format_version: int
    identity: str  # of the evaluation: the digest of all that decides its result
    namespace: str
    name: str
    finished: str  # ISO 8601
    respondents: tuple[Respondent, ...]  # the model, then its baseline
    rubric: ReportedRubric
    judge: ReportedJudge
    decoding: Mapping[str, Any]
    versions: Mapping[str, str]  # of Python and the packages that decide an answer
    definitions: Mapping[str, str]
    scores: EvalResult
    diagnostics: tuple[Mapping[str, Any], ...]
    benchmarks: tuple[BenchmarkMetrics, ...]
    gates: tuple[GateStatus, ...]
    diagnosis: Diagnosis | None
    training: ReportedTraining | None
    questions: tuple[ReportedQuestion, ...]
    not_asked: tuple[NotAsked, ...] = ()
