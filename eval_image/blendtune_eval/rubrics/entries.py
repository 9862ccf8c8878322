"""YAML mappings read field by field, with a fault and its line for all that is not as it should be."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import yaml


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


class FaultList:
    """Gathers faults while reading goes on. `first_line` is how far down its file the YAML text starts."""

    def __init__(self, first_line: int = 0) -> None:
        self.faults: list[Fault] = []
        self._first_line = first_line

    def line(self, node: yaml.Node) -> int:
        """Line of the file, from 1, on which the node starts."""
        return int(self._first_line + node.start_mark.line + 1)

    def add(self, line: int, where: str, message: str) -> None:
        self.faults.append(Fault(line, where, message))


class Entry:
    """A YAML mapping being read: its fields are taken one by one, and those never asked for are faults."""

    def __init__(self, faults: FaultList, node: yaml.Node, where: str) -> None:
        self._faults = faults
        self.where = where
        self.line = faults.line(node)
        self.fields: dict[str, yaml.Node] = {}
        if not isinstance(node, yaml.MappingNode):
            self.fault("must be a mapping of fields")
            return
        for key, value in node.value:
            if key.value in self.fields:
                self.fault(f"the field {key.value} appears twice", key)
            self.fields[key.value] = value

    def fault(self, message: str, node: yaml.Node | None = None) -> None:
        line = self._faults.line(node) if node is not None else self.line
        self._faults.add(line, self.where, message)

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
