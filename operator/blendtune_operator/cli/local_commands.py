"""`blendtune run` and `blendtune study`: what trains on this machine."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console

from blendtune_operator.cli.exit_status import ExitStatus
from blendtune_operator.cli.manifest import load, load_study
from blendtune_operator.cli.run import run_manifests
from blendtune_operator.cli.study import run_study


def run(parsed: argparse.Namespace, console: Console) -> ExitStatus:
    manifests = load(parsed.files)
    workdir = parsed.workdir or Path("runs") / manifests.objects[0].metadata.name
    return run_manifests(manifests, workdir.resolve(), console, parsed.metrics_port, parsed.output)


def study(parsed: argparse.Namespace, console: Console) -> ExitStatus:
    manifest = load_study(parsed.files)
    workdir = parsed.workdir or Path("runs") / manifest.study.metadata.name
    return run_study(manifest, workdir.resolve(), console, parsed.metrics_port, parsed.output)
