"""On a real API server: queues, a rubric that is not there, and conditions that kubectl wait believes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cluster.client import Client
from tests.cluster.control_plane import ControlPlane
from tests.cluster.fake_controllers import PodOutcome
from tests.cluster.kueue_crds import workloads_served
from tests.cluster.scenario import PATIENT, Scenario, scenario

from blendtune_api.v1alpha1 import Cluster, Evaluation, KeySelector, RubricReference
from blendtune_operator.names import QUEUE_NAME, WORKLOAD_JOB_UID, Kind, Object

QUEUED = Cluster(nodes=2, gpus_per_node=1, queue_name="gpus")


@pytest.fixture
def world(plane: ControlPlane, namespace: str, folder: Path) -> Iterator[Scenario]:
    with scenario(plane, namespace, folder, PATIENT) as started:
        yield started
        assert "Traceback" not in started.operator.text()


@pytest.fixture
def kueue(client: Client) -> Iterator[None]:
    with workloads_served(client):
        yield


def hold_suspended(world: Scenario, kind: Kind, name: str, value: bool) -> None:
    """The test acts as Kueue, which admits what waits, and preempts."""
    change = {"suspend": value} if kind is Kind.JOB else {"runPolicy": {"suspend": value}}
    world.client.patch(kind, world.namespace, name, {"spec": change})


def queued_child(world: Scenario, kind: Kind, name: str) -> Object:
    """The child once it is there: suspended, with the queue's label and without pods."""
    child: Object = world.wait_for(f"{kind} {name}", lambda: world.client.get(kind, world.namespace, name))
    assert child["metadata"]["labels"][QUEUE_NAME] == "gpus"
    assert child["spec"].get("runPolicy", child["spec"])["suspend"] is True
    return child


def live_pods(world: Scenario) -> list[Object]:
    pods = world.client.list(Kind.POD, world.namespace)
    return [pod for pod in pods if pod["status"].get("phase") in ("Pending", "Running")]


def test_every_stage_waits_for_the_queue_and_a_preempted_training_goes_on(world: Scenario) -> None:
    world.controllers.policy = lambda stage, _: PodOutcome(exit_code=None if stage == "train" else 0)
    world.apply(cluster=QUEUED)
    queued_child(world, Kind.JOB, "ads-blend")
    world.wait_for_state("Queued")
    assert not live_pods(world)
    hold_suspended(world, Kind.JOB, "ads-blend", False)
    queued_child(world, Kind.PYTORCH_JOB, "ads-train-1")
    world.wait_for_state("Queued")
    for value, reason in ((False, "Running"), (True, "Queued"), (False, "Running")):
        hold_suspended(world, Kind.PYTORCH_JOB, "ads-train-1", value)
        world.wait_for(
            reason, lambda reason=reason: world.condition("TrainingSucceeded").get("reason") == reason
        )
        if value:
            world.wait_for("its pods are gone", lambda: not live_pods(world))
    world.controllers.policy = lambda *_: PodOutcome()
    queued_child(world, Kind.JOB, "ads-eval")
    hold_suspended(world, Kind.JOB, "ads-eval", False)
    world.wait_for_state("Succeeded")
    assert world.status()["training"]["restarts"] == 0


def test_a_queue_and_no_kueue(world: Scenario) -> None:
    world.apply(cluster=QUEUED)
    words = "it waits for Kueue, and the API server knows no Workload"
    world.wait_for("it is told", lambda: words in world.condition("DataBlended").get("message", ""))
    assert world.status()["state"] == "Queued"
    assert not live_pods(world)


def test_a_workload_that_kueue_has_deactivated(world: Scenario, kueue: None) -> None:
    del kueue
    world.apply(cluster=QUEUED)
    job = queued_child(world, Kind.JOB, "ads-blend")
    labels = {WORKLOAD_JOB_UID: job["metadata"]["uid"]}
    evicted = {
        "type": "Evicted",
        "status": "True",
        "reason": "Deactivated",
        "message": "it was not ready in time",
    }
    world.client.create({
        "apiVersion": Kind.WORKLOAD.api_version, "kind": Kind.WORKLOAD.value,
        "metadata": {"name": "job-ads-blend", "namespace": world.namespace, "labels": labels},
        "spec": {"active": False}, "status": {"conditions": [evicted]},
    })  # fmt: skip
    words = (
        "Kueue has given up and deactivated Workload job-ads-blend (Deactivated: it was not ready in time)"
    )
    world.wait_for("it is told", lambda: words in world.condition("DataBlended").get("message", ""))
    path = Kind.WORKLOAD.path(world.namespace, "job-ads-blend")
    world.client.call("DELETE", path)
    hold_suspended(world, Kind.JOB, "ads-blend", False)
    world.wait_for("it blends", lambda: world.client.get(Kind.PYTORCH_JOB, world.namespace, "ads-train-1"))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        pytest.param(None, "ConfigMap my-rubric of the rubric is not there", id="no ConfigMap"),
        pytest.param({"x": "y"}, "ConfigMap my-rubric of the rubric has no key rubric.yaml", id="no key"),
    ],
)
def test_a_rubric_that_is_not_there(world: Scenario, data: dict[str, str] | None, words: str) -> None:
    world.controllers.namespace = "none"  # no kubelet starts a pod that has a volume missing
    path = f"/api/v1/namespaces/{world.namespace}/configmaps"
    if data is not None:
        world.client.call("POST", path, {"metadata": {"name": "my-rubric"}, "data": data})
    reference = RubricReference(config_map_ref=KeySelector(name="my-rubric", key="rubric.yaml"))
    world.apply(evaluation=Evaluation(rubric=reference))
    world.wait_for("it is named", lambda: words in world.condition("DataBlended").get("message", ""))
    metadata = {"name": "my-rubric", "namespace": world.namespace}
    patch = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"rubric.yaml": "x"}}
    query = f"{path}/my-rubric?fieldManager=tests&force=true"
    world.client.call("PATCH", query, patch, "application/apply-patch+yaml")
    world.wait_for("it is heard", lambda: "my-rubric" not in world.condition("DataBlended")["message"])
    world.controllers.namespace = world.namespace
    world.wait_for_state("Succeeded")


def test_after_an_edit_of_a_finished_run_every_condition_speaks_of_it(world: Scenario) -> None:
    """`kubectl wait` takes a condition of an earlier generation for one that is still to come."""
    world.apply()
    world.wait_for_state("Succeeded")
    changed = world.client.patch(
        Kind.BLENDED_FINE_TUNE, world.namespace, "ads", {"spec": {"ttlSecondsAfterFinished": 86_400}}
    )
    generation = changed["metadata"]["generation"]
    assert generation == 2

    def speaks_of_it() -> bool:
        return all(item.get("observedGeneration") == generation for item in world.status()["conditions"])

    world.wait_for("all conditions speak of it", speaks_of_it)
    assert world.condition("Succeeded")["status"] == "True"
