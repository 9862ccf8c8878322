"""Which run may take the lock of a workspace."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from blendtune_api.contract import ExitCode, Workspace
from blendtune_api.v1alpha1 import Stage
from blendtune_runtime.errors import WorkspaceInUse
from blendtune_runtime.files import write_text
from blendtune_runtime.workspace_lock import (
    Lock,
    acquire,
    heartbeat,
    hold,
    hold_when_free,
    read,
    release,
)

NOW = 1_000_000.0


@pytest.fixture
def place(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "run")


def lock(workspace: Workspace, **changes: object) -> None:
    """A lock that run `other` of digest `d` left from another machine, just now."""
    held = Lock(uid="other", config_digest="d", host="elsewhere", process="7@8", heartbeat=NOW)
    held = replace(held, **changes)  # type: ignore[arg-type]
    write_text(workspace.lock, json.dumps({field: getattr(held, field) for field in Lock.__slots__}))


def leave_artifact(workspace: Workspace) -> None:
    write_text(workspace.result(Stage.BLEND), "{}")


def test_an_empty_workspace_is_taken(place: Workspace) -> None:
    acquire(place, "mine", "d", NOW)
    held = read(place)
    assert held is not None
    assert (held.uid, held.config_digest, held.host, held.heartbeat) == (
        "mine",
        "d",
        socket.gethostname(),
        NOW,
    )
    assert {file.name for file in place.root.iterdir()} == {"lock.json", "lock.guard"}


@pytest.mark.parametrize(
    ("changes", "digest", "artifacts"),
    [
        pytest.param({"uid": "mine"}, "e", True, id="the same run, whatever else"),
        pytest.param({"heartbeat": NOW - 61}, "d", True, id="same configuration, dead elsewhere"),
        pytest.param({"heartbeat": None}, "d", True, id="same configuration, released"),
        pytest.param({"host": socket.gethostname()}, "d", True, id="same configuration, its process gone"),
        pytest.param({"heartbeat": None}, "e", False, id="another configuration that left nothing"),
    ],
)
def test_taken_over(place: Workspace, changes: dict[str, object], digest: str, artifacts: bool) -> None:
    lock(place, **changes)
    if artifacts:
        leave_artifact(place)
    acquire(place, "mine", digest, NOW)
    held = read(place)
    assert held is not None and (held.uid, held.config_digest) == ("mine", digest)


@pytest.mark.parametrize(
    ("changes", "digest", "why"),
    [
        pytest.param({}, "d", "is at work in it", id="same configuration, alive"),
        pytest.param({"heartbeat": NOW - 59}, "d", "is at work in it", id="not yet dead"),
        pytest.param({}, "e", "is at work in it", id="another configuration, alive"),
        pytest.param(
            {"heartbeat": None}, "e", "left artifacts of another", id="artifacts of another configuration"
        ),
    ],
)
def test_refused(place: Workspace, changes: dict[str, object], digest: str, why: str) -> None:
    lock(place, **changes)
    leave_artifact(place)
    before = place.lock.read_bytes()
    with pytest.raises(WorkspaceInUse, match=why) as raised:
        acquire(place, "mine", digest, NOW)
    assert raised.value.exit_code is ExitCode.WORKSPACE_IN_USE
    assert "run other (on elsewhere)" in raised.value.message
    assert place.lock.read_bytes() == before


def test_an_owner_at_work_on_this_host_is_alive_however_old_its_heartbeat(place: Workspace) -> None:
    acquire(place, "other", "d", NOW)
    with pytest.raises(WorkspaceInUse, match="is at work in it"):
        acquire(place, "mine", "d", NOW + 3600)


def test_an_owner_that_was_killed_on_this_host_is_dead_at_once(place: Workspace) -> None:
    program = (
        "import os, sys, time; from pathlib import Path; from blendtune_api.contract import Workspace;"
        "from blendtune_runtime.workspace_lock import acquire;"
        "acquire(Workspace(Path(sys.argv[1])), 'other', 'd', time.time()); os.kill(os.getpid(), 9)"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", program, str(place.root)], env=environment, check=False)
    held = read(place)
    assert held is not None and held.uid == "other" and held.heartbeat is not None
    acquire(place, "mine", "d", held.heartbeat + 1)


def test_heartbeat_and_release_are_the_owners(place: Workspace) -> None:
    acquire(place, "mine", "d", NOW)
    heartbeat(place, "other", NOW + 5)
    release(place, "other")
    held = read(place)
    assert held is not None and held.heartbeat == NOW
    heartbeat(place, "mine", NOW + 5)
    held = read(place)
    assert held is not None and held.heartbeat == NOW + 5
    release(place, "mine")
    held = read(place)
    assert held is not None and held.heartbeat is None


def test_a_held_workspace_is_released_after_a_failure_too(place: Workspace) -> None:
    with pytest.raises(RuntimeError), hold(place, "mine", "d"):
        held = read(place)
        assert held is not None and held.heartbeat is not None
        raise RuntimeError
    held = read(place)
    assert held is not None and held.heartbeat is None


def test_a_file_that_is_no_lock_is_left_alone(place: Workspace) -> None:
    write_text(place.lock, "notes")
    with pytest.raises(WorkspaceInUse, match="not a workspace lock"):
        acquire(place, "mine", "d", NOW)
    assert place.lock.read_text() == "notes"


def test_a_run_waits_for_its_turn(place: Workspace) -> None:
    order: list[str] = []
    inside = threading.Event()
    let_go = threading.Event()

    def first() -> None:
        with hold(place, "first", "d"):
            inside.set()
            let_go.wait()
            order.append("first")

    def second() -> None:
        with hold_when_free(place, "second", "d"):
            order.append("second")

    with ThreadPoolExecutor() as pool:
        holding = pool.submit(first)
        inside.wait()
        waiting = pool.submit(second)
        assert not waiting.done()
        let_go.set()
        holding.result()
        waiting.result()
    assert order == ["first", "second"]


def test_a_lock_that_is_none_ends_the_wait(place: Workspace) -> None:
    write_text(place.lock, "{")
    with pytest.raises(WorkspaceInUse, match="not a workspace lock"), hold_when_free(place, "mine", "d"):
        pass


def test_of_many_that_find_it_left_one_takes_it(place: Workspace) -> None:
    for _ in range(20):
        lock(place, heartbeat=None)
        start = threading.Barrier(8)

        def take(uid: str, start: threading.Barrier = start) -> bool:
            start.wait()
            try:
                acquire(place, uid, "d", NOW)
            except WorkspaceInUse:
                return False
            return True

        with ThreadPoolExecutor(8) as pool:
            taken = dict(zip("abcdefgh", pool.map(take, "abcdefgh"), strict=True))
        held = read(place)
        assert held is not None
        assert [uid for uid, was_taken in taken.items() if was_taken] == [held.uid]
        assert {file.name for file in place.root.iterdir()} == {"lock.json", "lock.guard"}
