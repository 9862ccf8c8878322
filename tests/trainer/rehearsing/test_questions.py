"""The questions of a data set, whatever its rows look like."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from blendtune_api.v1alpha1 import Columns, RehearsalPrompts
from blendtune_runtime.errors import BadData
from blendtune_trainer.rehearsing.questions import read_questions


def questions(folder: Path, *rows: Any, columns: Columns | None = None) -> set[str]:
    file = folder / "claims" / "data" / "rows.jsonl"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    prompts = RehearsalPrompts(uri="pvc://data/rows.jsonl", columns=columns)
    return set(read_questions(prompts, folder / "claims", "prompts", seed=1))


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": "Why?"},
        {"prompt": "Why?", "completion": "So."},
        {"prompt": "Why?", "response": ""},
        {"instruction": "Why?"},
        {"question": "Why?", "id": 7},
        {"Question": " Why? "},
        {"messages": [{"role": "user", "content": "Why?"}]},
        {"messages": [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": "So."}]},
        {"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Why?"}]},
        {"conversations": [{"from": "human", "value": "Why?"}]},
        {
            "messages": [
                {"role": "user", "content": "Why?"},
                {"role": "assistant", "content": "So."},
                {"role": "user", "content": "How?"},
            ]
        },
    ],
)
def test_the_first_question_of_a_row(row: dict[str, Any], tmp_path: Path) -> None:
    assert questions(tmp_path, row) == {"Why?"}


def test_an_input_belongs_to_its_question(tmp_path: Path) -> None:
    assert questions(tmp_path, {"instruction": "Translate.", "input": "Haus"}) == {"Translate.\n\nHaus"}


def test_columns_of_other_names(tmp_path: Path) -> None:
    columns = Columns(prompt="Frage", response="Antwort")
    assert questions(tmp_path, {"Frage": "Warum?"}, columns=columns) == {"Warum?"}


def test_each_is_asked_once_and_what_is_none_is_left_out(tmp_path: Path) -> None:
    rows = [{"prompt": "Why?"}, {"prompt": "Why?"}, {"prompt": ""}, {"other": 1}, {"prompt": "\ud800"}]
    assert questions(tmp_path, *rows) == {"Why?"}


def test_rows_without_questions_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadData, match=r"prompts\.uri: pvc://data/rows\.jsonl holds no row with a question"):
        questions(tmp_path, {"text": "Once upon a time"})
