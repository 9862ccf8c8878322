"""Carries a command out at the cluster, and ends it in good order however it is ended."""

from __future__ import annotations

import argparse
import asyncio
import signal
from collections.abc import Awaitable, Callable

from blendtune_operator.api import ApiError
from blendtune_operator.cli.exit_status import ExitStatus
from blendtune_operator.client.access import Access, access, explain

Command = Callable[[Access], Awaitable[ExitStatus]]
_ENDING = (signal.SIGTERM, signal.SIGHUP)


def at_cluster(parsed: argparse.Namespace, command: Command) -> ExitStatus:
    """Raises ClientError with what the cluster refuses, and what that means."""
    try:
        return asyncio.run(_carry_out(parsed, command))
    except (KeyboardInterrupt, asyncio.CancelledError):
        return ExitStatus.INTERRUPTED


async def _carry_out(parsed: argparse.Namespace, command: Command) -> ExitStatus:
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    assert task is not None
    for ending in _ENDING:
        loop.add_signal_handler(ending, task.cancel)
    async with access(parsed.context, parsed.namespace) as found:
        try:
            return await command(found)
        except ApiError as error:
            raise explain(error, found.namespace) from error
