"""Runs a session in the work directory of this process, and serves /metrics meanwhile."""

from __future__ import annotations

import asyncio
import fcntl
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from prometheus_client import CollectorRegistry, start_http_server
from rich.console import Console

from blendtune_api.codec import Resource
from blendtune_operator.cli.manifest import ManifestError
from blendtune_operator.cli.view import View
from blendtune_operator.local.session import Session
from blendtune_operator.metrics.runs import RunCollector

Show = Callable[[View, Sequence[Resource], str], None]


@contextmanager
def locked(workdir: Path) -> Iterator[None]:
    """Holds the work directory for this process alone. Raises ManifestError when another has it."""
    workdir.mkdir(parents=True, exist_ok=True)
    with (workdir / ".lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ManifestError(
                [f"{workdir} is in use by another run: wait for it, or name another --workdir"]
            ) from error
        yield


def follow(session: Session, show: Show, metrics_port: int, console: Console) -> bool:
    """Runs the session to its end and saves its objects. True when a signal interrupted it, which is said."""
    with metrics_server(session.objects, metrics_port, console), View(console) as view:
        interrupted = asyncio.run(session.run(lambda objects, note: show(view, objects, note)))
    session.save()
    if interrupted:
        console.print("interrupted: the same command goes on from the last checkpoint", style="yellow")
    return interrupted


@contextmanager
def metrics_server(objects: Callable[[], Iterable[Resource]], port: int, console: Console) -> Iterator[None]:
    """Serves /metrics on loopback while the run lasts; when the port is taken, on a free one."""
    registry = CollectorRegistry()
    registry.register(RunCollector(objects))
    try:
        server, thread = start_http_server(port, "127.0.0.1", registry)
    except OSError:
        server, thread = start_http_server(0, "127.0.0.1", registry)
    console.print(f"metrics    http://127.0.0.1:{server.server_port}/metrics", style="dim", highlight=False)
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
