"""Every command of the documentation that needs no cluster is run as it stands there."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from tests.docs_commands import ROOT, Command, commands

from blendtune_operator.cli.main import main

# Each is run by tests of its own.
RUN_ELSEWHERE = frozenset({"run", "study", "compare", "grade"})
# Tried on a cluster by tests/e2e/test_docs.py and test_first_run.py.
OF_A_CLUSTER = ("kubectl", "helm", "curl")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The present folder, with the files that the commands name."""
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    for name in ("run.yaml", "manifest.yaml", "vicuna-13b.yaml"):
        shutil.copy(ROOT / "examples/paper/33b-blend.yaml", tmp_path / name)
    question = {
        "question_id": 1,
        "category": "writing",
        "turns": ["Name a river."],
        "reference": ["The Rhine."],
    }
    (tmp_path / "questions.jsonl").write_text(json.dumps(question) + "\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_each_is_tried_somewhere() -> None:
    programs = {command.program for command in commands()}
    assert programs <= {"blendtune", "make", *OF_A_CLUSTER}


@pytest.mark.parametrize(
    "command",
    [each for each in commands("blendtune") if not RUN_ELSEWHERE.intersection(each.words[1:3])],
    ids=str,
)
def test_it_runs(command: Command, folder: Path) -> None:
    if "rubric.yaml" in command.words and not {"new", "import"} & set(command.words):
        assert main(["rubric", "new", "rubric.yaml"]) == 0
    assert main(command.words[1:]) == 0
    assert all((folder / word).exists() for word in command.words if word.endswith(".yaml"))


@pytest.mark.parametrize(
    "command", [each for each in commands("kubectl") if {"-w", "--watch"} & {*each.words}], ids=str
)
def test_what_is_watched_is_of_one_type(command: Command) -> None:
    """kubectl refuses to watch several, and the tests on a cluster leave the option out."""
    verb, kinds = command.words[1:3]
    assert verb == "get"
    assert "," not in kinds


@pytest.mark.parametrize("command", commands("make"), ids=str)
def test_make_knows_it(command: Command) -> None:
    assert re.search(rf"^{command.words[1]}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
