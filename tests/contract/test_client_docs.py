"""docs/client.md shows what the commands print, and completion and parser know all of them."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterator

import pytest
from docs.client import PAGE, page

from blendtune_operator.cli.choices import Shell
from blendtune_operator.cli.completion import script
from blendtune_operator.cli.parser import build_parser
from blendtune_operator.client.rights import RIGHTS

HEAVY = ("aiohttp", "jinja2", "kubernetes", "kopf", "numpy", "rich", "torch", "transformers", "yaml")


def commands() -> Iterator[str]:
    for action in build_parser()._actions:
        if isinstance(action, argparse._SubParsersAction):
            yield from action.choices


def test_the_page_shows_what_the_commands_print() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert page(text) == text, "run `make generate`"
    assert "step 26/52" in text


def test_every_command_at_a_cluster_is_in_the_tables() -> None:
    elsewhere = {"run", "study", "validate", "estimate", "render", "rubric", "crds", "completion"}
    assert set(RIGHTS) == set(commands()) - elsewhere


@pytest.mark.parametrize("words", [["--help"], ["submit", "--help"], ["completion", "bash"]], ids=" ".join)
def test_what_must_be_quick_imports_nothing_that_is_slow(words: list[str]) -> None:
    program = (
        "import sys\n"
        "from blendtune_operator.cli.main import main\n"
        "try:\n    main(sys.argv[1:])\n"
        "except SystemExit:\n    pass\n"
        f"print([name for name in {HEAVY} if name in sys.modules], file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *words], capture_output=True, text=True, timeout=120, check=True
    )
    slow = ["rich"] if words[0] == "completion" else []
    assert done.stderr.strip() == str(slow)
    assert done.stdout


@pytest.mark.parametrize("shell", list(Shell))
def test_completion_knows_every_command(shell: Shell) -> None:
    text = script(shell)
    assert all(name in text for name in commands())
    assert "gates finished" in text


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("blendtune sus", ["suspend"]),
        ("blendtune wait ads --for g", ["gates"]),
        ("blendtune logs --sta", ["--stage"]),
        ("blendtune completion ", ["bash", "zsh", "fish"]),
        ("kubectl-blendtune st", ["status", "study"]),
    ],
)
def test_bash_completes(typed: str, completed: list[str]) -> None:
    *words, last = typed.split(" ")
    quoted = " ".join(f"'{word}'" for word in (*words, last))
    asked = (
        f"COMP_WORDS=({quoted}); COMP_CWORD={len(words)}; _blendtune; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    )
    done = subprocess.run(
        ["bash", "-c", f"{script(Shell.BASH)}\n{asked}"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.split() == completed
