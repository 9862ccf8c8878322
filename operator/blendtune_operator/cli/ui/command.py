"""`blendtune ui`: the page of a namespace's runs, or of a folder of local ones, in the browser."""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import webbrowser
from collections.abc import AsyncGenerator
from pathlib import Path

from rich.console import Console

from blendtune_api.blend_study import BlendStudy
from blendtune_api.contract import REPORT_PAGE
from blendtune_operator.api import ApiError
from blendtune_operator.cli.cluster.report import fetched, has_report
from blendtune_operator.cli.cluster.session import at_cluster
from blendtune_operator.cli.exit_status import ExitStatus
from blendtune_operator.cli.study_page import study_page
from blendtune_operator.cli.ui.server import Page, Report, serving
from blendtune_operator.cli.ui.sources import Shown, local_report, of_cluster, of_folder
from blendtune_operator.client.access import Access, explain
from blendtune_operator.client.faults import ClientError
from blendtune_operator.client.objects import decoded, find
from blendtune_operator.client.reader import Start

_PATIENCE_SECONDS, _LIFETIME_SECONDS = 120.0, 900


def ui(parsed: argparse.Namespace, console: Console) -> ExitStatus:
    if parsed.folder is None:
        return at_cluster(parsed, lambda access: _cluster(access, parsed, console))
    if not parsed.folder.is_dir():
        raise ClientError(f"{parsed.folder}: there is no such folder; `blendtune run` writes runs/")
    try:
        return asyncio.run(_local(parsed, console))
    except KeyboardInterrupt:
        return ExitStatus.SUCCESS


async def _cluster(access: Access, parsed: argparse.Namespace, console: Console) -> ExitStatus:
    with tempfile.TemporaryDirectory(prefix="blendtune-ui-") as folder:
        held = asyncio.Lock()

        async def report(kind: str, name: str) -> Path | None:
            """Reads it from the claim the first time that it is asked for."""
            page = Path(folder) / kind / name / REPORT_PAGE
            async with held:
                if not page.exists():
                    try:
                        await _keep(access, kind, name, page)
                    except ApiError as error:
                        raise explain(error, access.namespace) from error
            return page

        return await _show(f"namespace {access.namespace}", of_cluster(access), report, parsed, console)


async def _keep(access: Access, kind: str, name: str, page: Path) -> None:
    obj = await find(access, f"{kind}/{name}")
    object = decoded(obj)
    if not isinstance(object, BlendStudy) and not has_report(object):
        raise ClientError(f"{name} has no report: it is written when the evaluation has ended")
    page.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(object, BlendStudy):
        page.write_text(study_page(object), encoding="utf-8")
    else:
        start = Start(patience=_PATIENCE_SECONDS, lifetime=_LIFETIME_SECONDS)
        await fetched(access, obj, object, REPORT_PAGE, page.parent, start, lambda _: None)


async def _local(parsed: argparse.Namespace, console: Console) -> ExitStatus:
    async def report(kind: str, name: str) -> Path | None:
        return local_report(parsed.folder, kind, name)

    return await _show(str(parsed.folder), of_folder(parsed.folder), report, parsed, console)


async def _show(
    place: str,
    source: AsyncGenerator[Shown, None],
    report: Report,
    parsed: argparse.Namespace,
    console: Console,
) -> ExitStatus:
    page = Page(place)
    async with serving(page, report, parsed.port) as address:
        console.print(f"page       {address}  (Ctrl-C ends it)", highlight=False)
        if not parsed.no_browser:
            webbrowser.open(address)
        await page.follow(source)
    return ExitStatus.SUCCESS
