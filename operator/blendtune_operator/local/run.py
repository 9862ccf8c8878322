"""`blendtune run`: reconciles the given objects in the embedded cluster until all have finished."""

from __future__ import annotations

import asyncio
import fcntl
import json
import signal
import sys
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from prometheus_client import CollectorRegistry, start_http_server
from rich.console import Console

from blendtune_api import codec
from blendtune_api.contract import Workspace, digest_of, workspace
from blendtune_api.v1alpha1 import (
    BLENDED_FINE_TUNE,
    RUBRIC_EVAL,
    BlendedFineTune,
    RubricEval,
    State,
)
from blendtune_operator.conditions import is_finished, is_refused
from blendtune_operator.local.check import check, local_settings
from blendtune_operator.local.cluster import LocalCluster
from blendtune_operator.local.exit_status import ExitStatus, exit_status
from blendtune_operator.local.kubelet import Kubelet
from blendtune_operator.local.manifest import ManifestError, Manifests
from blendtune_operator.local.output import OutputFormat, to_list
from blendtune_operator.local.store import ObjectStore
from blendtune_operator.local.view import LocalObject, View, print_result
from blendtune_operator.local.workloads import Workloads
from blendtune_operator.metrics import RunCollector
from blendtune_operator.names import Kind
from blendtune_operator.reconcile import Key, reconcile

POLL_SECONDS = 1.0


def run(
    manifests: Manifests, workdir: Path, console: Console, metrics_port: int, output: OutputFormat | None
) -> ExitStatus:
    """Runs the manifests to their end and prints the result.

    Raises ManifestError for what would be refused, and when the work directory is in use.
    """
    for warning in check(manifests, to_run_here=True):
        console.print(f"warning: {warning}", style="yellow", highlight=False, soft_wrap=True, markup=False)
    with _locked(workdir):
        local_run = _LocalRun(manifests, workdir, console)
        with _metrics_server(local_run.objects, metrics_port, console):
            interrupted = asyncio.run(local_run.run())
        objects = local_run.objects()
        local_run.save(objects)
        if interrupted:
            console.print("interrupted: the same command goes on from the last checkpoint", style="yellow")
            return ExitStatus.INTERRUPTED
        _print(objects, local_run.kubelet.claims, console)
        if output is not None:
            sys.stdout.write(to_list(map(codec.encode_object, objects), output))
        return exit_status(objects)


class _LocalRun:
    """One run of the manifests: the store, the machine's pods and the loop that reconciles."""

    def __init__(self, manifests: Manifests, workdir: Path, console: Console) -> None:
        self._manifests = manifests
        self._workdir = workdir
        self._view = View(console)
        self._settings = local_settings()
        self.store = ObjectStore(_now)
        self.kubelet = Kubelet(self.store, workdir)
        self.workloads = Workloads(self.store, self.kubelet)
        self._cluster = LocalCluster(self.store, self.workloads, self.kubelet)

    def objects(self) -> list[LocalObject]:
        """The BlendedFineTunes and RubricEvals as they are now."""
        documents = [object for object in self.store if object["kind"] in (BLENDED_FINE_TUNE, RUBRIC_EVAL)]
        return [codec.decode_object(document) for document in documents]

    async def run(self) -> bool:
        """Reconciles until every object has finished. True when a signal ended it before."""
        self._create_objects()
        interrupted = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, interrupted.set)
        with self._view as view:
            while not interrupted.is_set():
                self.store.changed.clear()
                objects = self.objects()
                for object in objects:
                    await reconcile(self._cluster, _key(object), self._settings, _now())
                self._show(view)
                if all(_finished(object) for object in self.objects()):
                    break
                await _first(self.store.changed, interrupted)
            if interrupted.is_set():
                self._show(view, "stopping: waiting for the checkpoint")
            await self.workloads.stop_all()
        return interrupted.is_set()

    def _show(self, view: View, note: str = "") -> None:
        roots = _roots(self.objects())
        view.show([(object, note or _answered(object, self.kubelet.claims)) for object in roots])

    def save(self, objects: Iterable[LocalObject]) -> None:
        folder = self._workdir / "objects"
        folder.mkdir(parents=True, exist_ok=True)
        for object in objects:
            document = json.dumps(codec.encode_object(object), indent=2)
            (folder / f"{_key(object).kind}-{object.metadata.name}.json").write_text(document + "\n")

    def _create_objects(self) -> None:
        """Applies the manifests.

        An object's UID follows from its configuration: the same manifest in the same work directory is the
        same run again.
        """
        for config_map in self._manifests.config_maps:
            self.store.create(config_map.value)
        for object in self._manifests.objects:
            document = codec.encode_object(object)
            document.pop("status", None)
            run = (
                f"{self._workdir}/{digest_of([object.metadata.namespace, object.metadata.name, object.spec])}"
            )
            self.store.create(document, uid=str(uuid.uuid5(uuid.NAMESPACE_URL, run)))


async def _first(*events: asyncio.Event) -> None:
    """Waits for the first of the events, at most POLL_SECONDS."""
    waits = [asyncio.ensure_future(event.wait()) for event in events]
    await asyncio.wait(waits, timeout=POLL_SECONDS, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()


def _now() -> datetime:
    return datetime.now(UTC)


def _key(object: LocalObject) -> Key:
    kind = Kind.BLENDED_FINE_TUNE if isinstance(object, BlendedFineTune) else Kind.RUBRIC_EVAL
    return Key(kind=kind, namespace=object.metadata.namespace, name=object.metadata.name)


def _finished(object: LocalObject) -> bool:
    conditions = object.status.conditions
    return is_finished(conditions) or is_refused(conditions) or object.spec.suspend


@contextmanager
def _locked(workdir: Path) -> Iterator[None]:
    """Holds the work directory for this process alone."""
    workdir.mkdir(parents=True, exist_ok=True)
    with (workdir / ".lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ManifestError(
                [f"{workdir} is in use by another run: wait for it, or name another --workdir"]
            ) from error
        yield


@contextmanager
def _metrics_server(
    objects: Callable[[], Iterable[LocalObject]], port: int, console: Console
) -> Iterator[None]:
    """Serves /metrics on loopback while the run lasts; a port that is taken is no reason not to run."""
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
        paths = [("report", workspace.evaluation / "report.html"), ("model", workspace.model)]
        existing = [(name, path) for name, path in paths if path.exists()]
        print_result(console, object, evaluations.get(object.metadata.name), existing)


def _workspace(object: LocalObject, claims: Path) -> Workspace:
    return workspace(claims, object.spec.storage, object.metadata.namespace, object.metadata.name)


def _answered(object: LocalObject, claims: Path) -> str:
    """How many questions an evaluation that is under way has answered; empty when there is none."""
    if object.status.state is not State.EVALUATING:
        return ""
    try:
        progress = json.loads((_workspace(object, claims).evaluation / "progress.json").read_text())
        return f"{progress['done']}/{progress['total']} answers"
    except (OSError, ValueError, KeyError):
        return ""
