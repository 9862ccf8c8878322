"""`blendtune study`: runs a BlendStudy in the embedded cluster, one run after the other."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from rich.console import Console

from blendtune_api import codec
from blendtune_api.blend_study import BlendStudy
from blendtune_api.codec import Resource
from blendtune_api.contract import REPORT_PAGE
from blendtune_api.v1alpha1 import BlendedFineTune, State
from blendtune_operator.cli.check import check_study, print_warnings
from blendtune_operator.cli.choices import OutputFormat
from blendtune_operator.cli.exit_status import ExitStatus
from blendtune_operator.cli.follow import follow, locked
from blendtune_operator.cli.manifest import StudyManifest
from blendtune_operator.cli.output import to_list
from blendtune_operator.cli.run import evaluation_progress
from blendtune_operator.cli.study_page import study_page
from blendtune_operator.cli.study_view import print_study, study_exit_status
from blendtune_operator.cli.view import View
from blendtune_operator.local.session import Session

_IDLE = (State.PENDING, State.SUCCEEDED, State.FAILED)


def run_study(
    manifest: StudyManifest, workdir: Path, console: Console, metrics_port: int, output: OutputFormat | None
) -> ExitStatus:
    """Runs the study to its end, prints the table and the recommendation, and writes report.html.

    Raises ManifestError for what would be refused, and when the work directory is in use.
    """
    print_warnings(check_study(manifest, to_run_here=True).warnings, console)
    given = replace(manifest.study, spec=replace(manifest.study.spec, parallelism=1))
    with locked(workdir):
        session = Session([given], [document.value for document in manifest.config_maps], workdir)
        if follow(session, partial(_show, session.kubelet.claims), metrics_port, console):
            return ExitStatus.INTERRUPTED
        objects = session.objects()
        study = next(object for object in objects if isinstance(object, BlendStudy))
        report = workdir / REPORT_PAGE
        report.write_text(study_page(study), encoding="utf-8")
        print_study(study, console)
        console.print(f"report     {report}", highlight=False, soft_wrap=True)
        if output is not None:
            sys.stdout.write(to_list(map(codec.encode_object, objects), output))
        return study_exit_status(study)


def _show(claims: Path, view: View, objects: Sequence[Resource], note: str) -> None:
    studies = [object for object in objects if isinstance(object, BlendStudy)]
    counts = studies[0].status.counts
    place = f"run {counts.succeeded + counts.failed + 1} of {counts.total}" if counts else ""
    runs = [object for object in objects if isinstance(object, BlendedFineTune)]
    view.show(
        [
            (run, "  ".join(filter(None, (place, note or evaluation_progress(run, claims)))))
            for run in runs
            if run.status.state not in _IDLE
        ]
    )
