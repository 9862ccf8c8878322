"""The part of an evaluation's report.json that other programs read; the evaluation itself knows all of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from blendtune_api.contract.outcome import EvalResult
from blendtune_api.v1alpha1 import BlendedSource, GateStatus, JudgeKind, Role

REPORT_FILE = "report.json"
REPORT_PAGE = "report.html"  # for people, beside it; that of a study lies in its work directory
REPORT_FORMAT = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class ReadCategory:
    name: str
    title: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ReadRubric:
    name: str
    version: str
    digest: str
    categories: tuple[ReadCategory, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class ReadJudge:
    kind: JudgeKind
    digest: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ReadRespondent:
    label: str
    uri: str
    digest: str  # of the weights


@dataclass(frozen=True, kw_only=True, slots=True)
class ReadTraining:
    sources: tuple[BlendedSource, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class ReadCriterion:
    name: str
    points: float


@dataclass(frozen=True, kw_only=True, slots=True)
class ReadAnswer:
    criteria: tuple[ReadCriterion, ...]  # empty where the answer was not judged


@dataclass(frozen=True, kw_only=True, slots=True)
class ReadWording:
    prompt: str
    answers: tuple[ReadAnswer, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class ReadQuestion:
    id: str
    category: str
    domain: Role
    weight: float
    reference: str
    scores: tuple[Any, ...]  # float or None for each respondent
    wordings: tuple[ReadWording, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class ReadReport:
    """A report as another program sees it: the model is the first respondent, its baseline the second."""

    format_version: int
    namespace: str
    name: str
    finished: str  # ISO 8601
    respondents: tuple[ReadRespondent, ...]
    rubric: ReadRubric
    judge: ReadJudge
    scores: EvalResult
    gates: tuple[GateStatus, ...]
    training: ReadTraining | None
    questions: tuple[ReadQuestion, ...]
