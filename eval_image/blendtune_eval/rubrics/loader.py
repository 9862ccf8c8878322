"""Reads a rubric from YAML and names every fault in it at once, with its line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

import yaml

from blendtune_api.v1alpha1 import DNS_LABEL, MAX_CATEGORIES, Role
from blendtune_eval.rubric import (
    Abstention,
    Category,
    Criterion,
    CriterionKind,
    Fact,
    Forbidden,
    Number,
    Question,
    Rubric,
)
from blendtune_eval.rubrics.entries import Entry, Fault, FaultList, InvalidRubric
from blendtune_eval.rubrics.soundness import unsound
from blendtune_eval.rules.claims import GAP, phrase_parts
from blendtune_eval.rules.text import content

_BUILTIN = resources.files("blendtune_eval.rubrics") / "builtin"


def builtin_names() -> tuple[str, ...]:
    return tuple(sorted(entry.name.removesuffix(".yaml") for entry in _BUILTIN.iterdir()))


@cache
def load_builtin(name: str) -> Rubric:
    """A rubric that ships with this package. Raises InvalidRubric when there is none of that name."""
    if name not in builtin_names():
        known = ", ".join(builtin_names()) or "none"
        raise InvalidRubric(
            name, [Fault(0, "rubric", f"no built-in rubric of this name; there are: {known}")]
        )
    text = (_BUILTIN / f"{name}.yaml").read_text(encoding="utf-8")
    return parse(text, f"{name}.yaml")


def load_file(path: Path) -> Rubric:
    """Raises InvalidRubric for a file that is missing, unreadable or faulty."""
    try:
        return parse(path.read_text(encoding="utf-8"), str(path))
    except OSError as error:
        raise InvalidRubric(str(path), [Fault(0, "rubric", f"cannot be read: {error.strerror}")]) from error
    except UnicodeDecodeError as error:
        raise InvalidRubric(str(path), [Fault(0, "rubric", f"is not UTF-8 text: {error.reason}")]) from error


def parse(text: str, file: str, first_line: int = 0) -> Rubric:
    """The rubric in a YAML text, or in the ConfigMap around it. Raises InvalidRubric with every fault."""
    root = _compose(text, file, first_line)
    if (wrapped := _in_config_map(root)) is not None:
        return parse(wrapped.value, file, first_line + wrapped.start_mark.line + 1)
    reader = _Reader(first_line)
    rubric = reader.rubric(root)
    if reader.faults or rubric is None:
        raise InvalidRubric(file, reader.faults)
    return rubric


def question_lines(path: Path) -> dict[str, int]:
    """The line of the file, from 1, on which each question of a faultless rubric begins, by its id."""
    first_line, root = 0, _compose(path.read_text(encoding="utf-8"), str(path), 0)
    while (wrapped := _in_config_map(root)) is not None:
        first_line += wrapped.start_mark.line + 1
        root = _compose(wrapped.value, str(path), first_line)
    assert isinstance(root, yaml.MappingNode)
    questions = next(value for key, value in root.value if key.value == "questions")
    return {
        value.value: first_line + node.start_mark.line + 1
        for node in questions.value
        for key, value in node.value
        if key.value == "id"
    }


def _compose(text: str, file: str, first_line: int) -> yaml.Node | None:
    try:
        root: yaml.Node | None = yaml.compose(text, Loader=yaml.SafeLoader)
        return root
    except yaml.MarkedYAMLError as error:
        line = first_line + error.problem_mark.line + 1 if error.problem_mark is not None else 0
        raise InvalidRubric(file, [Fault(line, "YAML", str(error.problem))]) from error
    except yaml.YAMLError as error:
        raise InvalidRubric(file, [Fault(0, "YAML", str(error))]) from error


def _in_config_map(root: yaml.Node | None) -> yaml.ScalarNode | None:
    """The only value of a ConfigMap's data."""
    if not isinstance(root, yaml.MappingNode):
        return None
    fields = {key.value: value for key, value in root.value if isinstance(key, yaml.ScalarNode)}
    data = fields.get("data")
    is_config_map = "kind" in fields and fields["kind"].value == "ConfigMap"
    if not is_config_map or not isinstance(data, yaml.MappingNode) or len(data.value) != 1:
        return None
    value = data.value[0][1]
    return value if isinstance(value, yaml.ScalarNode) else None


