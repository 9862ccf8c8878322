"""Rows, and changes of a spec, for tests of the blend program."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from blendtune_runtime.errors import StageError
from blendtune_trainer.prepare import prepare
from blendtune_trainer.stage import Run

SEQUENCE_LENGTH = 256
Change = Callable[[dict[str, Any]], object]


def rows(count: int, topic: str, words: int) -> list[dict[str, Any]]:
    """Rows in chat format, whose answers have so many words."""
    return [
        {
            "messages": [
                {"role": "user", "content": f"Question {number} about {topic}?"},
                {"role": "assistant", "content": " ".join([f"{topic}{number}"] * words)},
            ]
        }
        for number in range(count)
    ]


def write_rows(path: Path, content: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in content))


def edit(path: str, value: object) -> Change:
    """Sets the value at a dotted path of the spec's document; numbers index lists."""

    def change(document: Any) -> None:
        *parents, last = (int(part) if part.isdigit() else part for part in path.split("."))
        for part in parents:
            document = document[part] if isinstance(part, int) else document.setdefault(part, {})
        document[last] = value

    return change


def refusal_of(run: Run, kind: type[StageError]) -> StageError:
    """The error of exactly this kind with which a run is refused. It leaves no blend."""
    with pytest.raises(kind) as raised:
        prepare(run)
    assert raised.type is kind
    assert not run.workspace.blend.exists()
    return raised.value


def write_rubric(run: Run, domain: str, prompt: str) -> None:
    """A checked rubric of one question."""
    run.workspace.root.mkdir(parents=True, exist_ok=True)
    question = {"id": "q1", "domain": domain, "prompt": prompt}
    run.workspace.rubric.write_text(json.dumps({"questions": [question]}))
