"""What tests do to a run between its start and its end."""

from __future__ import annotations

from tests.cluster.fake_controllers import PodOutcome
from tests.cluster.scenario import Scenario

from blendtune_operator.names import Kind, Object

RUNNING = PodOutcome(exit_code=None)
BFT = Kind.BLENDED_FINE_TUNE


def hold(world: Scenario, stage: str) -> None:
    """Every attempt of the stage runs on; the others succeed."""
    world.controllers.policy = lambda played, _: RUNNING if played == stage else PodOutcome()


def release(world: Scenario) -> None:
    world.controllers.policy = lambda *_: PodOutcome()


def edit(world: Scenario, change: Object, name: str = "ads") -> None:
    world.client.patch(BFT, world.namespace, name, {"spec": change})


def running(world: Scenario, condition: str) -> None:
    world.wait_for(f"{condition} is running", lambda: world.condition(condition).get("reason") == "Running")


def live_pods(world: Scenario) -> list[Object]:
    pods = world.client.list(Kind.POD, world.namespace)
    return [pod for pod in pods if pod["status"].get("phase") in ("Pending", "Running")]