@dataclass(frozen=True, slots=True)
class _GeneralHalf:
    """What a rubric takes over from a built-in one."""

    rubric: str = ""
    categories: tuple[Category, ...] = ()
    questions: tuple[Question, ...] = ()


class _Reader(FaultList):
    """Builds the rubric's values and gathers faults; a faulty value is replaced so that reading goes on."""

    def rubric(self, root: yaml.Node | None) -> Rubric | None:
        if root is None:
            self.add(1, "rubric", "the file is empty")
            return None
        entry = Entry(self, root, "rubric")
        name = entry.text("name", pattern=DNS_LABEL)
        version = entry.text("version")
        description = entry.text("description", default="")
        general = self.general_half(entry)
        declared = tuple(self.category(node) for node in entry.items("categories", required=True))
        categories = (*general.categories, *declared)
        nodes = entry.items("questions", required=True)
        entry.done()
        if len(categories) > MAX_CATEGORIES:
            entry.fault(f"{len(categories)} categories are more than {MAX_CATEGORIES}")
        self._distinct((category.name for category in categories), entry, "category")
        known = {category.name for category in categories}
        questions = tuple(self.question(node, known) for node in nodes)
        self._across(questions, nodes, general)
        return Rubric(
            name=name,
            version=version,
            description=description,
            categories=categories,
            questions=(*general.questions, *questions),
        )

    def general_half(self, entry: Entry) -> _GeneralHalf:
        """The general questions of the built-in rubric that `generalFrom` names; without it, none."""
        name = entry.text("generalFrom", default="")
        if not name:
            return _GeneralHalf()
        try:
            source = load_builtin(name)
        except InvalidRubric as error:
            entry.fault(f"generalFrom: {error.faults[0].message}")
            return _GeneralHalf()
        questions = tuple(question for question in source.questions if question.domain is Role.GENERAL)
        used = {question.category for question in questions}
        categories = tuple(category for category in source.categories if category.name in used)
        return _GeneralHalf(name, categories, questions)

    def category(self, node: yaml.Node) -> Category:
        entry = Entry(self, node, "category")
        name = entry.text("name", pattern=DNS_LABEL)
        category = Category(name=name, title=entry.text("title", default=name.replace("-", " ").capitalize()))
        entry.done()
        return category

    def question(self, node: yaml.Node, categories: set[str]) -> Question:
        entry = Entry(self, node, "question")
        identifier = entry.text("id", pattern=DNS_LABEL)
        entry.where = f"question {identifier}" if identifier else "question"
        faults_before = len(self.faults)
        category = entry.text("category")
        if category and category not in categories:
            entry.fault(f"category {category!r} is not declared; there are: {', '.join(sorted(categories))}")
        domain = entry.text("domain")
        if domain and domain not in list(Role):
            entry.fault(f"domain must be {' or '.join(Role)}, not {domain!r}")
        weight = entry.number("weight", 1.0)
        if weight <= 0:
            entry.fault(f"weight must be greater than 0, not {weight:g}")
        question = Question(
            id=identifier,
            category=category,
            domain=Role(domain) if domain in list(Role) else Role.GENERAL,
            weight=weight,
            prompt=entry.text("prompt"),
            paraphrases=entry.texts("paraphrases"),
            reference=entry.text("reference"),
            criteria=tuple(
                criterion
                for number, item in enumerate(entry.items("criteria", required=True))
                if (criterion := self.criterion(item, f"{entry.where}: criteria[{number}]")) is not None
            ),
        )
        entry.done()
        for message in unsound(question) if len(self.faults) == faults_before else ():
            entry.fault(message)
        return question

    def criterion(self, node: yaml.Node, where: str) -> Criterion | None:
        entry = Entry(self, node, where)
        name = entry.text("name", pattern=DNS_LABEL)
        kind = entry.text("kind")
        if kind not in _CRITERIA:
            if kind:
                entry.fault(f"kind must be one of {', '.join(CriterionKind)}, not {kind!r}")
            return None
        criterion = _CRITERIA[CriterionKind(kind)](entry, name)
        if isinstance(criterion, Forbidden) and criterion.points > 0:
            entry.fault(f"points of a Forbidden criterion must be 0 or less, not {criterion.points:g}")
        if not isinstance(criterion, Forbidden) and criterion.points < 0:
            entry.fault(f"points of a {kind} criterion must be 0 or more, not {criterion.points:g}")
        entry.done()
        return criterion

    def _across(
        self, questions: Sequence[Question], nodes: Sequence[yaml.Node], general: _GeneralHalf
    ) -> None:
        """Faults between questions: an id or a wording that occurs twice."""
        ids = {question.id: f"rubric {general.rubric}" for question in general.questions}
        wordings = {
            _wording_key(wording): question.id
            for question in general.questions
            for wording in question.phrasings
        }
        for question, node in zip(questions, nodes, strict=True):
            line = self.line(node)
            if question.id in ids:
                self.add(line, f"question {question.id}", f"the id is taken by {ids[question.id]}")
            ids.setdefault(question.id, f"line {line}")
            for wording in question.phrasings:
                key = _wording_key(wording)
                if key and key in wordings:
                    message = f"the wording {wording!r} occurs already in question {wordings[key]}"
                    self.add(line, f"question {question.id}", message)
                wordings.setdefault(key, question.id)

    def _distinct(self, names: Iterable[str], entry: Entry, what: str) -> None:
        for name, count in Counter(names).items():
            if name and count > 1:
                entry.fault(f"the {what} {name} is declared {count} times")


