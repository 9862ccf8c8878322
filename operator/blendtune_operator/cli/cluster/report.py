"""`blendtune report` and `blendtune compare` on runs of a cluster: their files are read from the claim."""

from __future__ import annotations

import argparse
import shutil
import tempfile
import webbrowser
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from rich.console import Console

from blendtune_api.blend_study import BlendStudy
from blendtune_api.codec import Resource
from blendtune_api.contract import REPORT_FILE, REPORT_PAGE, Workspace, storage_path
from blendtune_api.v1alpha1 import BlendedFineTune, RubricEval
from blendtune_operator.cli.cluster.following import has_ended, print_end, why_waiting
from blendtune_operator.cli.cluster.listing import scores
from blendtune_operator.cli.cluster.session import at_cluster
from blendtune_operator.cli.compare import compare_reports
from blendtune_operator.cli.exit_status import ExitStatus
from blendtune_operator.cli.study_page import study_page
from blendtune_operator.cli.view import live_view
from blendtune_operator.client.access import Access
from blendtune_operator.client.faults import ClientError
from blendtune_operator.client.objects import decoded, find
from blendtune_operator.client.reader import Start, Tell, reader
from blendtune_operator.names import Object

_READING_SECONDS = 900


def report(parsed: argparse.Namespace, console: Console) -> ExitStatus:
    return at_cluster(parsed, lambda access: _report(access, parsed, console))


def compare(parsed: argparse.Namespace, console: Console) -> ExitStatus:
    return at_cluster(parsed, lambda access: _compare(access, parsed, console))


async def _report(access: Access, parsed: argparse.Namespace, console: Console) -> ExitStatus:
    obj = await find(access, parsed.subject)
    object = decoded(obj)
    folder = Path(tempfile.mkdtemp(prefix=f"blendtune-{object.metadata.name}-"))
    try:
        page = await _page(access, obj, object, folder, parsed, console)
        _hand_over(page, parsed.output, console)
    except BaseException:
        shutil.rmtree(folder)
        raise
    return ExitStatus.SUCCESS


async def _page(
    access: Access,
    obj: Object,
    object: Resource,
    folder: Path,
    parsed: argparse.Namespace,
    console: Console,
) -> Path:
    """The page in the folder: a study's is made here, an evaluation's comes from the claim."""
    name = object.metadata.name
    if isinstance(object, BlendStudy):
        page = folder / REPORT_PAGE
        page.write_text(study_page(object), encoding="utf-8")
        return page
    if not has_report(object):
        _print_so_far(console, object)
        raise ClientError(f"{name} has no report: it is written when the evaluation has ended")
    start = start_of(parsed, _READING_SECONDS)
    return await fetched(access, obj, object, REPORT_PAGE, folder, start, teller(console))


def has_report(object: BlendedFineTune | RubricEval) -> bool:
    """Whether the evaluation has ended with scores: the report is written with them."""
    scored = scores(object)
    return scored is not None and scored.overall is not None


async def _compare(access: Access, parsed: argparse.Namespace, console: Console) -> ExitStatus:
    with tempfile.TemporaryDirectory(prefix="blendtune-compare-") as folder:
        places = [
            await _place(access, each, Path(folder), parsed, console) for each in _unique(parsed.reports)
        ]
        compare_reports(places, parsed.page, Console(), common=parsed.common)
    return ExitStatus.SUCCESS


async def _place(
    access: Access, subject: str, folder: Path, parsed: argparse.Namespace, console: Console
) -> Path:
    """The report of a run of the cluster as a file here; a path is one already."""
    if Path(subject).exists():
        return Path(subject)
    obj = await find(access, subject)
    object = decoded(obj)
    if isinstance(object, BlendStudy) or not has_report(object):
        raise ClientError(f"{subject} has no report to compare: only evaluations that have ended have one")
    own = folder / subject.replace("/", "-")
    own.mkdir()
    return await fetched(
        access, obj, object, REPORT_FILE, own, start_of(parsed, _READING_SECONDS), teller(console)
    )


async def fetched(
    access: Access, obj: Object, object: Resource, file: str, folder: Path, start: Start, tell: Tell
) -> Path:
    """A file of a run's evaluation, copied from the claim into a folder."""
    async with reader(access, obj, start, tell) as opened:
        return await opened.fetch(workspace_of(object) / _evaluation_folder() / file, folder)


def workspace_of(object: Resource) -> PurePosixPath:
    """The path of a run's workspace from the root of its claim."""
    assert isinstance(object, BlendedFineTune | RubricEval)
    storage, metadata = object.spec.storage, object.metadata
    return storage_path(storage, metadata.namespace, metadata.name).relative_to(
        storage.persistent_volume_claim
    )


def _evaluation_folder() -> str:
    return Workspace(Path()).evaluation.name


def start_of(parsed: argparse.Namespace, reading_seconds: int) -> Start:
    """A reader pod as the command line wants it, which lives for so long after it has started."""
    lifetime = int(parsed.timeout) + reading_seconds
    return Start(image=parsed.image or "", patience=parsed.timeout, lifetime=lifetime)


def teller(console: Console) -> Tell:
    return lambda text: console.print(text, style="dim", highlight=False, markup=False, soft_wrap=True)


def _hand_over(page: Path, output: Path | None, console: Console) -> None:
    """Moves the page to where it is wanted, else opens it in the browser."""
    if output is not None:
        try:
            shutil.move(page, output)
        except OSError as error:
            raise ClientError(f"{output} cannot be written: {error.strerror}") from error
        page.parent.rmdir()
        page = output
    elif webbrowser.open(page.as_uri()):
        console.print("opened in the browser", style="dim")
    console.print(f"report     {page}", highlight=False, markup=False, soft_wrap=True)


def _print_so_far(console: Console, object: BlendedFineTune | RubricEval) -> None:
    if has_ended(object):
        print_end(console, object, None)
    else:
        console.print(live_view(object, why_waiting(object)))


def _unique(subjects: Sequence[str]) -> list[str]:
    twice = sorted({each for each in subjects if subjects.count(each) > 1})
    if twice:
        raise ClientError(*(f"{each} is named twice" for each in twice))
    return list(subjects)
