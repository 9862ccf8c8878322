"""A quiet cluster stays quiet."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.cluster.control_plane import ControlPlane
from tests.cluster.players import Play
from tests.cluster.scenario import Scenario, scenario
from tests.e2e.waiting import until

from blendtune_operator.names import Kind

FINISHED = RUNNING = 100
QUIET_SECONDS = 60


def states(world: Scenario) -> list[str]:
    runs = world.client.list(Kind.BLENDED_FINE_TUNE, world.namespace)
    return [(run.get("status") or {}).get("state", "") for run in runs]


def running(world: Scenario) -> int:
    """How many runs know that their training runs: `Training` begins before its pods do."""
    runs = world.client.list(Kind.BLENDED_FINE_TUNE, world.namespace)
    conditions = [item for run in runs for item in (run.get("status") or {}).get("conditions") or []]
    return [(item["type"], item["reason"]) for item in conditions].count(("TrainingSucceeded", "Running"))


def writes(world: Scenario) -> int:
    """All writes but the renewal of the Lease, which is a PUT."""
    return sum(world.proxy.requests[method] for method in ("POST", "PATCH", "DELETE"))


@pytest.mark.timeout(900)
def test_nothing_is_written_when_nothing_changes(plane: ControlPlane, namespace: str, folder: Path) -> None:
    """A hundred finished and a hundred running runs, a resync every five seconds, for a minute."""
    with scenario(plane, namespace, folder) as world:
        for number in range(FINISHED):
            world.apply(f"done{number}")
        world.wait_for("all have finished", lambda: states(world).count("Succeeded") == FINISHED, 400, 1)
        world.players.policy = lambda stage, _: Play(exit_code=None if stage == "train" else 0)
        for number in range(RUNNING):
            world.apply(f"busy{number}")
        world.wait_for("the others train", lambda: running(world) == RUNNING, 400, 1)
        settle(world)
        before = writes(world)
        reads = world.proxy.requests["GET"]
        known = len(world.proxy.writes)
        try:
            until("something is written", lambda: writes(world) > before, QUIET_SECONDS)
        except TimeoutError:
            pass
        else:
            raise AssertionError(f"written, events aside: {world.proxy.writes[known:]}")
        assert world.proxy.requests["GET"] > reads  # it was not dead


def settle(world: Scenario) -> None:
    """Waits until nothing has been written for as long as a resync takes."""
    seen = -1
    while seen != writes(world):
        seen = writes(world)
        try:
            until("something is written", lambda seen=seen: writes(world) > seen, 8)
        except TimeoutError:
            return
