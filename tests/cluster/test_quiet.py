"""A quiet cluster stays quiet."""

from __future__ import annotations

from pathlib import Path

from tests.cluster.control_plane import ControlPlane
from tests.cluster.fake_controllers import PodOutcome
from tests.cluster.scenario import Scenario, scenario
from tests.operator.builders import self_blend

from blendtune_api.v1alpha1 import Cluster
from blendtune_operator.gang import BACKENDS
from blendtune_operator.names import Kind

FINISHED = RUNNING = 20
RELISTS = 10  # each is followed by a reconcile of every run


def states(world: Scenario) -> list[str]:
    runs = world.client.list(Kind.BLENDED_FINE_TUNE, world.namespace)
    return [(run.get("status") or {}).get("state", "") for run in runs]


def running(world: Scenario) -> int:
    """How many runs know that their pods rehearse or train: the state begins before its pods do."""
    runs = world.client.list(Kind.BLENDED_FINE_TUNE, world.namespace)
    conditions = [item for run in runs for item in (run.get("status") or {}).get("conditions") or []]
    stages = ("DataRehearsed", "TrainingSucceeded")
    return [item["type"] in stages and item["reason"] == "Running" for item in conditions].count(True)


def writes(world: Scenario) -> int:
    """All writes, events included; the renewal of the Lease, which is a PUT, is not."""
    return sum(world.proxy.requests[method] for method in ("POST", "PATCH", "DELETE"))


def settle(world: Scenario) -> None:
    """Waits until a whole re-list has led to no write."""
    seen = -1
    while seen != writes(world):
        seen = writes(world)
        world.wait_for_relists(1)


def test_nothing_is_written_when_nothing_changes(plane: ControlPlane, namespace: str, folder: Path) -> None:
    """Through re-lists of finished and of running runs, with every gang."""
    with scenario(plane, namespace, folder) as world:
        for number in range(FINISHED):
            world.apply(f"done{number}")
        world.wait_for("all have finished", lambda: states(world).count("Succeeded") == FINISHED, 400, 1)
        world.controllers.policy = lambda stage, _: PodOutcome(
            exit_code=None if stage in ("rehearse", "train") else 0
        )
        for number in range(RUNNING):
            gang = [*BACKENDS][number // 2 % len(BACKENDS)]
            cluster = Cluster(nodes=2, gpus_per_node=1, gang=gang)
            blend = {"blend": self_blend()} if number % 2 else {}
            world.apply(f"busy{number}", cluster=cluster, **blend)
        world.wait_for("the others rehearse or train", lambda: running(world) == RUNNING, 400, 1)
        settle(world)
        before, known = writes(world), len(world.proxy.writes)
        world.wait_for_relists(RELISTS)
        assert writes(world) == before, f"written, events aside: {world.proxy.writes[known:]}"
