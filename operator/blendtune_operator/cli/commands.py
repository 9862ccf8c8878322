"""The commands of `blendtune`, each from its parsed arguments to an exit status.

Results go to stdout, everything else to the console on stderr. All raise ManifestError for bad input.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from blendtune_api import codec
from blendtune_api.generate import crd_files
from blendtune_operator.cli.check import as_gate, check, check_study, print_warnings
from blendtune_operator.cli.compare import compare_reports
from blendtune_operator.cli.estimate import Known, estimates
from blendtune_operator.cli.estimate_view import print_estimate
from blendtune_operator.cli.evaluation_tool import evaluation_tool
from blendtune_operator.cli.exit_status import ExitStatus
from blendtune_operator.cli.manifest import ManifestError, holds_study, load, load_study
from blendtune_operator.cli.output import to_text, to_yaml
from blendtune_operator.cli.power import told_power
from blendtune_operator.cli.render import children
from blendtune_operator.cli.run import run_manifests
from blendtune_operator.cli.study import run_study
from blendtune_operator.settings import Settings, SettingsError


def run(parsed: argparse.Namespace, console: Console) -> ExitStatus:
    manifests = load(parsed.files)
    workdir = parsed.workdir or Path("runs") / manifests.objects[0].metadata.name
    return run_manifests(manifests, workdir.resolve(), console, parsed.metrics_port, parsed.output)


def study(parsed: argparse.Namespace, console: Console) -> ExitStatus:
    manifest = load_study(parsed.files)
    workdir = parsed.workdir or Path("runs") / manifest.study.metadata.name
    return run_study(manifest, workdir.resolve(), console, parsed.metrics_port, parsed.output)


def validate(parsed: argparse.Namespace, console: Console) -> ExitStatus:
    if holds_study(parsed.files):
        manifest = load_study(parsed.files)
        checked = check_study(manifest, to_run_here=False)
        print_warnings(checked.warnings, console)
        console.print(f"BlendStudy {manifest.study.metadata.name} is valid", highlight=False)
        bounds = {"spec.objective.subjectTo": as_gate(manifest.study.spec.objective.subject_to)}
        for run, questions in checked.questions:
            _print_lines(told_power(run, questions, parsed.pilot, bounds), console)
        return ExitStatus.SUCCESS
    manifests = load(parsed.files)
    checked = check(manifests, to_run_here=False)
    print_warnings(checked.warnings, console)
    for object, questions in checked.questions:
        console.print(f"{type(object).__name__} {object.metadata.name} is valid", highlight=False)
        _print_lines(told_power(object, questions, parsed.pilot), console)
    return ExitStatus.SUCCESS


def _print_lines(lines: Iterable[str], console: Console) -> None:
    for line in lines:
        console.print(line, highlight=False, soft_wrap=True, markup=False)


def estimate(parsed: argparse.Namespace, _: Console) -> ExitStatus:
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


def render(parsed: argparse.Namespace, _: Console) -> ExitStatus:
    sys.stdout.write(to_yaml([child for object in load(parsed.files).objects for child in children(object)]))
    return ExitStatus.SUCCESS


def report(parsed: argparse.Namespace, _: Console) -> ExitStatus:
    return evaluation_tool(["report", parsed.folder])


def compare(parsed: argparse.Namespace, _: Console) -> ExitStatus:
    compare_reports(parsed.reports, parsed.page, Console(), common=parsed.common)
    return ExitStatus.SUCCESS


def rubric(parsed: argparse.Namespace, _: Console) -> ExitStatus:
    return evaluation_tool([parsed.tool, *parsed.arguments])


def crds(_: argparse.Namespace, __: Console) -> ExitStatus:
    sys.stdout.write("---\n".join(crd_files().values()))
    return ExitStatus.SUCCESS
