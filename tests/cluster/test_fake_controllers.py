"""The fake controllers do what the kubelet and the training operator do. Run when they change."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from tests.cluster.client import Client
from tests.cluster.control_plane import ControlPlane
from tests.cluster.fake_controllers import FakeControllers, PodOutcome, running
from tests.e2e.waiting import until
from tests.operator.builders import train_result

from blendtune_api.contract import decode_message
from blendtune_operator.names import ATTEMPT, OWNER_UID, REPLICA_INDEX, STAGE, TRAIN_CONTAINER, Kind, Object

pytestmark = pytest.mark.harness


@pytest.fixture
def controllers(client: Client, namespace: str) -> Iterator[FakeControllers]:
    account = f"/api/v1/namespaces/{namespace}/serviceaccounts/default"  # without it no pod is admitted
    until("there is a service account", lambda: client.find(account), every=0.05)
    with running(FakeControllers(client, namespace)) as started:
        yield started


def template(stage: str, container: str) -> Object:
    labels = {OWNER_UID: "uid", STAGE: stage, ATTEMPT: "1"}
    containers = [{"name": container, "image": "none"}]
    return {"metadata": {"labels": labels}, "spec": {"restartPolicy": "Never", "containers": containers}}


def job(namespace: str) -> Object:
    spec = {"backoffLimit": 0, "template": template("blend", "blend")}
    return {"apiVersion": "batch/v1", "kind": "Job", "spec": spec,
            "metadata": {"name": "work", "namespace": namespace}}  # fmt: skip


def gang(namespace: str, *, suspend: bool = False) -> Object:
    worker = {"replicas": 2, "restartPolicy": "Never", "template": template("train", TRAIN_CONTAINER)}
    spec = {"runPolicy": {"suspend": suspend}, "pytorchReplicaSpecs": {"Worker": worker}}
    return {"apiVersion": "kubeflow.org/v1", "kind": "PyTorchJob", "spec": spec,
            "metadata": {"name": "gang", "namespace": namespace}}  # fmt: skip


def has(client: Client, obj: Object, condition: str) -> Any:
    """Whether the condition of the object is true."""
    found = client.get(Kind(obj["kind"]), obj["metadata"]["namespace"], obj["metadata"]["name"]) or {}
    conditions = (found.get("status") or {}).get("conditions") or []
    return any(item["type"] == condition and item["status"] == "True" for item in conditions)


def wait_until_running(client: Client, work: Object) -> None:
    """Waits until the gang and both of its pods are running."""
    until("it runs", lambda: has(client, work, "Running"), 30, every=0.05)

    def phases() -> list[str]:
        pods = client.list(Kind.POD, work["metadata"]["namespace"])
        return [pod["status"].get("phase") for pod in pods]

    until("both pods run", lambda: phases() == ["Running", "Running"], 30, every=0.05)


def terminated(pod: Object) -> Object:
    (container,) = pod["status"]["containerStatuses"]
    ended: Object = container["state"]["terminated"]
    return ended


@pytest.mark.usefixtures("controllers")
def test_a_job_completes(client: Client, namespace: str) -> None:
    work = client.create(job(namespace))
    until("the job is complete", lambda: has(client, work, "Complete"), 30, every=0.05)
    (pod,) = client.list(Kind.POD, namespace)
    assert terminated(pod)["exitCode"] == 0
    assert decode_message(terminated(pod)["message"])
    assert pod["status"]["containerStatuses"][0]["name"] == "blend"
    assert not has(client, work, "Failed")


def test_a_job_fails(client: Client, namespace: str, controllers: FakeControllers) -> None:
    controllers.policy = lambda *_: PodOutcome(exit_code=137, reason="OOMKilled")
    work = client.create(job(namespace))
    until("the job has failed", lambda: has(client, work, "Failed"), 30, every=0.05)
    (pod,) = client.list(Kind.POD, namespace)
    assert (terminated(pod)["exitCode"], terminated(pod)["reason"]) == (137, "OOMKilled")


def test_a_gang_succeeds(client: Client, namespace: str, controllers: FakeControllers) -> None:
    asked: list[int] = []

    def hold(_: str, attempt: int) -> PodOutcome:
        asked.append(attempt)
        return PodOutcome(exit_code=None)

    controllers.policy = hold
    work = client.create(gang(namespace))
    wait_until_running(client, work)
    begun = len(asked)
    until("the pods were looked at again and again", lambda: len(asked) > begun + 8, 30, every=0.05)
    wait_until_running(client, work)
    assert not has(client, work, "Succeeded")
    controllers.policy = lambda *_: PodOutcome()
    until("it succeeds", lambda: has(client, work, "Succeeded"), 30, every=0.05)
    first, second = sorted(client.list(Kind.POD, namespace), key=lambda pod: pod["metadata"]["name"])
    assert [first["metadata"]["name"], second["metadata"]["name"]] == ["gang-worker-0", "gang-worker-1"]
    assert decode_message(terminated(first)["message"]) == train_result()
    assert not terminated(second).get("message")
    assert second["metadata"]["labels"][REPLICA_INDEX] == "1"
    assert first["metadata"]["ownerReferences"][0]["uid"] == work["metadata"]["uid"]


@pytest.mark.usefixtures("controllers")
def test_a_gang_waits_while_it_is_suspended(client: Client, namespace: str) -> None:
    work = client.create(gang(namespace, suspend=True))
    until("it is suspended", lambda: has(client, work, "Suspended"), 30, every=0.05)
    assert not client.list(Kind.POD, namespace)
    client.patch(Kind.PYTORCH_JOB, namespace, "gang", {"spec": {"runPolicy": {"suspend": False}}})
    until("it succeeds", lambda: has(client, work, "Succeeded"), 30, every=0.05)
    assert not has(client, work, "Suspended")


def test_a_lost_worker_takes_the_gang_with_it(
    client: Client, namespace: str, controllers: FakeControllers
) -> None:
    """The pod that failed stays and can be asked why; the other is removed (cleanPodPolicy Running)."""
    controllers.policy = lambda *_: PodOutcome(exit_code=None)
    work = client.create(gang(namespace))
    wait_until_running(client, work)
    lost = client.get(Kind.POD, namespace, "gang-worker-1")
    assert lost is not None
    client.set_status(lost, {"phase": "Failed"})
    until("it has failed", lambda: has(client, work, "Failed"), 30, every=0.05)
    assert [pod["metadata"]["name"] for pod in client.list(Kind.POD, namespace)] == ["gang-worker-1"]


def test_a_failed_test_says_why_the_controllers_had_stopped(plane: ControlPlane) -> None:
    refused = FakeControllers(Client(plane.server, "stranger"), "default")
    with pytest.raises(AssertionError) as failed, running(refused):
        until(
            "the controllers have stopped",
            lambda: "fake controllers" not in {thread.name for thread in threading.enumerate()},
            10,
            0.05,
        )
        raise AssertionError("the test waited in vain")
    assert "401" in failed.value.__notes__[0]
