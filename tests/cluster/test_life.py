"""The life of a run on a real API server: what people and clusters do to it, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from tests.cluster.client import Refused
from tests.cluster.control_plane import ControlPlane
from tests.cluster.fake_controllers import PodOutcome
from tests.cluster.scenario import Scenario, scenario
from tests.operator.builders import self_blend

from blendtune_api.codec import encode
from blendtune_api.contract import ExitCode, Failure, Progress, encode_message
from blendtune_api.v1alpha1 import Cluster, Reason
from blendtune_operator.names import METRICS_PORT, Kind, Object

RUNNING = PodOutcome(exit_code=None)
BFT = Kind.BLENDED_FINE_TUNE


@pytest.fixture
def world(plane: ControlPlane, namespace: str, folder: Path) -> Iterator[Scenario]:
    with scenario(plane, namespace, folder) as started:
        yield started
        assert "Traceback" not in started.operator.text()


def hold(world: Scenario, stage: str) -> None:
    """Every attempt of the stage runs on; the others succeed."""
    world.controllers.policy = lambda played, _: RUNNING if played == stage else PodOutcome()


def release(world: Scenario) -> None:
    world.controllers.policy = lambda *_: PodOutcome()


def reaching(stage: str) -> dict[str, Any]:
    """The spec of a run that has this stage."""
    return {"blend": self_blend()} if stage == "rehearse" else {}


def edit(world: Scenario, change: Object, name: str = "ads") -> None:
    world.client.patch(BFT, world.namespace, name, {"spec": change})


def running(world: Scenario, condition: str) -> None:
    world.wait_for(f"{condition} is running", lambda: world.condition(condition).get("reason") == "Running")


def test_from_apply_to_scores(world: Scenario) -> None:
    world.apply()
    world.wait_for_state("Succeeded")
    status = world.status()
    assert status["evaluation"]["inDomain"]["delta"] == 0.5
    assert {item["type"]: item["status"] for item in status["conditions"]}["GatesPassed"] == "True"
    assert status["blend"]["sources"][0]["achievedShare"] == 0.5
    events = world.client.call("GET", f"/api/v1/namespaces/{world.namespace}/events")["items"]
    reasons = {item["reason"] for item in events if item["involvedObject"]["kind"] == BFT}
    assert {"Accepted", "Completed", "Starting"} <= reasons
    run = world.client.get(BFT, world.namespace, "ads")
    assert run is not None
    assert "finalizers" not in run["metadata"]
    assert "annotations" not in run["metadata"]


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
        end_by_deletion(world, "ads-train-1-worker-0", exit_code=143)
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
    pods, gang = (Kind.POD, world.namespace, name), (Kind.PYTORCH_JOB, world.namespace, "ads-train-1")
    pod = world.client.patch(*pods, {"metadata": {"finalizers": ["blendtune.org/test"]}})
    world.client.delete(pod)
    end = world.client.get(*pods)
    assert end is not None
    container = end["status"]["containerStatuses"][0]
    finished = end["metadata"]["deletionTimestamp"]
    state = {"terminated": {"exitCode": exit_code, "reason": "Error", "finishedAt": finished}}
    status = {**end["status"], "phase": "Failed", "containerStatuses": [{**container, "state": state}]}
    world.client.set_status(end, status)
    world.wait_for("the gang has failed", lambda: "PyTorchJobFailed" in str(world.client.get(*gang)))
    world.client.patch(*pods, {"metadata": {"finalizers": None}})
    world.wait_for("the pod is gone", lambda: world.client.get(*pods) is None)


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
    job = world.client.get(Kind.PYTORCH_JOB, world.namespace, "ads-train-2")
    assert job is not None
    assert job["spec"]["pytorchReplicaSpecs"]["Worker"]["replicas"] == 1


@pytest.mark.parametrize(
    ("stage", "condition"),
    [
        ("rehearse", "DataRehearsed"),
        ("blend", "DataBlended"),
        ("train", "TrainingSucceeded"),
        ("eval", "EvaluationSucceeded"),
    ],
)
def test_suspend_and_resume(world: Scenario, stage: str, condition: str) -> None:
    hold(world, stage)
    world.apply(**reaching(stage))
    running(world, condition)
    edit(world, {"suspend": True})
    world.wait_for_state("Suspended")
    world.wait_for("no pod is left", lambda: not live_pods(world))
    release(world)
    edit(world, {"suspend": False})
    world.wait_for_state("Succeeded")


def live_pods(world: Scenario) -> list[Object]:
    pods = world.client.list(Kind.POD, world.namespace)
    return [pod for pod in pods if pod["status"].get("phase") in ("Pending", "Running")]


def test_a_child_deleted_by_hand_is_made_again_while_it_runs(world: Scenario) -> None:
    hold(world, "train")
    world.apply()
    running(world, "TrainingSucceeded")
    job = world.client.get(Kind.PYTORCH_JOB, world.namespace, "ads-train-1")
    assert job is not None
    world.client.delete(job)
    world.wait_for(
        "another attempt", lambda: world.client.get(Kind.PYTORCH_JOB, world.namespace, "ads-train-2")
    )
    release(world)
    world.wait_for_state("Succeeded")


def test_a_finished_stage_is_not_run_again_when_its_children_go(world: Scenario) -> None:
    hold(world, "eval")
    world.apply()
    running(world, "EvaluationSucceeded")
    for kind in (Kind.JOB, Kind.PYTORCH_JOB):
        for child in world.client.list(kind, world.namespace, "blendtune.io/stage!=eval"):
            world.client.delete(child)
    release(world)
    world.wait_for_state("Succeeded")
    assert not [name for kind, name in world.children() if kind == "PyTorchJob"]


def test_children_go_after_their_time_and_the_run_stays(world: Scenario) -> None:
    world.apply(ttl_seconds_after_finished=1)
    world.wait_for_state("Succeeded")
    world.wait_for("the children are gone", lambda: not world.children())
    assert world.status()["state"] == "Succeeded"


def test_a_training_that_takes_too_long_is_stopped(world: Scenario) -> None:
    hold(world, "train")
    world.apply(cluster=Cluster(nodes=2, gpus_per_node=1, active_deadline_seconds=2))
    world.wait_for_state("Failed")
    assert world.condition("Failed")["reason"] == "DeadlineExceeded"
    world.wait_for("its pods are gone", lambda: not live_pods(world))


def test_a_model_that_does_not_fit_never_gets_a_gpu(world: Scenario) -> None:
    failure = Failure(reason=Reason.DOES_NOT_FIT, message="33B needs 98 GiB of 80 GiB")
    refused = PodOutcome(exit_code=ExitCode.DOES_NOT_FIT, message=encode_message(failure))
    world.controllers.policy = lambda stage, _: refused if stage == "blend" else PodOutcome()
    world.apply()
    world.wait_for_state("Failed")
    assert world.condition("Sized")["reason"] == "DoesNotFit"
    assert "98 GiB" in world.condition("Sized")["message"]
    assert not world.client.list(Kind.PYTORCH_JOB, world.namespace)


@pytest.mark.parametrize("stage", ["rehearse", "blend", "train", "eval"])
def test_a_deleted_run_leaves_nothing_behind(world: Scenario, stage: str) -> None:
    conditions = {
        "rehearse": "DataRehearsed",
        "blend": "DataBlended",
        "train": "TrainingSucceeded",
        "eval": "EvaluationSucceeded",
    }
    hold(world, stage)
    run = world.apply(**reaching(stage))
    running(world, conditions[stage])
    world.client.delete(run)
    world.wait_for("all is gone", lambda: not world.children() and not live_pods(world))


def test_delete_and_apply_again(world: Scenario) -> None:
    run = world.apply()
    world.wait_for_state("Succeeded")
    world.client.delete(run)
    again = world.apply()
    assert again["metadata"]["uid"] != run["metadata"]["uid"]
    world.wait_for_state("Succeeded")


def test_an_operator_that_was_away_goes_on_where_the_run_is(world: Scenario) -> None:
    hold(world, "train")
    world.apply()
    running(world, "TrainingSucceeded")
    assert world.operator.stop() == 0
    release(world)
    world.wait_for("the training ended without it", lambda: not live_pods(world))
    world.operator.start()
    world.wait_for_state("Succeeded")
    assert world.status()["training"]["restarts"] == 0


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


def test_what_has_started_is_frozen_and_the_message_says_so(world: Scenario) -> None:
    hold(world, "train")
    world.apply()
    running(world, "TrainingSucceeded")
    with pytest.raises(Refused, match="fixed once the run has started"):
        edit(world, {"training": {"learningRate": 0.1}})
    edit(world, {"retry": 2})
    with pytest.raises(Refused, match="may only grow"):
        edit(world, {"retry": 1})
    release(world)
    world.wait_for_state("Succeeded")


def test_the_base_model_rehearses_before_the_blend(world: Scenario) -> None:
    """Attempts that are lost, then the rows; the run goes on to its end and each child is made once."""
    killed = PodOutcome(exit_code=137, message="", reason="OOMKilled")
    world.controllers.policy = lambda stage, attempt: (
        killed if (stage, attempt) == ("rehearse", 1) else PodOutcome()
    )
    world.apply(blend=self_blend())
    world.wait_for_state("Succeeded")
    status = world.status()
    stages = [(attempt["stage"], attempt["number"]) for attempt in status["attempts"]]
    assert stages == [("rehearse", 1), ("rehearse", 2), ("blend", 1), ("train", 1)]
    assert status["rehearsal"]["sources"][0]["rejected"][0] == {"reason": "Unfinished", "rows": 20}
    assert world.condition("DataRehearsed")["status"] == "True"
