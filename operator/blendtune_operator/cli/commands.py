"""The commands that need neither a cluster nor what trains: validate, estimate, render, crds.

Results go to stdout, everything else to the console on stderr. All raise ManifestError for bad input.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable
from dataclasses import replace

from rich.console import Console

from blendtune_api import codec
from blendtune_api.generate import crd_files
from blendtune_core.sizing.cost import ASSUMED_MFU
from blendtune_operator.cli.check import as_gate, check, check_study, print_warnings
from blendtune_operator.cli.estimate import Known, estimates
from blendtune_operator.cli.estimate_view import print_estimate
from blendtune_operator.cli.exit_status import ExitStatus
from blendtune_operator.cli.manifest import ManifestError, holds_study, load, load_study
from blendtune_operator.cli.output import to_text, to_yaml
from blendtune_operator.cli.power import told_power
from blendtune_operator.cli.render import children
from blendtune_operator.settings import Settings, SettingsError


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
        model_config=parsed.model_config,
        parameters=parsed.parameters,
        tokens=parsed.tokens,
        mfu=parsed.mfu or ASSUMED_MFU,
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


def crds(_: argparse.Namespace, __: Console) -> ExitStatus:
    sys.stdout.write("---\n".join(crd_files().values()))
    return ExitStatus.SUCCESS
