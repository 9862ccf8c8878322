"""Every attack of the threat model, on a real API server, by an editor of the namespace."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from tests.cluster.attacker import Attacker, NamedControllers, editor, remove_roles
from tests.cluster.attacks import ATTACKS, ON_GANGS
from tests.cluster.client import Client
from tests.cluster.control_plane import ControlPlane
from tests.cluster.namespaces import namespace_of
from tests.cluster.scenario import PATIENT, Scenario, scenario
from tests.cluster.test_rights import RULES, service_account

from blendtune_api.v1alpha1 import Gang
from blendtune_operator.gang import BACKENDS
from blendtune_operator.names import Kind

NAMESPACE = "attacked"
ALLOWED = {**PATIENT, "BLENDTUNE_ALLOWED_SERVICE_ACCOUNTS": "runs"}


@pytest.fixture(scope="module")
def world(plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scenario]:
    """An operator with the rights that it ships with, which serves all attacks."""
    client = plane.client
    folder = tmp_path_factory.mktemp("attacks")
    with namespace_of(client, NAMESPACE):
        token = service_account(client, NAMESPACE, [*RULES["run"], *RULES["lease"]])
        controllers = NamedControllers(client, NAMESPACE)
        with scenario(
            plane, NAMESPACE, folder, ALLOWED, token, controllers=controllers, gang=Gang.PYTORCH_JOB
        ) as started:
            yield started


@pytest.fixture(scope="module")
def dora(world: Scenario) -> Iterator[Client]:
    yield editor(world.client, NAMESPACE)
    remove_roles(world.client)


@contextmanager
def attacked(world: Scenario, dora: Client, name: str) -> Iterator[Attacker]:
    """The run goes afterwards, with all that it has left."""
    said = len(world.operator.text())
    yield Attacker(world, dora, name)
    assert "Traceback" not in world.operator.text()[said:]
    run = world.client.get(Kind.BLENDED_FINE_TUNE, NAMESPACE, name)
    if run is not None:
        world.client.delete({**run, "kind": Kind.BLENDED_FINE_TUNE.value})


def test_there_are_at_least_25() -> None:
    assert len(ATTACKS) >= 25


@pytest.mark.parametrize("name", ON_GANGS)
@pytest.mark.parametrize("gang", [gang for gang in BACKENDS if gang is not Gang.PYTORCH_JOB], ids=str)
def test_it_fails_whatever_makes_the_pods(world: Scenario, dora: Client, gang: Gang, name: str) -> None:
    with attacked(replace(world, gang=gang), dora, f"{gang.lower()}-{name}"[:36]) as attacker:
        ATTACKS[name].carry_out(attacker)


@pytest.mark.parametrize("name", ATTACKS)
def test_it_fails(world: Scenario, dora: Client, name: str) -> None:
    with attacked(world, dora, f"run-{name}"[:36]) as attacker:
        ATTACKS[name].carry_out(attacker)
