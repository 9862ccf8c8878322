"""`blendtune run`: reconciles the given objects in the embedded cluster until all have finished."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path

from rich.console import Console

from blendtune_api import codec
from blendtune_api.blend_study import BlendStudy
from blendtune_api.codec import Resource
from blendtune_api.contract import REPORT_PAGE, Workspace, workspace
from blendtune_api.v1alpha1 import BlendedFineTune, RubricEval, State
from blendtune_operator.cli.check import check, print_warnings
from blendtune_operator.cli.choices import OutputFormat
from blendtune_operator.cli.exit_status import ExitStatus, exit_status
from blendtune_operator.cli.follow import follow, locked
from blendtune_operator.cli.manifest import Manifests
from blendtune_operator.cli.output import to_list
from blendtune_operator.cli.view import LocalObject, View, print_result
from blendtune_operator.local.session import Session
from blendtune_operator.render.uris import PVC


def run_manifests(
    manifests: Manifests, workdir: Path, console: Console, metrics_port: int, output: OutputFormat | None
) -> ExitStatus:
    """Runs the manifests to their end and prints the result.

    Raises ManifestError for what would be refused, and when the work directory is in use.
    """
    print_warnings(check(manifests, to_run_here=True).warnings, console)
    with locked(workdir):
        config_maps = [document.value for document in manifests.config_maps]
        session = Session(manifests.objects, config_maps, workdir)
        claims = session.kubelet.claims
        if follow(session, partial(_show, claims), metrics_port, console):
            return ExitStatus.INTERRUPTED
        objects = runs_among(session.objects())
        _print(objects, claims, console)
        if output is not None:
            sys.stdout.write(to_list(map(codec.encode_object, objects), output))
        return exit_status(objects)


def _show(claims: Path, view: View, objects: Sequence[Resource], note: str) -> None:
    view.show(
        [(object, note or evaluation_progress(object, claims)) for object in _roots(runs_among(objects))]
    )


def runs_among(objects: Iterable[Resource]) -> list[LocalObject]:
    return [object for object in objects if not isinstance(object, BlendStudy)]


def _roots(objects: Iterable[LocalObject]) -> list[LocalObject]:
    """The objects without the RubricEvals of BlendedFineTunes, which carry their names."""
    objects = tuple(objects)
    names = {object.metadata.name for object in objects if isinstance(object, BlendedFineTune)}
    return [
        object
        for object in objects
        if isinstance(object, BlendedFineTune) or object.metadata.name not in names
    ]


def _print(objects: Iterable[LocalObject], claims: Path, console: Console) -> None:
    objects = tuple(objects)
    evaluations = {object.metadata.name: object for object in objects if isinstance(object, RubricEval)}
    for object in _roots(objects):
        workspace = _workspace(object, claims)
        paths = [("report", workspace.evaluation / REPORT_PAGE), *_models(object, workspace, claims)]
        existing = [(name, path) for name, path in paths if path.exists()]
        print_result(console, object, evaluations.get(object.metadata.name), existing)


def _models(object: LocalObject, workspace: Workspace, claims: Path) -> Iterator[tuple[str, Path]]:
    """The model that a run has made; where one between it and its base was taken, both."""
    summary = object.status.evaluation if isinstance(object, BlendedFineTune) else object.status
    chosen = summary.interpolation if summary is not None else None
    if chosen is not None and chosen.uri != chosen.tuned_uri:
        yield "model", claims / chosen.uri.removeprefix(PVC)
        yield "as tuned", workspace.model
    else:
        yield "model", workspace.model


def _workspace(object: LocalObject, claims: Path) -> Workspace:
    return workspace(claims, object.spec.storage, object.metadata.namespace, object.metadata.name)


def evaluation_progress(object: LocalObject, claims: Path) -> str:
    """How many questions a running evaluation has answered, and the expected time of the others.

    Empty when none runs.
    """
    if object.status.state is not State.EVALUATING:
        return ""
    try:
        progress = json.loads((_workspace(object, claims).evaluation / "progress.json").read_text())
        words = [f"{progress['done']}/{progress['total']} answers"]
        if "estimatedRemainingSeconds" in progress:
            words.append(f"ETA {timedelta(seconds=progress['estimatedRemainingSeconds'])}")
        return "  ".join(words)
    except (OSError, ValueError, KeyError):
        return ""
