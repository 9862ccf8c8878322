"""`blendtune study`: runs a BlendStudy in the embedded cluster, one run after the other."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from blendtune_api import codec
from blendtune_api.blend_study import (
    BlendStudy,
    RecommendationVerdict,
    StudyRunState,
    StudyState,
)
from blendtune_api.codec import Resource
from blendtune_api.v1alpha1 import BlendedFineTune, State
from blendtune_operator.cli.check import check_study, print_warnings
from blendtune_operator.cli.exit_status import ExitStatus
from blendtune_operator.cli.follow import follow, locked
from blendtune_operator.cli.manifest import StudyManifest
from blendtune_operator.cli.output import OutputFormat, to_list
from blendtune_operator.cli.run import evaluation_progress
from blendtune_operator.cli.study_page import study_page
from blendtune_operator.cli.view import View
from blendtune_operator.local.session import Session
from blendtune_operator.plan.study.observation import Mean, summarise
from blendtune_operator.plan.study.presentation import describe, high, low, score_range
from blendtune_operator.plan.study.recommendation import pareto_front
from blendtune_operator.plan.study.runs import observations

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
        report = workdir / "report.html"
        report.write_text(study_page(study), encoding="utf-8")
        _print(study, report, console)
        if output is not None:
            sys.stdout.write(to_list(map(codec.encode_object, objects), output))
        return _exit_status(study)


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


def _print(study: BlendStudy, report: Path, console: Console) -> None:
    status = study.status
    console.print(f"{study.metadata.name}  {status.state}", style="bold", highlight=False)
    console.print(study_table(study))
    for run in status.runs:
        if run.state is StudyRunState.FAILED:
            console.print(f"{run.name} failed: {run.message}", style="red", markup=False, soft_wrap=True)
    if status.recommendation is not None:
        console.print(status.recommendation.message, highlight=False, markup=False, soft_wrap=True)
    console.print(f"report     {report}", highlight=False, soft_wrap=True)


def study_table(study: BlendStudy) -> Table:
    """Each setting with the means of its runs and their 95% intervals over questions and seeds."""
    objective = study.spec.objective
    summaries = summarise(observations(study.status.runs, objective))
    front = pareto_front(summaries)
    caption = "* no other setting beats it in both metrics; h: GPU hours of a run"
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, caption=caption, caption_justify="left")
    for name in ("setting", "runs", objective.maximize, objective.subject_to.subject, "change", "h"):
        table.add_column(name, no_wrap=name != "setting")
    for summary in summaries:
        one = summary.setting
        mark = " *" if summary in front else ""
        table.add_row(
            describe(one, [other.setting for other in summaries]) + mark,
            str(summary.runs),
            _score(summary.objective),
            f"{summary.constrained.value:.2f}",
            _change(summary.change),
            "-" if summary.gpu_hours is None else f"{summary.gpu_hours:.3g}",
        )
    return table


def _score(mean: Mean) -> str:
    lowest, highest = score_range(mean)
    return f"{mean.value:.2f} ({lowest:.2f} to {highest:.2f})"


def _change(mean: Mean) -> str:
    return f"{mean.value:+.2f} ({low(mean):+.2f} to {high(mean):+.2f})"


def _exit_status(study: BlendStudy) -> ExitStatus:
    recommendation = study.status.recommendation
    if study.status.state is not StudyState.SUCCEEDED or recommendation is None:
        return ExitStatus.FAILED
    return {
        RecommendationVerdict.RECOMMENDED: ExitStatus.SUCCESS,
        RecommendationVerdict.NONE_ALLOWED: ExitStatus.FAILED,
        RecommendationVerdict.CANNOT_TELL: ExitStatus.INCONCLUSIVE,
    }[recommendation.verdict]
