"""Reads YAML into values that know their lines.

Plain scalars mean what they mean to kubectl: the words of YAML 1.1 (`yes` and `off` are booleans), `3e-5`
is a number, `1:30` and dates are text. Tags outside YAML's core schema are refused: no object is constructed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.events import (
    AliasEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    MappingEndEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from ruamel.yaml.reader import ReaderError

MAX_DEPTH = 100  # of nested collections
MAX_VALUES = 250_000  # of a stream, an anchored value counted again for each of its aliases
_MERGE = "<<"
_CORE = "tag:yaml.org,2002:"
_TEXT_TAGS = ("!", f"{_CORE}str")
_PLAIN_TAGS = tuple(_CORE + name for name in ("null", "bool", "int", "float"))
_COLLECTION_TAGS = (f"{_CORE}map", f"{_CORE}seq")
_LONGEST_NUMBER = 100  # characters; what is longer is text
_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON"), True),
    **dict.fromkeys(("false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF"), False),
}
_INTEGER = re.compile(r"[-+]?(0b[01][01_]*|0x[0-9a-fA-F][0-9a-fA-F_]*|0[0-7_]*|[1-9][0-9_]*)")
_FLOAT = re.compile(r"[-+]?([0-9][0-9_]*(\.[0-9_]*)?|\.[0-9][0-9_]*)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")

PlainScalar: TypeAlias = str | float | bool | None
_Tagged: TypeAlias = ScalarEvent | CollectionStartEvent


@dataclass(frozen=True, slots=True)
class ScalarNode:
    line: int
    text: str  # as it is written
    value: PlainScalar  # what it means


@dataclass(frozen=True, slots=True)
class SequenceNode:
    line: int
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class MappingNode:
    line: int
    fields: dict[str, Node]  # by the text of their keys


# `line` counts from 1: where the key stands for a field of a mapping, where the value begins for any other.
Node: TypeAlias = ScalarNode | SequenceNode | MappingNode


@dataclass(frozen=True, slots=True)
class Problem:
    line: int  # from 1
    path: str  # of the field; empty where the text is no YAML
    message: str

    def __str__(self) -> str:
        return ": ".join(filter(None, (f"line {self.line}", self.path, self.message)))


class InvalidYaml(ValueError):
    """A text that is not YAML, or that has a key twice, a foreign tag, or too many values."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, problems)))


def read_documents(text: str) -> list[Node]:
    """The documents of a YAML stream, without those that are empty. Raises InvalidYaml."""
    builder = _Builder(YAML(typ="safe", pure=True).parse(text))
    try:
        documents = list(builder.documents())
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise InvalidYaml([Problem(line, "", " ".join(str(error.problem).split()))]) from error
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        message = f"the character U+{ord(text[error.position]):04X} is not allowed"
        raise InvalidYaml([Problem(line, "", message)]) from error
    if builder.problems:
        raise InvalidYaml(builder.problems)
    return documents


def plain(node: Node) -> Any:
    """Dicts, lists and scalars, without lines."""
    if isinstance(node, ScalarNode):
        return node.value
    if isinstance(node, SequenceNode):
        return [plain(item) for item in node.items]
    return {key: plain(value) for key, value in node.fields.items()}


def lines(node: Node, path: str = "") -> Iterator[tuple[str, int]]:
    """The path of each value, as in `spec.sources[0].uri`, and its line."""
    yield path, node.line
    if isinstance(node, SequenceNode):
        for index, item in enumerate(node.items):
            yield from lines(item, f"{path}[{index}]")
    elif isinstance(node, MappingNode):
        for key, value in node.fields.items():
            yield from lines(value, _child(path, key))


