"""The command line of `blendtune`: its commands and their arguments."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from blendtune_core.sizing.cost import ASSUMED_MFU
from blendtune_operator.cli import commands
from blendtune_operator.cli.exit_status import ExitStatus
from blendtune_operator.cli.output import OutputFormat

if TYPE_CHECKING:
    _Commands = argparse._SubParsersAction[argparse.ArgumentParser]
_Command = Callable[[argparse.Namespace, Console], ExitStatus]


def build_parser() -> argparse.ArgumentParser:
    """Each command sets `command`: a function of the parsed arguments and the console."""
    parser = argparse.ArgumentParser(
        prog="blendtune",
        description="Fine-tune a language model on a declared blend; prove what it gained and forgot.",
    )
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_runs(subparsers)
    _add_checks(subparsers)
    _add_evaluation_tools(subparsers)
    _add(subparsers, "crds", "print the custom resource definitions", commands.crds)
    return parser


def _add(subparsers: _Commands, name: str, help: str, command: _Command) -> argparse.ArgumentParser:
    parser = subparsers.add_parser(name, help=help)
    parser.set_defaults(command=command)
    return parser


def _add_runs(subparsers: _Commands) -> None:
    for name, help, command in (
        ("run", "run manifests on this machine, without a cluster", commands.run),
        ("study", "run a BlendStudy on this machine, one run after the other", commands.study),
    ):
        parser = _add(subparsers, name, help, command)
        _add_files(parser)
        parser.add_argument("--workdir", type=Path, help="where everything is kept (default: runs/<name>)")
        _add_output(parser, "print the final objects")
        parser.add_argument(
            "--metrics-port",
            type=int,
            default=9400,
            help="port of /metrics on 127.0.0.1; 0 takes a free one",
        )


def _add_checks(subparsers: _Commands) -> None:
    validate = _add(subparsers, "validate", "check manifests and rubric, run nothing", commands.validate)
    _add_files(validate)
    validate.add_argument(
        "--pilot",
        type=Path,
        metavar="FILE",
        help="an earlier run whose spread says what the gates can tell apart: its report.json, or its object "
        "with the status (default: what a local run of the same name has left in runs/)",
    )
    _add_estimate(subparsers)
    _add_files(
        _add(subparsers, "render", "print the children of the objects as YAML for kubectl", commands.render)
    )


def _add_estimate(subparsers: _Commands) -> None:
    parser = _add(
        subparsers, "estimate", "tell memory, number of GPUs, time and disk of a training", commands.estimate
    )
    _add_files(parser)
    parser.add_argument(
        "--model-config", type=Path, metavar="FILE", help="the model's config.json, where it is not at hand"
    )
    parser.add_argument(
        "--parameters", type=_count, metavar="N", help="parameters of the model, such as 6.7e9"
    )
    parser.add_argument(
        "--tokens", type=_count, metavar="N", help="tokens to train on, where the budget is in epochs"
    )
    parser.add_argument(
        "--mfu",
        type=_share,
        default=ASSUMED_MFU,
        help="assumed share of the peak FLOP/s (default: %(default)s)",
    )
    _add_output(parser, "print it for programs")


def _add_evaluation_tools(subparsers: _Commands) -> None:
    report = _add(subparsers, "report", "write a report's page again from its report.json", commands.report)
    report.add_argument("folder", metavar="DIR", help="folder of the report, or of its run")
    compare = _add(subparsers, "compare", "put several evaluations side by side", commands.compare)
    compare.add_argument(
        "reports",
        type=Path,
        nargs="+",
        metavar="REPORT",
        help="a report.json, its folder, a run's workspace, or a --workdir, which stands for all its runs",
    )
    compare.add_argument(
        "-o", "--output", dest="page", type=Path, metavar="FILE.html", help="write it as a page too"
    )
    compare.add_argument(
        "--common",
        action="store_true",
        help="where rubrics differ, compare the questions that all were asked",
    )
    rubric = _add(
        subparsers,
        "rubric",
        "for people who write a rubric: lint, new, preview, import, grade",
        commands.rubric,
    )
    rubric.add_argument("tool", choices=["lint", "new", "preview", "import", "grade"])
    rubric.add_argument(
        "arguments", nargs=argparse.REMAINDER, metavar="...", help="`blendtune rubric lint --help` lists them"
    )


def _add_output(parser: argparse.ArgumentParser, help: str) -> None:
    parser.add_argument("-o", "--output", type=OutputFormat, choices=list(OutputFormat), help=help)


def _add_files(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-f",
        "--file",
        dest="files",
        type=Path,
        action="append",
        required=True,
        metavar="FILE",
        help="a manifest, or a folder of manifests; may stand several times",
    )


def _count(text: str) -> int:
    number = float(text)
    if not 1 <= number < 1e18:
        raise argparse.ArgumentTypeError(f"{text} is no number from 1 to 10^18")
    return int(number)


def _share(text: str) -> float:
    number = float(text)
    if not 0 < number <= 1:
        raise argparse.ArgumentTypeError(f"{text} is no share above 0 and up to 1")
    return number
