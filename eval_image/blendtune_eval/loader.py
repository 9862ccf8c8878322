"""Reads a rubric from YAML and names every fault in it at once, with its line."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TypeVar

import yaml

from blendtune_api.v1alpha1 import DNS_LABEL, MAX_CATEGORIES, Role
from blendtune_eval.judge import Rules
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
from blendtune_eval.score import Outcome, PhrasingScore
from blendtune_eval.text import content

T = TypeVar("T")


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    line: int  # from 1; 0 where the fault has no line
    where: str
    message: str

    def __str__(self) -> str:
        place = f":{self.line}" if self.line else ""
        return f"{place}: {self.where}: {self.message}"


class InvalidRubric(ValueError):
    """A rubric that cannot be used; `faults` are all that was found, in the order of the file."""

    def __init__(self, file: str, faults: Iterable[Fault]) -> None:
        self.faults = tuple(sorted(faults))
        super().__init__("\n".join(f"{file}{fault}" for fault in self.faults))


def builtin_names() -> tuple[str, ...]:
    folder = resources.files("blendtune_eval") / "rubrics"
    return tuple(
        sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml"))
    )


def load_builtin(name: str) -> Rubric:
    """A rubric that ships with this package. Raises InvalidRubric when there is none of that name."""
    if name not in builtin_names():
        known = ", ".join(builtin_names()) or "none"
        raise InvalidRubric(
            name, [Fault(0, "rubric", f"no built-in rubric of this name; there are: {known}")]
        )
    text = (resources.files("blendtune_eval") / "rubrics" / f"{name}.yaml").read_text(encoding="utf-8")
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


class _Entry:
    """A YAML mapping being read: its fields are taken one by one, and those never asked for are faults."""

    def __init__(self, reader: _Reader, node: yaml.Node, where: str) -> None:
        self.reader = reader
        self.where = where
        self.line = reader.line(node)
        self.fields: dict[str, yaml.Node] = {}
        if not isinstance(node, yaml.MappingNode):
            self.fault("must be a mapping of fields")
            return
        for key, value in node.value:
            if key.value in self.fields:
                self.fault(f"the field {key.value} appears twice", key)
            self.fields[key.value] = value

    def fault(self, message: str, node: yaml.Node | None = None) -> None:
        line = self.reader.line(node) if node is not None else self.line
        self.reader.faults.append(Fault(line, self.where, message))

    def text(self, name: str, *, default: str | None = None, pattern: str = "") -> str:
        """A scalar as it is written, so that `no` and `1.0` stay text."""
        node = self._take(name, required=default is None)
        if node is None:
            return default or ""
        if not isinstance(node, yaml.ScalarNode) or not node.value.strip() or node.tag.endswith(":null"):
            self.fault(f"{name} must be text", node)
            return ""
        value = str(node.value).strip()
        if pattern and not re.match(pattern, value):
            self.fault(f"{name} must be lower-case letters, digits and dashes, not {value!r}", node)
        return value

    def texts(self, name: str, *, required: bool = False) -> tuple[str, ...]:
        nodes = self.items(name, required=required)
        wrong = [node for node in nodes if not isinstance(node, yaml.ScalarNode) or not node.value.strip()]
        for node in wrong:
            self.fault(f"{name} must be a list of texts", node)
        return tuple(str(node.value).strip() for node in nodes if node not in wrong)

    def number(self, name: str, default: float | None = None) -> float:
        node = self._take(name, required=default is None)
        if node is None:
            return default or 0.0
        return self._float(name, node)

    def numbers(self, name: str) -> tuple[float, ...]:
        return tuple(self._float(name, node) for node in self.items(name, required=False))

    def boolean(self, name: str) -> bool:
        node = self._take(name, required=False)
        if node is None:
            return False
        if node.tag != "tag:yaml.org,2002:bool":
            self.fault(f"{name} must be true or false", node)
        return str(node.value).lower() in ("true", "yes", "on")

    def items(self, name: str, *, required: bool) -> Sequence[yaml.Node]:
        node = self._take(name, required=required)
        if node is None:
            return ()
        if not isinstance(node, yaml.SequenceNode) or (required and not node.value):
            self.fault(f"{name} must be a list{' of at least one' if required else ''}", node)
            return ()
        return list(node.value)

    def done(self) -> None:
        for name, node in self.fields.items():
            self.fault(f"unknown field {name}", node)

    def _take(self, name: str, *, required: bool) -> yaml.Node | None:
        if required and name not in self.fields:
            self.fault(f"{name} is missing")
        return self.fields.pop(name, None)

    def _float(self, name: str, node: yaml.Node) -> float:
        try:
            value = float(str(node.value).replace("_", ""))
        except (TypeError, ValueError):
            value = float("nan")
        if value != value or abs(value) == float("inf"):
            self.fault(f"{name} must be a number", node)
            return 0.0
        return value


class _Reader:
    """Builds the rubric's values and gathers faults; a faulty value is replaced so that reading goes on."""

    def __init__(self, first_line: int) -> None:
        self.faults: list[Fault] = []
        self._first_line = first_line

    def line(self, node: yaml.Node) -> int:
        """Line of the file, from 1, on which the node starts."""
        return int(self._first_line + node.start_mark.line + 1)

    def rubric(self, root: yaml.Node | None) -> Rubric | None:
        if root is None:
            self.faults.append(Fault(1, "rubric", "the file is empty"))
            return None
        entry = _Entry(self, root, "rubric")
        name = entry.text("name", pattern=DNS_LABEL)
        version = entry.text("version")
        description = entry.text("description", default="")
        categories = tuple(self.category(node) for node in entry.items("categories", required=True))
        nodes = entry.items("questions", required=True)
        entry.done()
        if len(categories) > MAX_CATEGORIES:
            entry.fault(f"{len(categories)} categories are more than {MAX_CATEGORIES}")
        self._distinct((category.name for category in categories), entry, "category")
        known = {category.name for category in categories}
        questions = tuple(self.question(node, known) for node in nodes)
        self._across(questions, nodes)
        return Rubric(
            name=name, version=version, description=description, categories=categories, questions=questions
        )

    def category(self, node: yaml.Node) -> Category:
        entry = _Entry(self, node, "category")
        name = entry.text("name", pattern=DNS_LABEL)
        category = Category(name=name, title=entry.text("title", default=name.replace("-", " ").capitalize()))
        entry.done()
        return category

    def question(self, node: yaml.Node, categories: set[str]) -> Question:
        entry = _Entry(self, node, "question")
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
        for message in _unmeetable(question) if len(self.faults) == faults_before else ():
            entry.fault(message)
        return question

    def criterion(self, node: yaml.Node, where: str) -> Criterion | None:
        entry = _Entry(self, node, where)
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

    def _across(self, questions: Sequence[Question], nodes: Sequence[yaml.Node]) -> None:
        """Faults between questions: an id or a wording that occurs twice."""
        ids: dict[str, int] = {}
        wordings: dict[tuple[str, ...], str] = {}
        for question, node in zip(questions, nodes, strict=True):
            line = self.line(node)
            if question.id in ids:
                self.faults.append(
                    Fault(line, f"question {question.id}", f"the id is taken by line {ids[question.id]}")
                )
            ids.setdefault(question.id, line)
            for wording in question.phrasings:
                key = tuple(token.text for token in content(wording))
                if key and key in wordings:
                    message = f"the wording {wording!r} occurs already in question {wordings[key]}"
                    self.faults.append(Fault(line, f"question {question.id}", message))
                wordings.setdefault(key, question.id)

    def _distinct(self, names: Iterable[str], entry: _Entry, what: str) -> None:
        for name, count in Counter(names).items():
            if name and count > 1:
                entry.fault(f"the {what} {name} is declared {count} times")


