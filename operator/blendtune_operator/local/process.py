"""Runs one container of a pod as a process of this machine.

The process gets the environment that it would get in the cluster. What cannot be the same is translated:
mount paths become folders, the hosts of other pods become loopback, ports become free ones.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import re
import signal
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blendtune_api.contract import MESSAGE_LIMIT_BYTES, Env

_PR_SET_PDEATHSIG = 1
_LABEL_PATH = re.compile(r"^metadata\.labels\['(?P<name>[^']+)'\]$")


class StartError(Exception):
    """Why a pod can't be started on this machine."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Termination:
    """How a container ended. `exit_code` is 128 + n where signal n ended it."""

    exit_code: int
    message: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Sandbox:
    """What the containers of one pod share: folders of volumes, an environment laid over theirs, the log."""

    volumes: Mapping[str, Path]
    overlay: Mapping[str, str]
    folder: Path
    log: Path


def free_port() -> int:
    """A port of the loopback address that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(container: Mapping[str, Any], pod: Mapping[str, Any], sandbox: Sandbox) -> dict[str, str]:
    """The container's variables over this process's own, with mount paths translated.

    There are no Secrets here: variables that one would fill in are taken from this process's environment.
    """
    mounts = mount_folders(container, sandbox.volumes)
    declared = {
        item["name"]: _value(item, pod)
        for item in container.get("env", [])
        if "secretKeyRef" not in item.get("valueFrom", {})
    }
    return {
        **os.environ,
        **{name: translate(value, mounts) for name, value in declared.items()},
        **sandbox.overlay,
        Env.TERMINATION_LOG: str(_termination_log(container, sandbox)),
    }


def mount_folders(container: Mapping[str, Any], volumes: Mapping[str, Path]) -> dict[str, Path]:
    """The folder behind each mount path of the container. Raises StartError where it mounts no volume."""
    mounts = container.get("volumeMounts", [])
    if missing := [mount["name"] for mount in mounts if mount["name"] not in volumes]:
        raise StartError(f"container {container['name']} mounts {missing[0]}, and there is no such volume")
    return {mount["mountPath"]: volumes[mount["name"]] / mount.get("subPath", "") for mount in mounts}


def translate(text: str, mounts: Mapping[str, Path]) -> str:
    """`text` with a leading mount path replaced by its folder; the longest mount path wins."""
    for path in sorted(mounts, key=len, reverse=True):
        if text == path or text.startswith(path.rstrip("/") + "/"):
            return str(mounts[path]) + text[len(path.rstrip("/")) :]
    return text


async def run_container(
    container: Mapping[str, Any], pod: Mapping[str, Any], sandbox: Sandbox, grace_seconds: float
) -> Termination:
    """Runs the container to its end. When cancelled, sends SIGTERM, and SIGKILL after the grace period.

    Raises StartError or OSError when it can't be started.
    """
    mounts = mount_folders(container, sandbox.volumes)
    command: list[str] = [*container.get("command", []), *container.get("args", [])]
    if not command:
        raise StartError(f"container {container['name']} names no command: images are not used in local mode")
    program = sys.executable if command[0] in ("python", "python3") else command[0]
    message_file = _termination_log(container, sandbox)
    message_file.parent.mkdir(parents=True, exist_ok=True)
    message_file.write_text("")
    with sandbox.log.open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            program,
            *[translate(argument, mounts) for argument in command[1:]],
            env=environment(container, pod, sandbox),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_die_with_parent,
        )
    stopping = False
    while True:
        try:
            async with asyncio.timeout(grace_seconds if stopping else None):
                code = await process.wait()
            break
        except asyncio.CancelledError:
            stopping = True
            _signal(process, signal.SIGTERM)
        except TimeoutError:
            _signal(process, signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # whatever the container left running
    message = message_file.read_bytes()[:MESSAGE_LIMIT_BYTES].decode(errors="replace")
    return Termination(exit_code=code if code >= 0 else 128 - code, message=message)


def _signal(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(number)


def _termination_log(container: Mapping[str, Any], sandbox: Sandbox) -> Path:
    return sandbox.folder / f"termination-{container['name']}"


def _value(item: Mapping[str, Any], pod: Mapping[str, Any]) -> str:
    if "value" in item:
        return str(item["value"])
    path = item.get("valueFrom", {}).get("fieldRef", {}).get("fieldPath", "")
    label = _LABEL_PATH.match(path)
    if label:
        return str(pod["metadata"].get("labels", {}).get(label["name"], ""))
    known = {
        "metadata.name": pod["metadata"]["name"],
        "metadata.namespace": pod["metadata"]["namespace"],
        "metadata.uid": pod["metadata"]["uid"],
        "status.podIP": "127.0.0.1",
    }
    return str(known.get(path, ""))


def _die_with_parent() -> None:
    """Lets the kernel kill this process when its parent dies, so that a killed run leaves nothing behind."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
