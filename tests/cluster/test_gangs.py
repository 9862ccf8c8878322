"""The gang of a training on a real API server, whatever makes its pods: the same happens to all of them."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from tests.cluster.control_plane import ControlPlane
from tests.cluster.fake_controllers import PodOutcome
from tests.cluster.scenario import Scenario, scenario
from tests.cluster.steps import edit, hold, live_pods, release, running
from tests.operator.gangs import pods_of

from blendtune_api.codec import encode
from blendtune_api.contract import ExitCode, Failure, Progress, encode_message
from blendtune_api.v1alpha1 import Cluster, Reason
from blendtune_operator.gang import BACKENDS
from blendtune_operator.names import METRICS_PORT, Kind, Object
from blendtune_operator.plan.children import JobPhase, phase_of, pod_index


@pytest.fixture(params=BACKENDS, ids=str)
def world(
    request: pytest.FixtureRequest, plane: ControlPlane, namespace: str, folder: Path
) -> Iterator[Scenario]:
    """Its runs have this gang."""
    with scenario(plane, namespace, folder, gang=request.param) as started:
        yield started
        assert "Traceback" not in started.operator.text()


def gang(world: Scenario, attempt: int = 1) -> Object | None:
    """The object of a training attempt."""
    kind = BACKENDS[world.gang].kind
    found = world.client.get(kind, world.namespace, f"ads-train-{attempt}")
    return found and {**found, "apiVersion": kind.api_version, "kind": kind.value}


def pods(world: Scenario) -> list[Object]:
    """Those of the training, by index."""
    found = world.client.list(Kind.POD, world.namespace, "blendtune.io/stage=train")
    return sorted(found, key=pod_index)


def test_it_trains_and_its_children_go_with_the_run(world: Scenario) -> None:
    hold(world, "train")
    run = world.apply()
    running(world, "TrainingSucceeded")
    assert world.status()["pinned"]["gang"] == world.gang
    assert [pod_index(pod) for pod in pods(world)] == [0, 1]
    release(world)
    world.wait_for_state("Succeeded")
    assert [item["number"] for item in world.status()["attempts"] if item["stage"] == "train"] == [1]
    world.client.delete(run)
    world.wait_for("all is gone", lambda: not world.children() and not pods(world))


def test_suspend_and_resume(world: Scenario) -> None:
    hold(world, "train")
    world.apply()
    running(world, "TrainingSucceeded")
    edit(world, {"suspend": True})
    world.wait_for_state("Suspended")
    world.wait_for("no pod is left", lambda: not live_pods(world))
    release(world)
    edit(world, {"suspend": False})
    world.wait_for_state("Succeeded")
    assert world.status()["training"]["restarts"] == 1


def test_a_run_that_is_deleted_leaves_nothing_behind(world: Scenario) -> None:
    hold(world, "train")
    run = world.apply()
    running(world, "TrainingSucceeded")
    world.client.delete(run)
    world.wait_for("all is gone", lambda: not world.children() and not live_pods(world))


def test_a_queue_is_given_it_suspended(world: Scenario) -> None:
    """No pod is there before the queue admits it; without Kueue the run says what it waits for."""
    hold(world, "train")
    world.apply(cluster=Cluster(nodes=2, gpus_per_node=1, queue_name="gpus"))
    admit(world, Kind.JOB, "ads-blend")
    world.wait_for("the gang is there", lambda: gang(world))
    world.wait_for("it waits", lambda: world.condition("TrainingSucceeded").get("reason") == "Queued")
    assert "waits in queue gpus" in world.condition("TrainingSucceeded")["message"]
    assert "install Kueue" in world.condition("TrainingSucceeded")["message"]
    assert not pods(world)
    admit(world, BACKENDS[world.gang].kind, "ads-train-1")
    running(world, "TrainingSucceeded")


def admit(world: Scenario, kind: Kind, name: str) -> None:
    """As a queue does."""
    world.wait_for(f"{name} is there", lambda: world.client.get(kind, world.namespace, name))
    spec = {"runPolicy": {"suspend": False}} if kind is Kind.PYTORCH_JOB else {"suspend": False}
    world.client.patch(kind, world.namespace, name, {"spec": spec})


def test_an_attempt_that_fails_is_followed_by_another_until_the_limit(world: Scenario) -> None:
    peer_lost = PodOutcome(exit_code=137, message="", reason="OOMKilled")
    world.controllers.policy = lambda stage, _: peer_lost if stage == "train" else PodOutcome()
    world.apply(cluster=Cluster(nodes=2, gpus_per_node=1, backoff_limit=2))
    world.wait_for_state("Failed")
    attempts = [attempt for attempt in world.status()["attempts"] if attempt["stage"] == "train"]
    assert [attempt["number"] for attempt in attempts] == [1, 2, 3]
    assert all("OutOfMemory" in attempt["cause"] and attempt["exitCode"] == 137 for attempt in attempts)
    assert world.condition("Failed")["reason"] == "BackoffLimitExceeded"
    assert "memory" in world.condition("Failed")["message"]


def test_disruptions_do_not_count(world: Scenario) -> None:
    gone = PodOutcome(exit_code=143, message="", disrupted=True)
    world.controllers.policy = lambda stage, number: gone if stage == "train" and number < 4 else PodOutcome()
    world.apply(cluster=Cluster(nodes=2, gpus_per_node=1, backoff_limit=0))
    world.wait_for_state("Succeeded")
    assert world.status()["training"]["restarts"] == 3


def test_a_pod_that_is_deleted_is_a_disruption_though_nothing_is_left_of_it(world: Scenario) -> None:
    """The only pod is drained: when the operator looks, the training has failed and has no pod left."""
    hold(world, "train")
    world.apply(cluster=Cluster(nodes=1, gpus_per_node=1, backoff_limit=0))
    running(world, "TrainingSucceeded")
    with operator_paused(world):
        end_by_deletion(world, pods(world)[0]["metadata"]["name"], exit_code=143)
        release(world)
    world.wait_for_state("Succeeded")
    (first, second) = [attempt for attempt in world.status()["attempts"] if attempt["stage"] == "train"]
    assert first["cause"].startswith("Disrupted: "), first
    assert "pod was deleted" in first["cause"]
    assert not first.get("counted", False)
    assert second["number"] == 2


@contextmanager
def operator_paused(world: Scenario) -> Iterator[None]:
    """The operator is stopped by SIGSTOP meanwhile."""
    os.kill(world.operator.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(world.operator.pid, signal.SIGCONT)


def end_by_deletion(world: Scenario, name: str, exit_code: int) -> None:
    """Deletes a pod as a kubelet does: its container ends, its gang fails by that, and then it goes."""
    pod = (Kind.POD, world.namespace, name)
    known = world.client.get(*pod)
    assert known is not None
    others = known["metadata"].get("finalizers") or []
    world.client.patch(*pod, {"metadata": {"finalizers": [*others, "blendtune.org/test"]}})
    world.client.delete({**known, "kind": Kind.POD.value})
    end = world.client.get(*pod)
    assert end is not None
    container = end["status"]["containerStatuses"][0]
    finished = end["metadata"]["deletionTimestamp"]
    state = {"terminated": {"exitCode": exit_code, "reason": "Error", "finishedAt": finished}}
    status = {**end["status"], "phase": "Failed", "containerStatuses": [{**container, "state": state}]}
    world.client.set_status({**end, "kind": Kind.POD.value}, status)
    world.wait_for("the gang has failed", lambda: (job := gang(world)) and phase_of(job) is JobPhase.FAILED)
    world.client.patch(*pod, {"metadata": {"finalizers": None}})
    world.wait_for("the pod is gone", lambda: world.client.get(*pod) is None)


def test_a_bad_configuration_fails_at_once_and_runs_again_once_it_is_mended(world: Scenario) -> None:
    failure = Failure(reason=Reason.BAD_CONFIGURATION, message="resources are wrong")
    bad = PodOutcome(exit_code=ExitCode.BAD_CONFIGURATION, message=encode_message(failure))
    world.controllers.policy = lambda stage, _: bad if stage == "train" else PodOutcome()
    world.apply(cluster=Cluster(nodes=2, gpus_per_node=1, backoff_limit=3))
    world.wait_for_state("Failed")
    assert len([item for item in world.status()["attempts"] if item["stage"] == "train"]) == 1
    release(world)
    edit(world, {"cluster": {"nodes": 1}, "retry": 1})
    world.wait_for_state("Succeeded")
    job = gang(world, 2)
    assert job is not None
    runtimes = world.client.list(Kind.TRAINING_RUNTIME, world.namespace)
    assert pods_of(job, runtimes)[0] == 1


def test_a_child_deleted_by_hand_is_made_again_while_it_runs(world: Scenario) -> None:
    hold(world, "train")
    world.apply()
    running(world, "TrainingSucceeded")
    job = gang(world)
    assert job is not None
    world.client.delete(job)
    world.wait_for("another attempt", lambda: gang(world, 2))
    release(world)
    world.wait_for_state("Succeeded")


def test_live_progress_reaches_the_status(world: Scenario) -> None:
    progress = Progress(step=10, steps=40, loss=1.5, tokens_per_second=100.0, remaining_seconds=30.0)
    with serving(json.dumps(encode(progress))) as address:
        world.controllers.policy = lambda stage, _: (
            PodOutcome(exit_code=None, address=address) if stage == "train" else PodOutcome()
        )
        world.apply()
        shown = world.wait_for("progress is shown", lambda: world.status().get("trainerStatus"))
        assert shown["progressPercentage"] == 25
        assert {"name": "loss", "value": "1.5"} in shown["metrics"]
    release(world)
    world.wait_for_state("Succeeded")


@contextmanager
def serving(answer: str) -> Iterator[str]:
    """Serves the answer at rank 0's port, and returns the address: a loopback address of its own."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(answer.encode())

        def log_message(self, *_: object) -> None:
            pass

    address = f"127.{os.getpid() % 250 + 1}.0.2"  # the port is fixed, and another worker may serve it too
    server = ThreadingHTTPServer((address, METRICS_PORT), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield address
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
