"""What tests read of the BlendedFineTune of a world."""

from __future__ import annotations

from tests.operator.world import World

from blendtune_api.v1alpha1 import BlendedFineTuneStatus, ConditionStatus, ConditionType
from blendtune_operator.conditions import find
from blendtune_operator.names import ATTEMPT_KINDS, Object


def condition(world: World, type: ConditionType) -> tuple[ConditionStatus, str]:
    found = find(world.fine_tune().status.conditions, type)
    assert found is not None
    return found.status, found.reason


def message(world: World, type: ConditionType) -> str:
    found = find(world.fine_tune().status.conditions, type)
    assert found is not None
    return found.message


def status(world: World) -> BlendedFineTuneStatus:
    return world.fine_tune().status


def train_jobs(world: World) -> list[str]:
    """The names of all gangs that were made."""
    return [name for kind, name in world.created if kind in ATTEMPT_KINDS and "-train-" in name]


def gangs(world: World) -> list[Object]:
    """Those that are there."""
    return [job for job in world.jobs() if "-train-" in job["metadata"]["name"]]