def _fact(entry: _Entry, name: str) -> Fact:
    return Fact(
        name=name,
        any_of=_aliases(entry),
        points=entry.number("points", 1.0),
        required=entry.boolean("required"),
    )


def _number(entry: _Entry, name: str) -> Number:
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


def _forbidden(entry: _Entry, name: str) -> Forbidden:
    return Forbidden(
        name=name,
        any_of=_aliases(entry),
        points=entry.number("points", -1.0),
        critical=entry.boolean("critical"),
    )


def _abstention(entry: _Entry, name: str) -> Abstention:
    return Abstention(
        name=name,
        any_of=entry.texts("anyOf"),
        points=entry.number("points", 1.0),
        required=entry.boolean("required"),
    )


_CRITERIA: Mapping[CriterionKind, Callable[[_Entry, str], Criterion]] = {
    CriterionKind.FACT: _fact,
    CriterionKind.NUMBER: _number,
    CriterionKind.FORBIDDEN: _forbidden,
    CriterionKind.ABSTENTION: _abstention,
}


def _aliases(entry: _Entry) -> tuple[str, ...]:
    aliases = entry.texts("anyOf", required=True)
    for alias in aliases:
        if not content(alias):
            entry.fault(f"the alias {alias!r} has no word to look for")
    return aliases


def _unmeetable(question: Question) -> Iterator[str]:
    """Why no answer could score in full: faults that only show once the question is whole."""
    names = Counter(criterion.name for criterion in question.criteria)
    yield from (f"the criterion {name} is named {count} times" for name, count in names.items() if count > 1)
    if question.attainable_points <= 0:
        yield "no criterion gives positive points"
        return
    wanted = {_key(alias): alias for c in question.criteria if isinstance(c, Fact) for alias in c.any_of}
    forbidden = {_key(alias) for c in question.criteria if isinstance(c, Forbidden) for alias in c.any_of}
    for key in wanted.keys() & forbidden:
        yield f"{wanted[key]!r} is both asked for and forbidden"
    if len(names) < len(question.criteria):
        return
    for wording in question.phrasings:
        scored = Rules().judge(question, wording, question.reference)
        if scored.score != 1.0 or scored.outcome is not Outcome.CORRECT:
            yield f"the reference does not satisfy its own criteria: {_shortfall(question, scored)}"
            return
        repeated = Rules().judge(question, wording, wording)
        if repeated.score:
            yield f"an answer that only repeats {wording!r} gains points: {_gains(question, repeated)}"


def _shortfall(question: Question, scored: PhrasingScore) -> str:
    missed = (
        f"{verdict.criterion} {verdict.reason}"
        for criterion, verdict in zip(question.criteria, scored.verdicts, strict=True)
        if verdict.met is isinstance(criterion, Forbidden)
    )
    return "; ".join(missed)


def _gains(question: Question, scored: PhrasingScore) -> str:
    return ", ".join(
        f"{verdict.criterion} ({verdict.reason})"
        for criterion, verdict in zip(question.criteria, scored.verdicts, strict=True)
        if verdict.met and criterion.points > 0
    )


def _key(alias: str) -> tuple[str, ...]:
    return tuple(token.text for token in content(alias))
