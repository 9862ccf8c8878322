"""`python -m blendtune_eval check-rubric | evaluate`: the programs of the evaluation image."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from blendtune_api.contract import RubricResult
from blendtune_eval.check_rubric import announce, check_alone, check_run_rubric, explain
from blendtune_eval.loader import load_builtin, load_file
from blendtune_eval.program import run_program


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    if options.command == "evaluate":
        from blendtune_eval.evaluate import evaluate

        return run_program(lambda: evaluate(os.environ))
    if options.file is None and options.builtin is None:
        return run_program(lambda: check_run_rubric(os.environ))
    return run_program(lambda: _check_alone(options))


def _check_alone(options: argparse.Namespace) -> RubricResult:
    load = partial(load_file, options.file) if options.file else partial(load_builtin, options.builtin)
    rubric = check_alone(load)
    if options.answer:
        explain(rubric, *options.answer)
    return announce(rubric)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="blendtune_eval", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    check = commands.add_parser("check-rubric", help="validate a rubric; without options, that of the run")
    which = check.add_mutually_exclusive_group()
    which.add_argument("--file", type=Path, help="a rubric file, outside of any run")
    which.add_argument("--builtin", help="a rubric that ships with Blendtune")
    check.add_argument(
        "--answer", nargs=2, metavar=("QUESTION", "TEXT"), help="show how an answer would be scored"
    )
    commands.add_parser("evaluate", help="answer, score and compare, as the pinned configuration says")
    return parser


if __name__ == "__main__":
    sys.exit(main())
