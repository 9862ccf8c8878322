"""Every command of the documentation that needs no cluster is run as it stands there."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from tests.docs_commands import ROOT, Command, commands

from blendtune_operator.cli.main import main
from blendtune_operator.cli.parser import build_parser
from blendtune_operator.client.rights import RIGHTS

# Each is run by tests of its own.
RUN_ELSEWHERE = frozenset({"run", "study", "grade", *RIGHTS})
# Tried on a cluster by tests/e2e/test_docs.py and test_first_run.py.
OF_A_CLUSTER = ("kubectl", "helm", "curl")
INSTALLED = "pipx"  # as tests/contract/test_wheel.py does


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
    assert programs <= {"blendtune", "make", INSTALLED, *OF_A_CLUSTER}


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


@pytest.mark.parametrize(
    "command", [each for each in commands("blendtune") if RIGHTS.keys() & {*each.words[1:2]}], ids=str
)
def test_what_is_typed_at_a_cluster_can_be_typed(command: Command) -> None:
    build_parser().parse_args(command.words[1:])


def test_a_first_report_takes_six_commands() -> None:
    """From nothing to the open report; tests/e2e/test_first_run.py walks them."""
    walked = [each.words for each in commands() if each.page == "docs/first-run.md"]
    (last,) = (number for number, words in enumerate(walked, 1) if words[:2] == ("blendtune", "report"))
    assert last <= 6


@pytest.mark.parametrize("command", commands("make"), ids=str)
def test_make_knows_it(command: Command) -> None:
    assert re.search(rf"^{command.words[1]}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
