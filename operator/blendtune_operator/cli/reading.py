"""`blendtune report`, `compare` and `rubric`: what people read of evaluations, here or at the cluster."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console

from blendtune_operator.cli.compare import compare_reports
from blendtune_operator.cli.evaluation_tool import evaluation_tool
from blendtune_operator.cli.exit_status import ExitStatus


def report(parsed: argparse.Namespace, console: Console) -> ExitStatus:
    """A folder that exists is a local report; any other word is a run at the cluster."""
    if _is_local(parsed, parsed.subject):
        return evaluation_tool(["report", parsed.subject])
    from blendtune_operator.cli.cluster.report import report as report_of_cluster

    return report_of_cluster(parsed, console)


def compare(parsed: argparse.Namespace, console: Console) -> ExitStatus:
    if all(_is_local(parsed, each) for each in parsed.reports):
        places = [Path(each) for each in parsed.reports]
        compare_reports(places, parsed.page, Console(), common=parsed.common)
        return ExitStatus.SUCCESS
    from blendtune_operator.cli.cluster.report import compare as compare_at_cluster

    return compare_at_cluster(parsed, console)


def rubric(parsed: argparse.Namespace, _: Console) -> ExitStatus:
    return evaluation_tool([parsed.tool, *parsed.arguments])


def _is_local(parsed: argparse.Namespace, subject: str) -> bool:
    """A path is local, and so is every word that is a file or folder here, unless a cluster is named."""
    if "/" in subject and not subject.startswith(("bft/", "rubric/", "study/")):
        return True
    at_cluster = parsed.namespace is not None or parsed.context is not None
    return not at_cluster and Path(subject).exists()
