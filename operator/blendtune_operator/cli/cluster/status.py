"""`blendtune status` and `blendtune wait`: what runs, how far it is, and how it ended."""

from __future__ import annotations

import argparse
import asyncio
import sys
from contextlib import aclosing

from rich.console import Console
from rich.live import Live

from blendtune_api.blend_study import BlendStudy
from blendtune_api.codec import Resource
from blendtune_api.v1alpha1 import RubricEval
from blendtune_operator.cli.choices import Awaited
from blendtune_operator.cli.cluster.following import (
    follow_until,
    has_ended,
    print_end,
    versions,
    why_waiting,
)
from blendtune_operator.cli.cluster.listing import gates, listing, print_listing, roots
from blendtune_operator.cli.cluster.session import at_cluster
from blendtune_operator.cli.exit_status import ExitStatus
from blendtune_operator.cli.output import to_list, to_text
from blendtune_operator.cli.study_view import print_study
from blendtune_operator.cli.view import live_view
from blendtune_operator.client.access import Access
from blendtune_operator.client.faults import ClientError
from blendtune_operator.client.objects import find, list_all
from blendtune_operator.client.watching import Watched, snapshots
from blendtune_operator.names import PARENT_KINDS


def status(parsed: argparse.Namespace, console: Console) -> ExitStatus:
    if parsed.name is None:
        return at_cluster(parsed, lambda access: _all(access, parsed, console))
    return at_cluster(parsed, lambda access: _one(access, parsed, console))


def wait(parsed: argparse.Namespace, console: Console) -> ExitStatus:
    return at_cluster(parsed, lambda access: _wait(access, parsed, console))


async def _all(access: Access, parsed: argparse.Namespace, console: Console) -> ExitStatus:
    if not parsed.watch:
        objects = roots([obj for kind in PARENT_KINDS for obj in await list_all(access, kind)])
        if parsed.output is not None:
            sys.stdout.write(to_list(objects, parsed.output))
        else:
            print_listing(Console(), objects, access.namespace)
        return ExitStatus.SUCCESS
    live = Live(console=console, auto_refresh=False) if console.is_terminal else None
    if live:
        live.start()
    try:
        async with aclosing(snapshots(access, [Watched(kind=kind) for kind in PARENT_KINDS])) as found:
            async for snapshot in found:
                table = listing(snapshot.objects)
                table.caption = snapshot.broken or None
                if live:
                    live.update(table, refresh=True)
                else:
                    console.print(table)
    finally:
        if live:
            live.stop()
    return ExitStatus.SUCCESS


async def _one(access: Access, parsed: argparse.Namespace, console: Console) -> ExitStatus:
    obj = await find(access, parsed.name)
    if parsed.output is not None:
        sys.stdout.write(to_text(obj, parsed.output))
        return ExitStatus.SUCCESS
    if parsed.watch:
        return print_end(Console(), *await follow_until(access, obj, console, lambda _: False))
    async with aclosing(versions(access, obj)) as found:
        object, evaluation, _ = await anext(found)
    _print(Console(), object, evaluation)
    return ExitStatus.SUCCESS


def _print(console: Console, object: Resource, evaluation: RubricEval | None) -> None:
    if has_ended(object):
        print_end(console, object, evaluation)
    elif isinstance(object, BlendStudy):
        print_study(object, console)
    else:
        console.print(live_view(object, why_waiting(object)))


async def _wait(access: Access, parsed: argparse.Namespace, console: Console) -> ExitStatus:
    obj = await find(access, parsed.name)
    judged = _are_judged if parsed.awaited is Awaited.GATES else has_ended
    try:
        async with asyncio.timeout(parsed.timeout):
            object, evaluation = await follow_until(access, obj, console, judged)
    except TimeoutError as error:
        raise ClientError(
            f"{parsed.name} has not come so far within {parsed.timeout:g} s (--timeout): `blendtune status "
            f"{parsed.name}` shows where it is"
        ) from error
    return print_end(Console(), object, evaluation)


def _are_judged(object: Resource) -> bool:
    """Whether there is a decision on the gates: passed, failed, inconclusive, or that there are none."""
    return not isinstance(object, BlendStudy) and gates(object) != ""
