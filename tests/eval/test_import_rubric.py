"""Rows of benchmarks are imported as rubrics."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from blendtune_api.contract import ExitCode
from blendtune_api.v1alpha1 import Role
from blendtune_eval.__main__ import main
from blendtune_eval.rubric import Fact, Number
from blendtune_eval.rubrics.import_rubric import import_rows
from blendtune_eval.rubrics.loader import load_file, parse

CAPITAL = {"question": "What is the capital of France?", "answer": "Paris"}


def imported(*rows: Any) -> Any:
    return import_rows([json.dumps(row) for row in rows], "rows", Role.GENERAL)


@pytest.mark.parametrize(
    ("row", "criterion"),
    [
        pytest.param(CAPITAL, Fact(name="answer", any_of=("Paris",), required=True), id="short answer"),
        pytest.param(
            {"turns": ["How many legs has a spider?"], "reference": ["8"], "category": "Life & Such"},
            Number(name="answer", value=8, required=True),
            id="MT-Bench",
        ),
        pytest.param(
            {"question": "What do they cost in all?", "answer": "9 * 2 = 18, so they cost 18.\n#### 1,018"},
            Number(name="answer", value=1018, required=True),
            id="worked solution",
        ),
        pytest.param(
            {"doc": {"question": "What does the cup cost?"}, "target": "$4.50", "resps": [["four"]]},
            Number(name="answer", value=4.5, unit="dollars", required=True),
            id="logged sample",
        ),
        pytest.param(
            {"doc": {"question": "How many are left?", "answer": "5"}, "target": 0},
            Number(name="answer", value=0, required=True),
            id="a target of zero",
        ),
        pytest.param(
            {"prompt": "How long is the table?", "target": "120 cm"},
            Number(name="answer", value=120, unit="cm", required=True),
            id="unit",
        ),
    ],
)
def test_decidable_answers_become_criteria(row: dict[str, Any], criterion: Fact | Number) -> None:
    found = imported(row)
    assert found.left_out == ()
    (question,) = parse(found.text, "rows.yaml").questions
    assert question.criteria == (criterion,)
    assert question.domain is Role.GENERAL


@pytest.mark.parametrize(
    ("row", "words"),
    [
        pytest.param({"turns": ["A?", "And B?"], "reference": ["1", "2"]}, "has 2 turns", id="turns"),
        pytest.param({"turns": ["Write a poem."]}, "no reference answer", id="no reference"),
        pytest.param({"question": "Which?", "choices": ["a", "b"], "answer": 1}, "choices", id="choices"),
        pytest.param({"question": "Why?", "answer": "Because it was so"}, "more than 3 words", id="long"),
        pytest.param({"text": "some"}, "needs one question", id="neither"),
        pytest.param(
            {"question": "We saw Rome. Which city?", "answer": "Rome"}, "only repeats", id="gives itself away"
        ),
        pytest.param([1], "no JSON object", id="list"),
        pytest.param(CAPITAL, "stands in an earlier line", id="twice"),
    ],
)
def test_what_cannot_be_mapped_is_listed(row: Any, words: str) -> None:
    found = imported(CAPITAL, row)
    assert found.questions == 1
    ((line, reason),) = found.left_out
    assert line == 2
    assert words in reason


def test_a_file_becomes_a_rubric(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows, file = tmp_path / "Rows 1.jsonl", tmp_path / "rubric.yaml"
    rows.write_text(json.dumps(CAPITAL) + "\n{\n")
    assert main(["import", str(rows), "--domain", "general", "-o", str(file)]) == ExitCode.SUCCESS
    assert load_file(file).name == "rows-1"
    shown = capsys.readouterr().out
    assert f"{rows}:2: left out: is no JSON" in shown
    assert "holds 1 questions; 1 rows were left out" in shown


@pytest.mark.parametrize("separator", ["\u2028", "\u0085"], ids=["U+2028", "U+0085"])
def test_only_line_feeds_end_a_row(tmp_path: Path, separator: str) -> None:
    rows, file = tmp_path / "rows.jsonl", tmp_path / "rubric.yaml"
    asked = {"question": f"Which city{separator}is the seat?", "answer": "Ulm"}
    text = "\r\n".join(json.dumps(row, ensure_ascii=False) for row in (asked, CAPITAL))
    rows.write_text(text, encoding="utf-8-sig", newline="")
    assert main(["import", str(rows), "--domain", "general", "-o", str(file)]) == ExitCode.SUCCESS
    assert [question.id for question in load_file(file).questions] == ["rows-1", "rows-2"]


def test_a_file_without_any_question_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows, file = tmp_path / "rows.jsonl", tmp_path / "rubric.yaml"
    rows.write_text('{"turns": ["Write a poem."]}\n')
    assert main(["import", str(rows), "--domain", "general", "-o", str(file)]) == ExitCode.BAD_CONFIGURATION
    assert not file.exists()
    assert "no row has a question" in capsys.readouterr().err
