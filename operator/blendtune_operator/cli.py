"""The command `blendtune`: run, check, size and render manifests without a cluster, and print the CRDs."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from blendtune_api import codec
from blendtune_api.generate import crd_files
from blendtune_core.sizing.cost import ASSUMED_MFU
from blendtune_operator.local.check import check, check_study, children, print_warnings
from blendtune_operator.local.estimate import Known, estimates
from blendtune_operator.local.estimate_view import print_estimate
from blendtune_operator.local.evaluation_tool import evaluation_tool
from blendtune_operator.local.exit_status import ExitStatus
from blendtune_operator.local.manifest import ManifestError, holds_study, load, load_study
from blendtune_operator.local.output import OutputFormat, to_text, to_yaml
from blendtune_operator.local.run import run
from blendtune_operator.local.study import run_study
from blendtune_operator.settings import Settings, SettingsError


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
    _add_run_options(run)
    run.set_defaults(command=_run)

    study = commands.add_parser("study", help="run a BlendStudy on this machine, one run after the other")
    _add_files(study)
    _add_run_options(study)
    study.set_defaults(command=_study)

    validate = commands.add_parser("validate", help="check manifests and rubric, run nothing")
    _add_files(validate)
    validate.set_defaults(command=_validate)

    estimate = commands.add_parser(
        "estimate", help="tell memory, number of GPUs, time and disk of a training"
    )
    _add_files(estimate)
    estimate.add_argument(
        "--model-config", type=Path, metavar="FILE", help="the model's config.json, where it is not at hand"
    )
    estimate.add_argument(
        "--parameters", type=_count, metavar="N", help="parameters of the model, such as 6.7e9"
    )
    estimate.add_argument(
        "--tokens", type=_count, metavar="N", help="tokens to train on, where the budget is in epochs"
    )
    estimate.add_argument(
        "--mfu",
        type=_share,
        default=ASSUMED_MFU,
        help="assumed share of the peak FLOP/s (default: %(default)s)",
    )
    estimate.add_argument(
        "-o", "--output", type=OutputFormat, choices=list(OutputFormat), help="print it for programs"
    )
    estimate.set_defaults(command=_estimate)

    render = commands.add_parser("render", help="print the children of the objects as YAML for kubectl")
    _add_files(render)
    render.set_defaults(command=_render)

    report = commands.add_parser("report", help="write a report's page again from its report.json")
    report.add_argument("folder", metavar="DIR", help="folder of the report, or of its run")
    report.set_defaults(command=lambda parsed, _: evaluation_tool(["report", parsed.folder]))

    rubric = commands.add_parser("rubric", help="for people who write a rubric: lint, new, preview, import")
    rubric.add_argument("tool", choices=["lint", "new", "preview", "import"])
    rubric.add_argument(
        "arguments", nargs=argparse.REMAINDER, metavar="...", help="`blendtune rubric lint --help` lists them"
    )
    rubric.set_defaults(command=lambda parsed, _: evaluation_tool([parsed.tool, *parsed.arguments]))

    crds = commands.add_parser("crds", help="print the custom resource definitions")
    crds.set_defaults(command=_crds)
    return parser


def _add_run_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--workdir", type=Path, help="where everything is kept (default: runs/<name>)")
    parser.add_argument(
        "-o", "--output", type=OutputFormat, choices=list(OutputFormat), help="print the final objects"
    )
    parser.add_argument(
        "--metrics-port", type=int, default=9400, help="port of /metrics on 127.0.0.1; 0 takes a free one"
    )


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


def _run(parsed: argparse.Namespace, console: Console) -> ExitStatus:
    manifests = load(parsed.files)
    workdir = parsed.workdir or Path("runs") / manifests.objects[0].metadata.name
    return run(manifests, workdir.resolve(), console, parsed.metrics_port, parsed.output)


def _study(parsed: argparse.Namespace, console: Console) -> ExitStatus:
    manifest = load_study(parsed.files)
    workdir = parsed.workdir or Path("runs") / manifest.study.metadata.name
    return run_study(manifest, workdir.resolve(), console, parsed.metrics_port, parsed.output)


def _validate(parsed: argparse.Namespace, console: Console) -> ExitStatus:
    if holds_study(parsed.files):
        manifest = load_study(parsed.files)
        print_warnings(check_study(manifest, to_run_here=False), console)
        console.print(f"BlendStudy {manifest.study.metadata.name} is valid", highlight=False)
        return ExitStatus.SUCCESS
    manifests = load(parsed.files)
    print_warnings(check(manifests, to_run_here=False), console)
    for object in manifests.objects:
        console.print(f"{type(object).__name__} {object.metadata.name} is valid", highlight=False)
    return ExitStatus.SUCCESS


def _estimate(parsed: argparse.Namespace, console: Console) -> ExitStatus:
    del console
    known = Known(
        model_config=parsed.model_config, parameters=parsed.parameters, tokens=parsed.tokens, mfu=parsed.mfu
    )
    try:
        settings = replace(Settings.from_environment(os.environ), allow_file_uris=True)
    except SettingsError as error:
        raise ManifestError([str(error)]) from error
    found = estimates(load(parsed.files, complete=False), known, settings)
    if parsed.output:
        sys.stdout.write(
            to_text([{"name": name, **codec.encode(each)} for name, each in found.items()], parsed.output)
        )
    else:
        for name, each in found.items():
            print_estimate(Console(), name, each)
    return ExitStatus.SUCCESS if all(each.fits for each in found.values()) else ExitStatus.BAD_INPUT


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
