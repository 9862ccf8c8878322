"""The lock of a workspace: whose artifacts it holds, and whether their owner is still at work."""

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
from blendtune_runtime.errors import StageError, WorkspaceInUse
from blendtune_runtime.files import write_text

HEARTBEAT_SECONDS = 15.0
_TURN_SECONDS = 1.0
DEAD_AFTER_SECONDS = 60.0  # without a heartbeat, where the owner's process cannot be seen


@dataclass(frozen=True, kw_only=True, slots=True)
class Lock:
    """What `lock.json` says. `heartbeat` is None once the owner has let go; its artifacts stay its own."""

    uid: str
    config_digest: str
    host: str
    process: str  # id and start time of the process on that host
    heartbeat: float | None  # seconds since 1970


def acquire(workspace: Workspace, uid: str, config_digest: str, now: float) -> None:
    """Makes the workspace this run's.

    It is had by the run that holds it already, by one of the same configuration when the owner is dead, and
    by anyone when the owner is dead and left no artifact. Raises StageError, naming the owner, otherwise.
    """
    lock = Lock(
        uid=uid, config_digest=config_digest, host=socket.gethostname(), process=_process(), heartbeat=now
    )
    with _guarded(workspace):
        held = read(workspace)
        if held is not None and held.uid != uid:
            _check_left(workspace, held, config_digest, now)
        write_text(workspace.lock, _text(lock))
        written = read(workspace)
    if written is None or written.uid != uid:
        raise _refusal(workspace, written or lock, "was taken at the same moment")


def heartbeat(workspace: Workspace, uid: str, now: float) -> None:
    """Shows that the run is alive. A lock that another run has taken over is left alone."""
    with _guarded(workspace):
        held = read(workspace)
        if held is not None and held.uid == uid:
            write_text(workspace.lock, _text(replace(held, heartbeat=now)))


def release(workspace: Workspace, uid: str) -> None:
    """Lets go of the workspace; the lock still says whose artifacts it holds."""
    with _guarded(workspace):
        held = read(workspace)
        if held is not None and held.uid == uid:
            write_text(workspace.lock, _text(replace(held, heartbeat=None)))


@contextmanager
def hold(workspace: Workspace, uid: str, config_digest: str) -> Iterator[None]:
    """Holds the lock for the length of the block, with a heartbeat from a thread."""
    acquire(workspace, uid, config_digest, time.time())
    with _beating(workspace, uid):
        yield


@contextmanager
def hold_in_turn(workspace: Workspace, uid: str, config_digest: str) -> Iterator[None]:
    """Holds the lock as `hold` does, once the run that has it lets go or is dead."""
    waited_for = ""
    while True:
        try:
            acquire(workspace, uid, config_digest, time.time())
            break
        except StageError:
            held = read(workspace)
            if held is not None and held.uid != waited_for:
                waited_for = held.uid
                print(
                    f"waiting for run {held.uid} (on {held.host}), which holds {workspace.root}", flush=True
                )
            time.sleep(_TURN_SECONDS)
    with _beating(workspace, uid):
        yield


@contextmanager
def _beating(workspace: Workspace, uid: str) -> Iterator[None]:
    stop = threading.Event()

    def beat() -> None:
        while not stop.wait(HEARTBEAT_SECONDS):
            with suppress(OSError):  # a full disk is reported by whoever has something to save
                heartbeat(workspace, uid, time.time())

    thread = threading.Thread(target=beat, name="workspace-heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        with suppress(OSError):
            release(workspace, uid)


def read(workspace: Workspace) -> Lock | None:
    """The lock, or None where there is none. Raises StageError for a file that is none."""
    try:
        return Lock(**json.loads(workspace.lock.read_text()))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError) as error:
        raise WorkspaceInUse(
            f"{workspace.lock} is not a workspace lock; choose another spec.storage.path"
        ) from error


def _check_left(workspace: Workspace, held: Lock, config_digest: str, now: float) -> None:
    """Raises StageError unless the owner is dead and left nothing of another configuration."""
    if _is_alive(held, now):
        raise _refusal(workspace, held, "is at work in it")
    if held.config_digest != config_digest and _holds_artifacts(workspace):
        raise _refusal(workspace, held, "left artifacts of another model, blend or training in it")


def _refusal(workspace: Workspace, held: Lock, what: str) -> StageError:
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
    """A process's id and its start in clock ticks, so that a reused id is told apart; "" when it is gone."""
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
def _guarded(workspace: Workspace) -> Iterator[None]:
    """Alone with the lock file, where the file system has locks of its own."""
    workspace.root.mkdir(parents=True, exist_ok=True)
    with workspace.lock.with_suffix(".guard").open("w") as guard:
        with suppress(OSError):
            fcntl.flock(guard, fcntl.LOCK_EX)
        yield


def _text(lock: Lock) -> str:
    return json.dumps(asdict(lock), indent=2) + "\n"
