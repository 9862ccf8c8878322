"""The command `blendtune`: run, check and render manifests without a cluster, and print the CRDs."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from blendtune_api.generate import crd_files
from blendtune_operator.local.check import check, children
from blendtune_operator.local.exit_status import ExitStatus
from blendtune_operator.local.manifest import ManifestError, load
from blendtune_operator.local.output import OutputFormat, to_yaml
from blendtune_operator.local.run import run


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit status: see ExitStatus."""
    parsed = _parser().parse_args(arguments)
    console = Console(stderr=True)
    try:
        return int(parsed.command(parsed, console))
    except ManifestError as error:
        for fault in error.faults:
            console.print(fault, style="red", highlight=False, soft_wrap=True, markup=False)
        return int(ExitStatus.BAD_INPUT)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="blendtune",
        description="Fine-tune a language model on a declared blend; prove what it gained and forgot.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    run = commands.add_parser("run", help="run manifests on this machine, without a cluster")
    _add_files(run)
    run.add_argument("--workdir", type=Path, help="where everything is kept (default: runs/<name>)")
    run.add_argument(
        "-o", "--output", type=OutputFormat, choices=list(OutputFormat), help="print the final objects"
    )
    run.add_argument(
        "--metrics-port", type=int, default=9400, help="port of /metrics on 127.0.0.1; 0 takes a free one"
    )
    run.set_defaults(command=_run)

    validate = commands.add_parser("validate", help="check manifests and rubric, run nothing")
    _add_files(validate)
    validate.set_defaults(command=_validate)

    render = commands.add_parser("render", help="print the children of the objects as YAML for kubectl")
    _add_files(render)
    render.set_defaults(command=_render)

    crds = commands.add_parser("crds", help="print the custom resource definitions")
    crds.set_defaults(command=_crds)
    return parser


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


def _run(parsed: argparse.Namespace, console: Console) -> ExitStatus:
    manifests = load(parsed.files)
    workdir = parsed.workdir or Path("runs") / manifests.objects[0].metadata.name
    return run(manifests, workdir.resolve(), console, parsed.metrics_port, parsed.output)


def _validate(parsed: argparse.Namespace, console: Console) -> ExitStatus:
    manifests = load(parsed.files)
    check(manifests)
    for object in manifests.objects:
        console.print(f"{type(object).__name__} {object.metadata.name} is valid", highlight=False)
    return ExitStatus.SUCCESS


def _render(parsed: argparse.Namespace, console: Console) -> ExitStatus:
    del console
    sys.stdout.write(to_yaml([child for object in load(parsed.files).objects for child in children(object)]))
    return ExitStatus.SUCCESS


def _crds(parsed: argparse.Namespace, console: Console) -> ExitStatus:
    del parsed, console
    sys.stdout.write("---\n".join(crd_files().values()))
    return ExitStatus.SUCCESS


if __name__ == "__main__":
    raise SystemExit(main())
