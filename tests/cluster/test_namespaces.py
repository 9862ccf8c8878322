"""The whole cluster served by one operator: namespaces that go, and a training operator that comes later."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cluster.client import Client
from tests.cluster.control_plane import ControlPlane, install_crds
from tests.cluster.fake_controllers import PodOutcome
from tests.cluster.scenario import Scenario, scenario
from tests.e2e.waiting import until

from blendtune_api.v1alpha1 import Cluster, Gang
from blendtune_operator.gang import BACKENDS

_CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_EVERYWHERE = {"BLENDTUNE_NAMESPACES": "", "BLENDTUNE_LEASE_NAMESPACE": "kube-system"}


@pytest.fixture
def world(plane: ControlPlane, namespace: str, folder: Path) -> Iterator[Scenario]:
    with scenario(plane, namespace, folder, _EVERYWHERE) as started:
        yield started


def test_a_namespace_full_of_running_objects_can_be_deleted(world: Scenario, client: Client) -> None:
    client.call("POST", "/api/v1/namespaces", {"metadata": {"name": "doomed"}})
    world.wait_for("an account", lambda: client.find("/api/v1/namespaces/doomed/serviceaccounts/default"))
    doomed = Scenario(client, "doomed", world.proxy, world.operator, world.controllers)
    world.controllers.namespace = None
    world.controllers.policy = lambda stage, _: PodOutcome(exit_code=0 if stage == "blend" else None)
    for number in range(20):
        gang = [*BACKENDS][number % len(BACKENDS)]
        doomed.apply(f"run{number}", cluster=Cluster(nodes=2, gpus_per_node=1, gang=gang))
    for number in range(20):
        doomed.wait_for_state("Training", name=f"run{number}")
    client.call("DELETE", "/api/v1/namespaces/doomed")
    world.wait_for("it is gone", lambda: client.find("/api/v1/namespaces/doomed") is None)
    lines = world.operator.text().splitlines()
    assert not [line for line in lines if " ERROR " in line or "Traceback" in line]


def test_a_run_waits_for_the_training_operator(
    plane: ControlPlane, client: Client, namespace: str, folder: Path
) -> None:
    remove_crds(client, "pytorchjobs.kubeflow.org")
    try:
        with scenario(plane, namespace, folder, _EVERYWHERE) as world:
            world.controllers.policy = lambda *_: PodOutcome()
            world.apply(cluster=Cluster(nodes=2, gpus_per_node=1, gang=Gang.PYTORCH_JOB))
            world.wait_for(
                "the run says what is missing",
                lambda: world.condition("Accepted").get("reason") == "GangNotServed",
            )
            assert "install the Kubeflow training operator" in world.condition("Accepted")["message"]
            install_crds(client)
            world.wait_for_state("Succeeded")
    finally:
        install_crds(client)


def test_without_any_controller_a_run_trains_by_jobs(
    plane: ControlPlane, client: Client, namespace: str, folder: Path
) -> None:
    remove_crds(
        client, "pytorchjobs.kubeflow.org", "trainjobs.trainer.kubeflow.org", "jobsets.jobset.x-k8s.io"
    )
    try:
        with scenario(plane, namespace, folder, _EVERYWHERE) as world:
            world.apply()
            world.wait_for_state("Succeeded")
            assert world.status()["pinned"]["gang"] == Gang.JOB
    finally:
        install_crds(client)


def remove_crds(client: Client, *names: str) -> None:
    for name in names:
        client.call("DELETE", f"{_CRDS}/{name}")
    until("the CRDs are gone", lambda: not any(client.find(f"{_CRDS}/{name}") for name in names), every=0.1)
