"""The lock of a workspace: which run owns its artifacts, and whether that run is alive."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from blendtune_api.contract import Workspace
from blendtune_api.v1alpha1 import Stage
from blendtune_runtime.errors import WorkspaceInUse
from blendtune_runtime.files import write_text

HEARTBEAT_SECONDS = 15.0
_RETRY_SECONDS = 1.0
DEAD_AFTER_SECONDS = 60.0  # without a heartbeat, if the owner runs on another host


@dataclass(frozen=True, kw_only=True, slots=True)
class Lock:
    """The content of `lock.json`. A released lock still names the owner of the artifacts."""

    uid: str  # of the run
    config_digest: str
    host: str
    process: str  # id and start time of the process on that host
    heartbeat: float | None  # seconds since 1970; None if released


def acquire(workspace: Workspace, uid: str, config_digest: str, now: float) -> None:
    """Takes the lock for run `uid`. `now` is in seconds since 1970.

    A run gets the lock if it owns it already, if there is none, or if the owner is dead or has released it
    and either has the same configuration or left no artifact. Otherwise raises WorkspaceInUse, which names
    the owner.
    """
    lock = Lock(
        uid=uid, config_digest=config_digest, host=socket.gethostname(), process=_process(), heartbeat=now
    )
    with _lock_file_guard(workspace):
        held = read(workspace)
        if held is not None and held.uid != uid:
            _check_takeover(workspace, held, config_digest, now)
        write_text(workspace.lock, _text(lock))
        written = read(workspace)
    if written is None or written.uid != uid:
        raise _in_use(workspace, written or lock, "was taken at the same moment")


def heartbeat(workspace: Workspace, uid: str, now: float) -> None:
    """Records that the run is alive at `now`, in seconds since 1970, unless another run has the lock."""
    with _lock_file_guard(workspace):
        held = read(workspace)
        if held is not None and held.uid == uid:
            write_text(workspace.lock, _text(replace(held, heartbeat=now)))


def release(workspace: Workspace, uid: str) -> None:
    """Releases the lock; it still names the owner of the artifacts. Does nothing if another run has it."""
    with _lock_file_guard(workspace):
        held = read(workspace)
        if held is not None and held.uid == uid:
            write_text(workspace.lock, _text(replace(held, heartbeat=None)))


@contextmanager
def hold(workspace: Workspace, uid: str, config_digest: str) -> Iterator[None]:
    """Holds the lock during the block, with heartbeats. Raises WorkspaceInUse as `acquire` does."""
    acquire(workspace, uid, config_digest, time.time())
    with _heartbeats(workspace, uid):
        yield


@contextmanager
def hold_when_free(workspace: Workspace, uid: str, config_digest: str) -> Iterator[None]:
    """Waits until the owner releases the lock or is dead, then holds it as `hold` does.

    Raises WorkspaceInUse if the lock file is not a lock.
    """
    waited_for = ""
    while True:
        try:
            acquire(workspace, uid, config_digest, time.time())
            break
        except WorkspaceInUse:
            held = read(workspace)
            if held is not None and held.uid != waited_for:
                waited_for = held.uid
                print(
                    f"waiting for run {held.uid} (on {held.host}), which holds {workspace.root}", flush=True
                )
            time.sleep(_RETRY_SECONDS)
    with _heartbeats(workspace, uid):
        yield


@contextmanager
def _heartbeats(workspace: Workspace, uid: str) -> Iterator[None]:
    stop = threading.Event()

    def send() -> None:
        while not stop.wait(HEARTBEAT_SECONDS):
            with suppress(OSError):  # a full disk is reported by the code that saves artifacts
                heartbeat(workspace, uid, time.time())

    thread = threading.Thread(target=send, name="workspace-heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        with suppress(OSError):
            release(workspace, uid)


def read(workspace: Workspace) -> Lock | None:
    """The lock; None if there is none. Raises WorkspaceInUse if the file is not a lock."""
    try:
        return Lock(**json.loads(workspace.lock.read_text()))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError) as error:
        raise WorkspaceInUse(
            f"{workspace.lock} is not a workspace lock; choose another spec.storage.path"
        ) from error


def _check_takeover(workspace: Workspace, held: Lock, config_digest: str, now: float) -> None:
    """Raises WorkspaceInUse if the owner is alive or left artifacts of another configuration."""
    if _is_alive(held, now):
        raise _in_use(workspace, held, "is at work in it")
    if held.config_digest != config_digest and _holds_artifacts(workspace):
        raise _in_use(workspace, held, "left artifacts of another model, blend or training in it")


def _in_use(workspace: Workspace, held: Lock, what: str) -> WorkspaceInUse:
    return WorkspaceInUse(
        f"spec.storage: the workspace {workspace.root} is in use: run {held.uid} (on {held.host}) {what}. "
        "Choose another spec.storage.path, or remove that run and its folder"
    )


def _is_alive(held: Lock, now: float) -> bool:
    if held.heartbeat is None:
        return False
    if held.host == socket.gethostname():
        number = held.process.partition("@")[0]
        return _process(int(number)) == held.process
    return now - held.heartbeat <= DEAD_AFTER_SECONDS


def _process(number: int | None = None) -> str:
    """Id and start time in clock ticks, which tells a reused id apart; "" if there is no such process.

    `number` is the process id, by default of this process.
    """
    number = os.getpid() if number is None else number
    try:
        statistics = Path(f"/proc/{number}/stat").read_text()
    except OSError:
        return ""
    started = statistics.rpartition(")")[2].split()[19]
    return f"{number}@{started}"


def _holds_artifacts(workspace: Workspace) -> bool:
    results = (workspace.result(stage) for stage in Stage)
    return workspace.checkpoints.exists() or any(result.exists() for result in results)


@contextmanager
def _lock_file_guard(workspace: Workspace) -> Iterator[None]:
    """Excludes other processes from the lock file, if the file system supports flock."""
    workspace.root.mkdir(parents=True, exist_ok=True)
    with workspace.lock.with_suffix(".guard").open("w") as guard:
        with suppress(OSError):
            fcntl.flock(guard, fcntl.LOCK_EX)
        yield


def _text(lock: Lock) -> str:
    return json.dumps(asdict(lock), indent=2) + "\n"
