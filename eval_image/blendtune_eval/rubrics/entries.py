"""YAML mappings read field by field; what is not as it should be becomes a fault with its line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import isfinite, nan

from blendtune_documents.yaml_lines import MappingNode, Node, ScalarNode, SequenceNode


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    line: int  # from 1; 0 where the fault has no line
    where: str
    message: str

    def __str__(self) -> str:
        place = f":{self.line}" if self.line else ""
        return f"{place}: {self.where}: {self.message}"


class InvalidRubric(ValueError):
    """A rubric that cannot be used. `faults` holds all that was found, in the order of the file."""

    def __init__(self, file: str, faults: Iterable[Fault]) -> None:
        self.faults = tuple(sorted(faults))
        super().__init__("\n".join(f"{file}{fault}" for fault in self.faults))


class FaultList:
    """Gathers faults while reading goes on. `first_line` is how far down its file the YAML text starts."""

    def __init__(self, first_line: int = 0) -> None:
        self.faults: list[Fault] = []
        self._first_line = first_line

    def line(self, node: Node) -> int:
        """Line of the file, from 1, on which the value stands."""
        return self._first_line + node.line

    def add(self, line: int, where: str, message: str) -> None:
        self.faults.append(Fault(line, where, message))


class Entry:
    """A YAML mapping being read: its fields are taken one by one, and those never asked for are faults."""

    def __init__(self, faults: FaultList, node: Node, where: str) -> None:
        self._faults = faults
        self.where = where
        self.line = faults.line(node)
        self.fields: dict[str, Node] = {}
        if isinstance(node, MappingNode):
            self.fields |= node.fields
        else:
            self.fault("must be a mapping of fields")

    def fault(self, message: str, node: Node | None = None) -> None:
        line = self._faults.line(node) if node is not None else self.line
        self._faults.add(line, self.where, message)

    def text(self, name: str, *, default: str | None = None, pattern: str = "") -> str:
        """A scalar as it is written, so that `no` and `1.0` stay text."""
        node = self._take(name, required=default is None)
        if node is None:
            return default or ""
        if not isinstance(node, ScalarNode) or not node.text.strip() or node.value is None:
            self.fault(f"{name} must be text", node)
            return ""
        value = node.text.strip()
        if pattern and not re.match(pattern, value):
            self.fault(f"{name} must be lower-case letters, digits and dashes, not {value!r}", node)
        return value

    def texts(self, name: str, *, required: bool = False) -> tuple[str, ...]:
        texts = []
        for node in self.items(name, required=required):
            if isinstance(node, ScalarNode) and node.text.strip():
                texts.append(node.text.strip())
            else:
                self.fault(f"{name} must be a list of texts", node)
        return tuple(texts)

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
        if not isinstance(node, ScalarNode) or not isinstance(node.value, bool):
            self.fault(f"{name} must be true or false", node)
            return False
        return node.value

    def items(self, name: str, *, required: bool) -> Sequence[Node]:
        node = self._take(name, required=required)
        if node is None:
            return ()
        if not isinstance(node, SequenceNode) or (required and not node.items):
            self.fault(f"{name} must be a list{' of at least one' if required else ''}", node)
            return ()
        return node.items

    def entries(self, name: str) -> list[Entry]:
        """The mappings of a list of at least one."""
        return [Entry(self._faults, node, self.where) for node in self.items(name, required=True)]

    def done(self) -> None:
        for name, node in self.fields.items():
            self.fault(f"unknown field {name}", node)

    def _take(self, name: str, *, required: bool) -> Node | None:
        if required and name not in self.fields:
            self.fault(f"{name} is missing")
        return self.fields.pop(name, None)

    def _float(self, name: str, node: Node) -> float:
        try:
            value = float(node.text.replace("_", "")) if isinstance(node, ScalarNode) else nan
        except ValueError:
            value = nan
        if not isfinite(value):
            self.fault(f"{name} must be a number", node)
            return 0.0
        return value
