"""Runs a command in a container through the API server, and receives what it writes.

The protocol is `v4.channel.k8s.io`: the first byte of each message is its channel.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence

import aiohttp

from blendtune_operator.api import ApiError
from blendtune_operator.client.access import Access
from blendtune_operator.names import Kind

PROTOCOL = "v4.channel.k8s.io"
_STDOUT, _STDERR, _STATUS = 1, 2, 3
_KEPT_OF_STDERR = 2000

Receive = Callable[[bytes], Awaitable[None]]


class CommandFailed(Exception):
    """The command ended with another exit code than 0, or could not be started; the text says why."""


async def run_command(
    access: Access, pod: str, container: str, command: Sequence[str], receive: Receive
) -> None:
    """Hands each piece of the command's standard output to `receive`.

    Raises CommandFailed; and ApiError where the connection is refused, or breaks before the command ends.
    """
    path = f"{Kind.POD.path(access.namespace, pod)}/exec"
    query = [("container", container), ("stdout", "true"), ("stderr", "true")]
    errors = b""
    async with access.api.websocket(
        path, [*query, *(("command", word) for word in command)], PROTOCOL
    ) as connection:
        async for message in connection:
            if message.type is not aiohttp.WSMsgType.BINARY or not message.data:
                continue
            channel, content = message.data[0], message.data[1:]
            if channel == _STDOUT:
                await receive(content)
            elif channel == _STDERR:
                errors = (errors + content)[-_KEPT_OF_STDERR:]
            elif channel == _STATUS:
                _judge(json.loads(content), errors)
                return
    raise ApiError(0, "Unreachable", f"GET {path}: the connection broke while a file was read")


def _judge(status: dict[str, str], errors: bytes) -> None:
    if status.get("status") != "Success":
        raise CommandFailed(errors.decode(errors="replace").strip() or str(status.get("message", "")))
