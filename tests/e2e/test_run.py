"""A run on a real cluster: kubelet, containerd, training operator, and the images of this checkout."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.e2e import prometheus
from tests.e2e.namespaces import USER, Namespace, long_run, small_run
from tests.e2e.waiting import until

from blendtune_api.contract import Workspace

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1200)]
RANK_0 = "small-train-1-worker-0"


def condition(run: dict[str, Any], kind: str) -> dict[str, Any]:
    found = [each for each in run["status"]["conditions"] if each["type"] == kind]
    assert found, run["status"]
    return dict(found[0])


def training_attempts(run: dict[str, Any]) -> list[dict[str, Any]]:
    return [attempt for attempt in run["status"]["attempts"] if attempt["stage"] == "train"]


def steps(namespace: Namespace) -> list[dict[str, Any]]:
    """The log of the optimizer steps."""
    lines = Workspace(namespace.folder("small")).steps_log.read_text().splitlines()
    return [json.loads(line) for line in lines]


def test_run_succeeds(namespace: Namespace) -> None:
    """From kubectl apply to scores in status and in Prometheus."""
    monitoring = prometheus.start(namespace.cluster, f"{RANK_0}.{namespace.name}.svc.cluster.local")
    namespace.record("before")
    namespace.apply(small_run())
    run = namespace.follow("small")
    status = run["status"]
    assert status["state"] == "Succeeded", status
    assert status["model"]["digest"]
    assert len(training_attempts(run)) == 1
    for scope in ("overall", "general", "inDomain"):
        score = status["evaluation"][scope]
        assert 0 <= score["low"] <= score["score"] <= score["high"] <= 1
    assert namespace.kubectl.get("rubric", "small")["status"]["state"] == "Succeeded"
    report = Workspace(namespace.folder("small")).evaluation / "report.html"
    assert report.stat().st_uid == USER

    mine = f'{{namespace="{namespace.name}"}}'
    scores = until("the scores are scraped", lambda: monitoring.query(f"blendtune_eval_score{mine}"), 30)
    assert {series["metric"]["name"] for series in scores} == {"small"}
    trained = monitoring.query('max_over_time(blendtune_training_step{job="trainer"}[10m])')
    assert [float(series["value"][1]) > 0 for series in trained] == [True]


def processes(pod_uid: str, argument: str) -> list[int]:
    """The processes of a pod whose last argument is as given, the oldest first."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                in_pod = pod_uid in (folder / "cgroup").read_text()
                arguments = (folder / "cmdline").read_text().split("\0")
            except OSError:  # it has ended
                continue
            if in_pod and argument in arguments:
                found.append(int(folder.name))
    return sorted(found)


def delete_pod(namespace: Namespace, pod: dict[str, Any]) -> None:
    namespace.kubectl("delete", "pod", pod["metadata"]["name"], "--wait=false")


def kill_launcher(_: Namespace, pod: dict[str, Any]) -> None:
    os.kill(processes(pod["metadata"]["uid"], "launch")[0], signal.SIGKILL)


def kill_rank(_: Namespace, pod: dict[str, Any]) -> None:
    os.kill(processes(pod["metadata"]["uid"], "train")[0], signal.SIGKILL)


@pytest.mark.parametrize(
    ("disturb", "reason", "counted"),
    [
        pytest.param(delete_pod, "Disrupted", False, id="delete"),
        pytest.param(kill_launcher, "StageFailed", True, id="kill-pod"),
        pytest.param(kill_rank, "StageFailed", True, id="kill-rank"),
    ],
)
def test_disturbed(
    namespace: Namespace, disturb: Callable[[Namespace, dict[str, Any]], None], reason: str, counted: bool
) -> None:
    """A worker lost in the middle of the training: the next attempt goes on from the checkpoint."""
    namespace.apply(long_run())
    latest = Workspace(namespace.folder("small")).checkpoints / "latest.json"
    until("there is a checkpoint", latest.exists, 300)
    namespace.record("before the disturbance")
    disturb(namespace, namespace.kubectl.get("pod", "small-train-1-worker-1"))
    run = namespace.follow("small")
    assert run["status"]["state"] == "Succeeded", run["status"]
    first, second = training_attempts(run)
    assert first["cause"].startswith(f"{reason}: "), first
    assert first.get("counted", False) is counted
    assert second["number"] == 2
    log = steps(namespace)
    assert [step["step"] for step in log] == list(range(1, len(log) + 1))
    assert run["status"]["training"]["restarts"] == 1


def test_out_of_memory(namespace: Namespace) -> None:
    """Too small a memory limit is named as the cause; an edited one counts from the next attempt."""
    manifest = small_run()
    manifest["spec"]["cluster"]["train"]["resources"] = {"limits": {"memory": "64Mi"}}
    namespace.apply(manifest)
    until("an attempt ran out of memory", lambda: out_of_memory(namespace.run("small")), 300)
    namespace.record("out of memory")
    manifest["spec"]["cluster"]["train"]["resources"] = {"limits": {"memory": "4Gi"}}
    namespace.apply(manifest)
    run = namespace.follow("small")
    assert run["status"]["state"] == "Succeeded", run["status"]
    assert out_of_memory(run)


def out_of_memory(run: dict[str, Any]) -> bool:
    attempts = run.get("status", {}).get("attempts", [])
    return any("OOMKilled" in attempt.get("cause", "") for attempt in attempts)