def _wording_key(wording: str) -> tuple[str, ...]:
    return tuple(token.text for token in content(wording))


def _fact(entry: Entry, name: str) -> Fact:
    return Fact(
        name=name,
        any_of=_aliases(entry),
        points=entry.number("points", 1.0),
        required=entry.boolean("required"),
    )


def _number(entry: Entry, name: str) -> Number:
    tolerance = entry.number("tolerance", 0.0)
    if tolerance < 0:
        entry.fault(f"tolerance must be 0 or more, not {tolerance:g}")
    return Number(
        name=name,
        value=entry.number("value"),
        tolerance=tolerance,
        unit=entry.text("unit", default=""),
        unit_aliases=entry.texts("unitAliases"),
        other_values=entry.numbers("otherValues"),
        points=entry.number("points", 1.0),
        required=entry.boolean("required"),
    )


def _forbidden(entry: Entry, name: str) -> Forbidden:
    return Forbidden(
        name=name,
        any_of=_aliases(entry),
        points=entry.number("points", -1.0),
        critical=entry.boolean("critical"),
    )


def _abstention(entry: Entry, name: str) -> Abstention:
    return Abstention(
        name=name,
        any_of=_aliases(entry, required=False),
        points=entry.number("points", 1.0),
        required=entry.boolean("required"),
    )


_CRITERIA: Mapping[CriterionKind, Callable[[Entry, str], Criterion]] = {
    CriterionKind.FACT: _fact,
    CriterionKind.NUMBER: _number,
    CriterionKind.FORBIDDEN: _forbidden,
    CriterionKind.ABSTENTION: _abstention,
}


def _aliases(entry: Entry, *, required: bool = True) -> tuple[str, ...]:
    aliases = entry.texts("anyOf", required=required)
    for alias in aliases:
        if not content(alias):
            entry.fault(f"the alias {alias!r} has no word to look for")
        elif not all(phrase_parts(alias)):
            entry.fault(f"the alias {alias!r} needs words on both sides of {GAP!r}")
    return aliases