@dataclass
class _Builder:
    """Builds nodes from a parser's events. Problems that need not stop the reading gather in `problems`."""

    events: Iterator[Any]
    problems: list[Problem] = field(default_factory=list)
    _anchors: dict[str, tuple[Node, int]] = field(default_factory=dict)  # each with the count of its values
    _values: int = 0

    def documents(self) -> Iterator[Node]:
        for event in self.events:
            if isinstance(event, DocumentStartEvent):
                self._anchors = {}
                document = self._node(next(self.events), "", 0)
                if not isinstance(document, ScalarNode) or document.value is not None:
                    yield document

    def _node(self, event: NodeEvent, path: str, depth: int) -> Node:
        line = event.start_mark.line + 1
        if depth > MAX_DEPTH:
            raise InvalidYaml([Problem(line, "", f"more than {MAX_DEPTH} collections are nested")])
        if isinstance(event, AliasEvent):
            return self._anchored(event.anchor, line)
        before = self._values
        self._count(1, line)
        node: Node
        if isinstance(event, ScalarEvent):
            node = ScalarNode(line, event.value, self._meaning(event, path))
        elif isinstance(event, SequenceStartEvent):
            self._check_tag(event, path, _COLLECTION_TAGS)
            node = SequenceNode(line, tuple(self._items(path, depth + 1)))
        else:
            assert isinstance(event, CollectionStartEvent)
            self._check_tag(event, path, _COLLECTION_TAGS)
            node = MappingNode(line, self._fields(path, depth + 1))
        if event.anchor:
            self._anchors[event.anchor] = node, self._values - before
        return node

    def _items(self, path: str, depth: int) -> Iterator[Node]:
        index = 0
        while not isinstance(event := next(self.events), SequenceEndEvent):
            yield self._node(event, f"{path}[{index}]", depth)
            index += 1

    def _fields(self, path: str, depth: int) -> dict[str, Node]:
        fields: dict[str, Node] = {}
        merged: dict[str, Node] = {}
        while not isinstance(event := next(self.events), MappingEndEvent):
            key = self._node(event, path, depth)
            if not isinstance(key, ScalarNode):
                raise InvalidYaml([Problem(key.line, path, "a key must be a text")])
            line, child = event.start_mark.line + 1, _child(path, key.text)
            value = self._node(next(self.events), child, depth)
            if key.text == _MERGE and event.implicit[0]:
                merged |= self._merged(value, line, child)
                continue
            if key.text in fields:
                self.problems.append(Problem(line, child, "appears twice"))
            fields[key.text] = replace(value, line=line)
        return merged | fields

    def _merged(self, value: Node, line: int, path: str) -> dict[str, Node]:
        """The fields of a mapping, or of several, the first of which prevails."""
        fields: dict[str, Node] = {}
        for each in reversed(value.items if isinstance(value, SequenceNode) else (value,)):
            if isinstance(each, MappingNode):
                fields |= each.fields
            else:
                self.problems.append(Problem(line, path, "only mappings can be merged"))
        return fields

    def _anchored(self, anchor: str, line: int) -> Node:
        if anchor not in self._anchors:
            raise InvalidYaml([Problem(line, "", f"the alias {anchor} has no anchor before it")])
        node, values = self._anchors[anchor]
        self._count(values, line)
        return replace(node, line=line)

    def _count(self, values: int, line: int) -> None:
        self._values += values
        if self._values > MAX_VALUES:
            raise InvalidYaml([Problem(line, "", f"there are more than {MAX_VALUES} values, with aliases")])

    def _meaning(self, event: ScalarEvent, path: str) -> PlainScalar:
        self._check_tag(event, path, _TEXT_TAGS + _PLAIN_TAGS)
        is_plain = event.implicit[0] if event.tag is None else event.tag in _PLAIN_TAGS
        return _plain_scalar(event.value) if is_plain else str(event.value)

    def _check_tag(self, event: _Tagged, path: str, allowed: Sequence[str]) -> None:
        if event.tag is not None and event.tag not in allowed:
            line = event.start_mark.line + 1
            self.problems.append(Problem(line, path, f"the tag {event.tag} is not allowed"))


def _child(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _plain_scalar(text: str) -> PlainScalar:
    if text in _WORDS:
        return _WORDS[text]
    if len(text) > _LONGEST_NUMBER:
        return text
    if _INTEGER.fullmatch(text):
        return _integer(text)
    if _FLOAT.fullmatch(text):
        return float(text.replace("_", ""))
    return float(text.replace(".", "")) if _NOT_FINITE.fullmatch(text) else text


def _integer(text: str) -> int:
    digits = text.lstrip("+-").replace("_", "")
    base = {"0b": 2, "0x": 16}.get(digits[:2], 8 if digits.startswith("0") else 10)
    return int(digits, base) * (-1 if text.startswith("-") else 1)
