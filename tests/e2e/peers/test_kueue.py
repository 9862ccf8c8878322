"""Runs in a queue of Kueue, with `kubectl get` as it prints in each state of them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.e2e.namespaces import Namespace, long_run, small_run
from tests.e2e.peers.queues import QUEUE, QUOTA, URGENT, queue, set_active, taken
from tests.e2e.waiting import until

from blendtune_api.contract import Workspace
from blendtune_api.v1alpha1 import Gang
from blendtune_operator import names

pytestmark = [pytest.mark.peers, pytest.mark.timeout(1800)]
KINDS = "bft,localqueue,workloads,pods"
GANGS = (Gang.JOB, Gang.JOB_SET, Gang.TRAIN_JOB, Gang.PYTORCH_JOB)


def queued(run: dict[str, Any], gang: Gang = Gang.JOB) -> dict[str, Any]:
    run["spec"]["cluster"] |= {"gang": gang.value, "queueName": QUEUE}
    return run


def message(namespace: Namespace, condition: str) -> str:
    """Of a condition that is neither true nor false yet; empty where there is none."""
    conditions = namespace.run("small").get("status", {}).get("conditions", [])
    found = [each for each in conditions if each["type"] == condition]
    return str(found[0]["message"]) if found else ""


def told(namespace: Namespace, condition: str, words: str, seconds: float = 120, kinds: str = KINDS) -> None:
    """Waits until a condition says so, and records the whole message and what kubectl prints then."""
    until(f"{condition} says {words!r}", lambda: words in message(namespace, condition), seconds)
    namespace.record(f"{condition}: {message(namespace, condition)}", kinds)


def steps(namespace: Namespace) -> list[int]:
    """The numbers of the optimizer steps, in the order in which they were done."""
    log = Workspace(namespace.folder("small")).steps_log
    return [json.loads(line)["step"] for line in log.read_text().splitlines()] if log.exists() else []


def live_pods(namespace: Namespace) -> list[dict[str, Any]]:
    pods = namespace.kubectl.list("pods", names.OWNER_UID)
    return [pod for pod in pods if pod["status"]["phase"] in ("Pending", "Running")]


def test_without_kueue(namespace: Namespace, request: pytest.FixtureRequest) -> None:
    """It waits and says for what; once Kueue is there, it runs. No test before it may ask for Kueue."""
    assert "workloads.kueue.x-k8s.io" not in namespace.kubectl("get", "crd", "--output=name")
    namespace.apply(queued(small_run()))
    words = "it waits for Kueue, and the API server knows no Workload"
    told(namespace, "DataBlended", words, kinds="bft,jobs,pods")
    assert namespace.run("small")["status"]["state"] == "Queued"
    assert not live_pods(namespace)
    request.getfixturevalue("kueue")
    with queue(namespace):
        ended = namespace.follow("small", 1200, KINDS)
        assert ended["status"]["state"] == "Succeeded", ended["status"]


@pytest.mark.parametrize("gang", GANGS, ids=str.lower)
def test_queued_preempted_resumed(queue: Namespace, gang: Gang) -> None:
    with taken(queue):
        queue.apply(queued(long_run(), gang))
        told(queue, "DataBlended", "insufficient unused quota")
        assert queue.run("small")["status"]["state"] == "Queued"
        assert not live_pods(queue)
    checkpoint = Workspace(queue.folder("small")).checkpoints / "latest.json"
    until("there is a checkpoint", checkpoint.exists, 600)
    assert len(live_pods(queue)) == QUOTA
    queue.record("admitted", KINDS)
    with taken(queue, URGENT):
        told(queue, "TrainingSucceeded", "Preempted")
        assert queue.run("small")["status"]["state"] == "Queued"
        until("its pods are gone", lambda: not live_pods(queue))
        before = len(steps(queue))
        assert json.loads(checkpoint.read_text())["step"] == before, "it has saved what it had done"
    ended = queue.follow("small", 1200, KINDS)
    status = ended["status"]
    assert status["state"] == "Succeeded", status
    done = steps(queue)
    assert 0 < before < len(done)
    assert done == list(range(1, len(done) + 1)), "each step once: it went on from the checkpoint"
    assert not any(attempt.get("counted") for attempt in status["attempts"]), status["attempts"]


def test_deactivated(queue: Namespace) -> None:
    """Its place in the queue is taken away: it says so within a minute, and runs once it is given back."""
    queue.apply(queued(long_run()))
    checkpoint = Workspace(queue.folder("small")).checkpoints / "latest.json"
    until("there is a checkpoint", checkpoint.exists, 600)
    set_active(queue, "small-train-1", False)
    told(queue, "TrainingSucceeded", "Kueue has given up and deactivated Workload", seconds=60)
    assert queue.run("small")["status"]["state"] == "Queued"
    set_active(queue, "small-train-1", True)
    until("it trains again", lambda: "is running" in message(queue, "TrainingSucceeded"))
    assert len(live_pods(queue)) == QUOTA, "no pod starts beside one that still saves its checkpoint"
    ended = queue.follow("small", 1200, KINDS)
    assert ended["status"]["state"] == "Succeeded", ended["status"]
