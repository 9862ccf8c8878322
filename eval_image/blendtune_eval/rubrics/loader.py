"""Reads a rubric from YAML and names every fault in it at once, with its line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

from blendtune_api.v1alpha1 import DNS_LABEL, MAX_CATEGORIES, Role
from blendtune_documents.yaml_lines import (
    InvalidYaml,
    MappingNode,
    Node,
    ScalarNode,
    SequenceNode,
    read_documents,
)
from blendtune_eval.rubric import Category, Question, Rubric
from blendtune_eval.rubrics.criteria import read_criterion
from blendtune_eval.rubrics.entries import Entry, Fault, FaultList, InvalidRubric
from blendtune_eval.rubrics.soundness import unsound
from blendtune_eval.rubrics.wordings import wording_content

_BUILTIN = resources.files("blendtune_eval.rubrics") / "builtin"


def builtin_names() -> tuple[str, ...]:
    return tuple(sorted(entry.name.removesuffix(".yaml") for entry in _BUILTIN.iterdir()))


@cache
def load_builtin(name: str, general_from: str = "") -> Rubric:
    """A rubric that ships with this package, as `parse` reads it.

    Raises InvalidRubric when there is none of that name.
    """
    if name not in builtin_names():
        known = ", ".join(builtin_names()) or "none"
        raise InvalidRubric(
            name, [Fault(0, "rubric", f"no built-in rubric of this name; there are: {known}")]
        )
    text = (_BUILTIN / f"{name}.yaml").read_text(encoding="utf-8")
    return parse(text, f"{name}.yaml", general_from)


def load_file(path: Path, general_from: str = "") -> Rubric:
    """The rubric in a file, as `parse` reads it.

    Raises InvalidRubric for a file that is missing, unreadable or faulty.
    """
    try:
        return parse(path.read_text(encoding="utf-8"), str(path), general_from)
    except OSError as error:
        raise InvalidRubric(str(path), [Fault(0, "rubric", f"cannot be read: {error.strerror}")]) from error
    except UnicodeDecodeError as error:
        raise InvalidRubric(str(path), [Fault(0, "rubric", f"is not UTF-8 text: {error.reason}")]) from error


def parse(text: str, file: str, general_from: str = "") -> Rubric:
    """The rubric in a YAML text, or in the ConfigMap around it.

    Before its questions stand the general ones of the built-in rubrics `general_from`, if it names one, and
    that of the text's own `generalFrom`. Raises InvalidRubric with every fault.
    """
    root, first_line = _rubric_node(text, file)
    reader = _Reader(first_line, general_from)
    rubric = reader.rubric(root)
    if reader.faults or rubric is None:
        raise InvalidRubric(file, reader.faults)
    return rubric


def question_lines(path: Path) -> dict[str, int]:
    """The line of the file, from 1, on which each question of a faultless rubric begins, by its id."""
    root, first_line = _rubric_node(path.read_text(encoding="utf-8"), str(path))
    assert isinstance(root, MappingNode)
    questions = root.fields["questions"]
    assert isinstance(questions, SequenceNode)
    return {
        identifier.text: first_line + question.line
        for question in questions.items
        if isinstance(question, MappingNode) and isinstance(identifier := question.fields["id"], ScalarNode)
    }


def _rubric_node(text: str, file: str) -> tuple[Node | None, int]:
    """The only document, None where there is none, and the number of lines of the file above its text.

    A ConfigMap with one key stands for the text in it. Raises InvalidRubric for what is not YAML.
    """
    first_line = 0
    while True:
        root = _only_document(text, file, first_line)
        wrapped = _in_config_map(root)
        if wrapped is None:
            return root, first_line
        text, first_line = wrapped.text, first_line + wrapped.line


def _only_document(text: str, file: str, first_line: int) -> Node | None:
    try:
        documents = read_documents(text)
    except InvalidYaml as error:
        faults = [Fault(first_line + each.line, each.path or "YAML", each.message) for each in error.problems]
        raise InvalidRubric(file, faults) from error
    if len(documents) > 1:
        fault = Fault(
            first_line + documents[1].line, "YAML", "a rubric is one document, and here begins another"
        )
        raise InvalidRubric(file, [fault])
    return documents[0] if documents else None


def _in_config_map(root: Node | None) -> ScalarNode | None:
    """The only value of a ConfigMap's data."""
    if not isinstance(root, MappingNode):
        return None
    kind, data = root.fields.get("kind"), root.fields.get("data")
    if not isinstance(kind, ScalarNode) or kind.text != "ConfigMap" or not isinstance(data, MappingNode):
        return None
    values = tuple(data.fields.values())
    return values[0] if len(values) == 1 and isinstance(values[0], ScalarNode) else None


@dataclass(frozen=True, slots=True)
class _GeneralPart:
    """What a rubric takes over from built-in ones: the questions, each with the name of its rubric."""

    categories: tuple[Category, ...]
    questions: Mapping[Question, str]


class _Reader(FaultList):
    """Builds the rubric's values and gathers faults; a faulty value is replaced so that reading goes on."""

    def __init__(self, first_line: int, general_from: str) -> None:
        super().__init__(first_line)
        self._general_from = general_from

    def rubric(self, root: Node | None) -> Rubric | None:
        if root is None:
            self.add(1, "rubric", "the file is empty")
            return None
        entry = Entry(self, root, "rubric")
        name = entry.text("name", pattern=DNS_LABEL)
        version = entry.text("version")
        description = entry.text("description", default="")
        general = self.general_part(entry)
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

    def general_part(self, entry: Entry) -> _GeneralPart:
        """The general questions of the built-in rubrics that are named for them, none of them twice."""
        categories: dict[Category, None] = {}
        questions: dict[Question, str] = {}
        for name in filter(None, dict.fromkeys((self._general_from, entry.text("generalFrom", default="")))):
            try:
                source = load_builtin(name)
            except InvalidRubric as error:
                entry.fault(f"generalFrom: {error.faults[0].message}")
                continue
            general = [question for question in source.questions if question.domain is Role.GENERAL]
            used = {question.category for question in general}
            categories |= dict.fromkeys(each for each in source.categories if each.name in used)
            questions |= dict.fromkeys(general, name)
        return _GeneralPart(tuple(categories), questions)

    def category(self, node: Node) -> Category:
        entry = Entry(self, node, "category")
        name = entry.text("name", pattern=DNS_LABEL)
        category = Category(name=name, title=entry.text("title", default=name.replace("-", " ").capitalize()))
        entry.done()
        return category

    def question(self, node: Node, categories: set[str]) -> Question:
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
                if (criterion := read_criterion(self, item, f"{entry.where}: criteria[{number}]")) is not None
            ),
        )
        entry.done()
        for message in unsound(question) if len(self.faults) == faults_before else ():
            entry.fault(message)
        return question

    def _across(self, questions: Sequence[Question], nodes: Sequence[Node], general: _GeneralPart) -> None:
        """Faults between questions: an id or a wording that occurs twice."""
        ids = {question.id: f"rubric {rubric}" for question, rubric in general.questions.items()}
        wordings = {
            _wording_key(wording): question.id
            for question in general.questions
            for wording in question.wordings
        }
        for question, node in zip(questions, nodes, strict=True):
            line = self.line(node)
            if question.id in ids:
                self.add(line, f"question {question.id}", f"the id is taken by {ids[question.id]}")
            ids.setdefault(question.id, f"line {line}")
            for wording in question.wordings:
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
    return tuple(token.text for token in wording_content(wording))
