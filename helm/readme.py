"""Writes the table of values into the chart's README: `python helm/readme.py`.

What stands behind `# --` above a key of values.yaml describes it, with all that is below it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

CHART = Path(__file__).parent / "blendtune"
_BEGIN, _END = "<!-- values -->\n", "<!-- end of values -->\n"
_KEY = re.compile(r"( *)(\w+):")
_DESCRIPTION = re.compile(r" *# -- (.*)")


@dataclass(frozen=True, slots=True)
class Value:
    """A documented value: its path, what it is, and its default."""

    path: tuple[str, ...]
    description: str
    default: Any


def documented(text: str) -> Iterator[Value]:
    """The documented values of a values.yaml, in their order."""
    values = yaml.safe_load(text)
    parents: list[tuple[int, str]] = []
    description = ""
    for line in text.splitlines():
        if found := _DESCRIPTION.fullmatch(line):
            description = found[1]
        elif key := _KEY.match(line):
            indent = len(key[1])
            parents = [*((depth, name) for depth, name in parents if depth < indent), (indent, key[2])]
            if description:
                path = tuple(name for _, name in parents)
                yield Value(path, description, _at(values, path))
            description = ""


def readme(text: str, values: str) -> str:
    """The README with its table renewed. Raises ValueError where the README has no place for it."""
    before, begin, rest = text.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not begin or not end:
        raise ValueError(f"README.md: the table goes between {_BEGIN.strip()!r} and {_END.strip()!r}")
    rows = "".join(
        f"| `{'.'.join(value.path)}` | {value.description} | `{json.dumps(value.default)}` |\n"
        for value in documented(values)
    )
    return f"{before}{begin}| Value | Meaning | Default |\n|---|---|---|\n{rows}{end}{after}"


def _at(values: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        values = values[name]
    return values


def main() -> None:
    file = CHART / "README.md"
    text = readme(file.read_text(encoding="utf-8"), (CHART / "values.yaml").read_text(encoding="utf-8"))
    file.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
