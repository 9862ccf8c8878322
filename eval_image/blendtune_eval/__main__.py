"""`python -m blendtune_eval COMMAND`: the programs of the evaluation image."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from blendtune_api.contract import ExitCode, RubricResult
from blendtune_api.v1alpha1 import Role
from blendtune_eval.check_rubric import announce, check_alone, check_run_rubric
from blendtune_eval.rubric_tools import import_file, lint, new, preview
from blendtune_eval.rubrics.loader import load_builtin, load_file
from blendtune_runtime.errors import StageError
from blendtune_runtime.program import run_program


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    if options.command == "evaluate":
        from blendtune_eval.evaluate import evaluate

        return run_program(lambda: evaluate(os.environ))
    if options.command in _TOOLS:
        return _run_tool(lambda: _TOOLS[options.command](options))
    if options.file is None and options.builtin is None:
        return run_program(lambda: check_run_rubric(os.environ))
    return run_program(lambda: _check_alone(options))


def _run_tool(tool: Callable[[], None]) -> int:
    """Runs a command that a person calls outside of any run, and returns the exit code."""
    try:
        tool()
    except StageError as error:
        print(error, file=sys.stderr, flush=True)
        return int(error.exit_code)
    return int(ExitCode.SUCCESS)


def _check_alone(options: argparse.Namespace) -> RubricResult:
    load = partial(load_file, options.file) if options.file else partial(load_builtin, options.builtin)
    return announce(check_alone(partial(load, general_from=options.general_from)))


def _lint(options: argparse.Namespace) -> None:
    announce(lint(options.file))


def _new(options: argparse.Namespace) -> None:
    new(options.file)


def _preview(options: argparse.Namespace) -> None:
    preview(options.rubric, options.question, options.answer, _template(options.model))


def _template(model: Path | None) -> Callable[[str], str]:
    if model is None:
        return str
    from blendtune_eval.answering.prompts import ChatPrompts

    return ChatPrompts(model, "--model").rendered


def _import(options: argparse.Namespace) -> None:
    import_file(options.file, options.output, Role(options.domain))


def _report(options: argparse.Namespace) -> None:
    from blendtune_eval.report.files import rebuild

    print(rebuild(options.folder), flush=True)


def _grade(options: argparse.Namespace) -> None:
    from blendtune_eval.report.grade import grade

    grade(options.folder, options.count, options.seed)


_TOOLS: Mapping[str, Callable[[argparse.Namespace], None]] = {
    "lint": _lint,
    "new": _new,
    "preview": _preview,
    "import": _import,
    "report": _report,
    "grade": _grade,
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="blendtune_eval", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    check = commands.add_parser("check-rubric", help="validate a rubric; without options, that of the run")
    which = check.add_mutually_exclusive_group()
    which.add_argument("--file", type=Path, help="a rubric file, outside of any run")
    which.add_argument("--builtin", help="a rubric that ships with Blendtune")
    check.add_argument("--general-from", default="", help="a built-in rubric for more general questions")
    commands.add_parser("evaluate", help="answer, score and compare, as the pinned configuration says")
    linted = commands.add_parser("lint", help="check a rubric file and warn of what looks doubtful")
    linted.add_argument("file", type=Path)
    begun = commands.add_parser("new", help="write a commented rubric to begin with")
    begun.add_argument("file", type=Path)
    shown = commands.add_parser("preview", help="show questions as they are asked, and how answers score")
    shown.add_argument("rubric", help="a rubric file, or the name of a built-in rubric")
    shown.add_argument("--question", metavar="ID", help="only this one")
    shown.add_argument("--answer", metavar="TEXT", help="an answer to it, to be judged by the rules")
    shown.add_argument(
        "--model", type=Path, metavar="DIR", help="model whose chat template renders the prompts"
    )
    imported = commands.add_parser("import", help="make a rubric of MT-Bench-like or lm-eval-style JSONL")
    imported.add_argument("file", type=Path)
    imported.add_argument("--domain", required=True, choices=list(Role), help="what the questions ask of")
    imported.add_argument("-o", "--output", type=Path, required=True, help="the rubric to write")
    graded = commands.add_parser("grade", help="grade answers yourself, to see how far the judge agrees")
    graded.add_argument("folder", type=Path, help="of a report, or of the run above it")
    graded.add_argument("--count", type=int, default=30, help="answers to grade (%(default)s)")
    graded.add_argument("--seed", type=int, default=1, help="of the choice (%(default)s)")
    rebuilt = commands.add_parser("report", help="write report.html again from report.json")
    rebuilt.add_argument("folder", type=Path)
    return parser


if __name__ == "__main__":
    sys.exit(main())
