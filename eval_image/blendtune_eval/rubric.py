"""A rubric: the questions, and the criteria by which an answer is scored."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from functools import cached_property
from typing import Any, ClassVar

from blendtune_api.v1alpha1 import Role


class CriterionKind(StrEnum):
    FACT = "Fact"
    NUMBER = "Number"
    FORBIDDEN = "Forbidden"
    ABSTENTION = "Abstention"
    ALTERNATIVES = "Alternatives"


@dataclass(frozen=True, kw_only=True, slots=True)
class Fact:
    """Met when the answer asserts one of the aliases. A final `*` stands for any ending of the last word."""

    kind: ClassVar[CriterionKind] = CriterionKind.FACT
    name: str
    any_of: tuple[str, ...]
    points: float = 1.0
    required: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Number:
    """Met when the answer states the value, within an absolute tolerance, and no other value for the fact.

    With a unit, only numbers in that unit count. With a subject, what is said of something else neither meets
    nor contradicts it. `other_values` are quantities that a right answer may state beside the value without
    contradicting itself.
    """

    kind: ClassVar[CriterionKind] = CriterionKind.NUMBER
    name: str
    value: float
    tolerance: float = 0.0
    unit: str = ""
    unit_aliases: tuple[str, ...] = ()
    subject: str = ""
    subject_aliases: tuple[str, ...] = ()
    other_values: tuple[float, ...] = ()
    points: float = 1.0
    required: bool = False

    @property
    def subject_names(self) -> tuple[str, ...]:
        return (self.subject, *self.subject_aliases) if self.subject else ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Forbidden:
    """Met, at a loss of points, when the answer asserts one of the aliases.

    `critical`: the claim would be a serious business error.
    """

    kind: ClassVar[CriterionKind] = CriterionKind.FORBIDDEN
    name: str
    any_of: tuple[str, ...]
    points: float = -1.0
    critical: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Abstention:
    """Met when the answer declines: it says that it does not or cannot know, or contains one of `any_of`."""

    kind: ClassVar[CriterionKind] = CriterionKind.ABSTENTION
    name: str
    any_of: tuple[str, ...] = ()
    points: float = 1.0
    required: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Alternatives:
    """Met when one of several facts or numbers is: "500 metres", or "within sight"."""

    kind: ClassVar[CriterionKind] = CriterionKind.ALTERNATIVES
    name: str
    any_of: tuple[Fact | Number, ...]
    points: float = 1.0
    required: bool = False


Criterion = Fact | Number | Forbidden | Abstention | Alternatives


@dataclass(frozen=True, kw_only=True, slots=True)
class Category:
    name: str
    title: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    id: str
    category: str
    domain: Role
    prompt: str
    reference: str
    criteria: tuple[Criterion, ...]
    paraphrases: tuple[str, ...] = ()
    weight: float = 1.0

    @property
    def wordings(self) -> tuple[str, ...]:
        """The canonical prompt, then the paraphrases."""
        return (self.prompt, *self.paraphrases)

    @property
    def attainable_points(self) -> float:
        return sum(criterion.points for criterion in self.criteria if criterion.points > 0)

    @property
    def expects_abstention(self) -> bool:
        return any(isinstance(criterion, Abstention) for criterion in self.criteria)

    @property
    def has_critical_errors(self) -> bool:
        return any(isinstance(criterion, Forbidden) and criterion.critical for criterion in self.criteria)


@dataclass(frozen=True, kw_only=True)
class Rubric:
    name: str
    version: str
    description: str
    categories: tuple[Category, ...]
    questions: tuple[Question, ...]

    @property
    def wordings(self) -> tuple[tuple[Question, str], ...]:
        """Every question in each of its wordings: the order in which a model is asked."""
        return tuple((question, text) for question in self.questions for text in question.wordings)

    def question(self, identifier: str) -> Question:
        """Raises KeyError where there is no question of this id."""
        return self._by_id[identifier]

    def part(self, indices: Iterable[int]) -> Rubric:
        """The questions at these places of the rubric, in its own order."""
        return replace(self, questions=tuple(self.questions[index] for index in sorted(indices)))

    @cached_property
    def _by_id(self) -> dict[str, Question]:
        return {question.id: question for question in self.questions}

    @cached_property
    def digest(self) -> str:
        """sha256 of the rubric's content; comments and layout of its file do not count."""
        canonical = json.dumps(self.as_json(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()

    def as_json(self) -> dict[str, Any]:
        """Plain JSON values; every criterion carries its kind."""
        document = asdict(self)
        for question, values in zip(self.questions, document["questions"], strict=True):
            for criterion, entry in zip(question.criteria, values["criteria"], strict=True):
                entry["kind"] = criterion.kind.value
                _drop_absent_subject(entry)
                if isinstance(criterion, Alternatives):
                    for each, part in zip(criterion.any_of, entry["any_of"], strict=True):
                        part["kind"] = each.kind.value
                        _drop_absent_subject(part)
        return document


def _drop_absent_subject(entry: dict[str, Any]) -> None:
    """The digest of a rubric without subjects is as it was before criteria could have one."""
    for name in ("subject", "subject_aliases"):
        if not entry.get(name):
            entry.pop(name, None)
