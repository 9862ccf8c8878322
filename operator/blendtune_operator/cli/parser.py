"""The command line of `blendtune`: its commands and their arguments.

Nothing is imported here but what arguments are made of: `--help` and shell completion must be quick.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from blendtune_operator.cli.arguments import (
    Commands,
    add_cluster,
    add_command,
    add_files,
    add_output,
    add_reader,
    positive,
)
from blendtune_operator.cli.choices import Awaited, Shell


def build_parser(program: str = "blendtune") -> argparse.ArgumentParser:
    """Each command sets `module` and `function`: where what carries it out is, within this package."""
    parser = argparse.ArgumentParser(
        prog=program,
        description="Fine-tune a language model on a declared blend; prove what it gained and forgot.",
    )
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_following(subparsers)
    _add_steering(subparsers)
    _add_looking(subparsers)
    _add_runs(subparsers)
    _add_checks(subparsers)
    _add_reports(subparsers)
    _add_others(subparsers)
    return parser


def commands() -> dict[str, argparse.ArgumentParser]:
    """The parser of each command, by its name."""
    (subparsers,) = (
        action for action in build_parser()._actions if isinstance(action, argparse._SubParsersAction)
    )
    return dict(subparsers.choices)


def _add_following(subparsers: Commands) -> None:
    """What starts runs at the cluster, and tells how far they are."""
    submit = add_command(
        subparsers, "submit", "check manifests, apply them to the cluster, and follow them", "cluster.submit"
    )
    add_files(submit)
    submit.add_argument("--no-follow", action="store_true", help="return once they are applied")
    add_cluster(submit)

    status = add_command(
        subparsers, "status", "tell what runs at the cluster, and how far it is", "cluster.status"
    )
    status.add_argument("name", nargs="?", metavar="NAME", help="a run, evaluation or study (default: all)")
    status.add_argument("-w", "--watch", action="store_true", help="go on until it has ended")
    add_output(status, "print the objects")
    add_cluster(status)

    wait = add_command(
        subparsers, "wait", "wait at the cluster until gates are judged, or for the end", "cluster.status"
    )
    _add_name(wait)
    wait.add_argument(
        "--for",
        dest="awaited",
        type=Awaited,
        choices=list(Awaited),
        default=Awaited.FINISHED,
        help="what to wait for (default: %(default)s)",
    )
    wait.add_argument(
        "--timeout", type=positive, metavar="SECONDS", help="give up after this time (default: never)"
    )
    add_cluster(wait)

    logs = add_command(subparsers, "logs", "print the logs of a run's pods, all ranks", "cluster.logs")
    _add_name(logs)
    logs.add_argument("-f", "--follow", action="store_true", help="go on until the run has ended")
    logs.add_argument(
        "--stage",
        choices=("rehearse", "blend", "train", "eval"),
        help="the stage (default: the one under way, or the last)",
    )
    add_cluster(logs)


def _add_steering(subparsers: Commands) -> None:
    for name, help in (
        ("suspend", "stop a run after a checkpoint, and free its GPUs"),
        ("resume", "let a suspended run go on"),
        ("retry", "run the failed stage of a run again"),
    ):
        parser = add_command(subparsers, name, help, "cluster.steering")
        _add_name(parser)
        add_cluster(parser)


def _add_looking(subparsers: Commands) -> None:
    """What shows the files of a run at the cluster, and all runs as a page."""
    cp = add_command(subparsers, "cp", "copy a run's model, or another part of its workspace", "cluster.cp")
    cp.add_argument("source", metavar="NAME:PATH", help="such as ads:model, ads:adapter or ads:eval")
    cp.add_argument("target", type=Path, metavar="DIR", help="a folder that does not exist, or is empty")
    add_reader(cp)
    add_cluster(cp)

    ui = add_command(
        subparsers, "ui", "show all runs and studies on a page that changes with them", "ui.command"
    )
    ui.add_argument(
        "folder", type=Path, nargs="?", metavar="DIR", help="a folder of local runs (default: the cluster)"
    )
    ui.add_argument("--port", type=int, default=8765, help="port on 127.0.0.1; 0 takes a free one")
    ui.add_argument("--no-browser", action="store_true", help="print the address, and open nothing")
    add_cluster(ui)


def _add_runs(subparsers: Commands) -> None:
    for name, help in (
        ("run", "run manifests on this machine, without a cluster"),
        ("study", "run a BlendStudy on this machine, one run after the other"),
    ):
        parser = add_command(subparsers, name, help, "local_commands")
        add_files(parser)
        parser.add_argument("--workdir", type=Path, help="where everything is kept (default: runs/<name>)")
        add_output(parser, "print the final objects")
        parser.add_argument(
            "--metrics-port",
            type=int,
            default=9400,
            help="port of /metrics on 127.0.0.1; 0 takes a free one",
        )


def _add_checks(subparsers: Commands) -> None:
    validate = add_command(subparsers, "validate", "check manifests and rubric, run nothing", "commands")
    add_files(validate)
    validate.add_argument(
        "--pilot",
        type=Path,
        metavar="FILE",
        help="an earlier run whose spread says what the gates can tell apart: its report.json, or its object "
        "with the status (default: what a local run of the same name has left in runs/)",
    )
    _add_estimate(subparsers)
    add_files(
        add_command(subparsers, "render", "print the children of the objects as YAML for kubectl", "commands")
    )


def _add_estimate(subparsers: Commands) -> None:
    parser = add_command(
        subparsers, "estimate", "tell memory, number of GPUs, time and disk of a training", "commands"
    )
    add_files(parser)
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
        "--mfu", type=_share, help="assumed share of the peak FLOP/s (docs/sizing.md has the default)"
    )
    add_output(parser, "print it for programs")


def _add_reports(subparsers: Commands) -> None:
    report = add_command(
        subparsers, "report", "open the report of a run at the cluster, or write a local one again", "reading"
    )
    report.add_argument(
        "subject", metavar="NAME|DIR", help="a run at the cluster; or a local report's folder"
    )
    report.add_argument("-o", "--output", type=Path, metavar="FILE", help="write it there, open no browser")
    add_reader(report)
    add_cluster(report)

    compare = add_command(subparsers, "compare", "put several evaluations side by side", "reading")
    compare.add_argument(
        "reports",
        nargs="+",
        metavar="REPORT",
        help="a run at the cluster; or a report.json, its folder, a run's workspace, or a --workdir, which "
        "stands for all its runs",
    )
    compare.add_argument(
        "-o", "--output", dest="page", type=Path, metavar="FILE.html", help="write it as a page too"
    )
    compare.add_argument(
        "--common",
        action="store_true",
        help="where rubrics differ, compare the questions that all were asked",
    )
    add_reader(compare)
    add_cluster(compare)


def _add_others(subparsers: Commands) -> None:
    rubric = add_command(
        subparsers,
        "rubric",
        "for people who write a rubric: lint, new, preview, import, grade",
        "reading",
    )
    rubric.add_argument("tool", choices=["lint", "new", "preview", "import", "grade"])
    rubric.add_argument(
        "arguments", nargs=argparse.REMAINDER, metavar="...", help="`blendtune rubric lint --help` lists them"
    )
    add_command(subparsers, "crds", "print the custom resource definitions", "commands")
    completion = add_command(
        subparsers, "completion", "print what makes a shell complete this command", "completion"
    )
    completion.add_argument("shell", type=Shell, choices=list(Shell))


def _add_name(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="of the run; KIND/NAME where several kinds have it")


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
