"""Jobs and PyTorchJobs run as processes and end as they would in a cluster."""

from __future__ import annotations

import asyncio
import os
import textwrap
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from blendtune_operator.local.kubelet import Kubelet
from blendtune_operator.local.process import translate
from blendtune_operator.local.store import ObjectStore
from blendtune_operator.local.workloads import Workloads

Object = dict[str, Any]
POLICY = {"rules": [{"action": "FailJob", "onExitCodes": {"operator": "In", "values": [65]}}]}


class Machine:
    """An embedded cluster without an operator."""

    def __init__(self, workdir: Path) -> None:
        self.store = ObjectStore(lambda: datetime.now(UTC))
        self.kubelet = Kubelet(self.store, workdir)
        self.workloads = Workloads(self.store, self.kubelet)

    def start(self, workload: Object) -> Object:
        created = self.store.create(workload)
        self.workloads.start(created)
        return created

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(60):
            while not holds():
                self.store.changed.clear()
                await asyncio.wait_for(self.store.changed.wait(), 60)

    def condition(self, workload: Object) -> str | None:
        found = self.store.get(workload["kind"], "default", workload["metadata"]["name"])
        conditions = (found or {}).get("status", {}).get("conditions", [])
        return conditions[-1]["type"] if conditions else None

    def pod(self, name: str) -> Object:
        found = self.store.get("Pod", "default", name)
        assert found is not None
        return found


@pytest.fixture
def run(tmp_path: Path) -> Callable[[Callable[[Machine], Awaitable[None]]], None]:
    def runner(scenario: Callable[[Machine], Awaitable[None]]) -> None:
        async def scenario_on_a_machine() -> None:
            machine = Machine(tmp_path)
            try:
                await scenario(machine)
            finally:
                await machine.workloads.stop_all()

        asyncio.run(scenario_on_a_machine())

    return runner


def container(script: str, **more: Any) -> Object:
    return {"name": "main", "command": ["python", "-c", textwrap.dedent(script)], **more}


def job(script: str, init: str | None = None, backoff_limit: int = 1, **more: Any) -> Object:
    spec: Object = {"containers": [container(script, **more)], "terminationGracePeriodSeconds": 20}
    if init is not None:
        spec["initContainers"] = [{"name": "first", "command": ["python", "-c", init]}]
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "work"},
        "spec": {"backoffLimit": backoff_limit, "podFailurePolicy": POLICY, "template": {"spec": spec}},
    }


def gang(script: str, replicas: int = 2) -> Object:
    env = [
        {
            "name": "RANK",
            "valueFrom": {
                "fieldRef": {"fieldPath": "metadata.labels['training.kubeflow.org/replica-index']"}
            },
        }
    ]
    worker = {"replicas": replicas, "template": {"spec": {"containers": [container(script, env=env)]}}}
    return {
        "apiVersion": "kubeflow.org/v1",
        "kind": "PyTorchJob",
        "metadata": {"name": "gang"},
        "spec": {"pytorchReplicaSpecs": {"Worker": worker}},
    }


def terminated(pod: Object) -> Object:
    state: Object = pod["status"]["containerStatuses"][0]["state"]["terminated"]
    return state


WRITE = "import os; open(os.environ['BLENDTUNE_TERMINATION_LOG'], 'w').write('done')"


def test_a_job_completes_and_its_message_is_kept(run: Any) -> None:
    async def scenario(machine: Machine) -> None:
        created = machine.start(job(WRITE, init="print('ready')"))
        await machine.until(lambda: machine.condition(created) == "Complete")
        assert terminated(machine.pod("work-0"))["message"] == "done"
        assert "ready" in machine.kubelet.log("work-0").read_text()

    run(scenario)


@pytest.mark.parametrize(
    ("code", "pods"),
    [
        pytest.param(65, 1, id="permanent-code-fails-at-once"),
        pytest.param(1, 2, id="other-code-is-tried-again"),
    ],
)
def test_a_job_fails(run: Any, code: int, pods: int) -> None:
    async def scenario(machine: Machine) -> None:
        created = machine.start(job(f"raise SystemExit({code})"))
        await machine.until(lambda: machine.condition(created) == "Failed")
        ended = [object for object in machine.store if object["kind"] == "Pod"]
        assert [terminated(pod)["exitCode"] for pod in ended] == [code] * pods

    run(scenario)


def test_a_failed_init_container_keeps_the_main_one_from_starting(run: Any, tmp_path: Path) -> None:
    async def scenario(machine: Machine) -> None:
        created = machine.start(job(f"open({str(tmp_path / 'ran')!r}, 'w')", init="raise SystemExit(65)"))
        await machine.until(lambda: machine.condition(created) == "Failed")
        assert not (tmp_path / "ran").exists()

    run(scenario)


def test_a_deleted_job_gets_sigterm_and_goes(run: Any) -> None:
    script = """
        import os, signal, sys, time
        def save(*_):
            open(os.environ['CLAIM'] + '/saved', 'w').close()
            sys.exit(143)
        signal.signal(signal.SIGTERM, save)
        print('up', flush=True)
        while True:
            time.sleep(1)
    """

    async def scenario(machine: Machine) -> None:
        claim = machine.kubelet.claims / "data"
        work = job(
            script,
            env=[{"name": "CLAIM", "value": "/claims/data"}],
            volumeMounts=[{"name": "data", "mountPath": "/claims/data"}],
        )
        volumes = [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]
        work["spec"]["template"]["spec"]["volumes"] = volumes
        created = machine.start(work)
        log = machine.kubelet.log("work-0")
        async with asyncio.timeout(60):
            while not (log.exists() and "up" in log.read_text()):
                await asyncio.sleep(0.05)
        machine.workloads.stop(created)
        await machine.until(lambda: machine.store.get("Job", "default", "work") is None)
        assert (claim / "saved").exists()
        assert machine.store.get("Pod", "default", "work-0") is None

    run(scenario)


def test_a_gang_succeeds_when_all_do_and_each_knows_its_rank(run: Any) -> None:
    script = "import os; open(os.environ['BLENDTUNE_TERMINATION_LOG'], 'w').write(os.environ['RANK'])"

    async def scenario(machine: Machine) -> None:
        created = machine.start(gang(script))
        await machine.until(lambda: machine.condition(created) == "Succeeded")
        assert [terminated(machine.pod(f"gang-worker-{rank}"))["message"] for rank in range(2)] == ["0", "1"]

    run(scenario)


def test_one_failed_member_ends_the_gang(run: Any) -> None:
    script = "import os, time; time.sleep(0 if os.environ['RANK'] == '1' else 600); raise SystemExit(70)"

    async def scenario(machine: Machine) -> None:
        created = machine.start(gang(script))
        await machine.until(lambda: machine.condition(created) == "Failed")
        assert terminated(machine.pod("gang-worker-1"))["exitCode"] == 70
        assert machine.store.get("Pod", "default", "gang-worker-0") is None

    run(scenario)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("/claims/a", "/x", id="the-mount-itself"),
        pytest.param("/claims/a/b/c", "/x/b/c", id="below"),
        pytest.param("/claims/ab", "/claims/ab", id="another-name-with-the-same-start"),
        pytest.param("/claims/a/deep/d", "/y/d", id="the-longest-mount-wins"),
        pytest.param("launch", "launch", id="no-path"),
    ],
)
def test_mount_paths_become_folders(text: str, expected: str) -> None:
    assert translate(text, {"/claims/a": Path("/x"), "/claims/a/deep": Path("/y")}) == expected


def test_nothing_of_the_callers_environment_is_lost(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BLENDTUNE_TEST_VARIABLE", "kept")
    script = (
        "import os; "
        "open(os.environ['BLENDTUNE_TERMINATION_LOG'], 'w').write(os.environ['BLENDTUNE_TEST_VARIABLE'])"
    )

    async def scenario(machine: Machine) -> None:
        created = machine.start(job(script))
        await machine.until(lambda: machine.condition(created) == "Complete")
        assert terminated(machine.pod("work-0"))["message"] == os.environ["BLENDTUNE_TEST_VARIABLE"]

    run(scenario)


def test_what_a_secret_would_hold_comes_from_the_callers_environment(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BLENDTUNE_TEST_KEY", "mine")
    message = "open(os.environ['BLENDTUNE_TERMINATION_LOG'], 'w').write(os.environ['BLENDTUNE_TEST_KEY'])"
    work = job(f"import os; {message}")
    (container,) = work["spec"]["template"]["spec"]["containers"]
    selector = {"secretKeyRef": {"name": "judge", "key": "token"}}
    container.setdefault("env", []).append({"name": "BLENDTUNE_TEST_KEY", "valueFrom": selector})

    async def scenario(machine: Machine) -> None:
        created = machine.start(work)
        await machine.until(lambda: machine.condition(created) == "Complete")
        assert terminated(machine.pod("work-0"))["message"] == "mine"

    run(scenario)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param({"command": []}, "names no command", id="no command"),
        pytest.param({"command": ["/not/there"]}, "/not/there", id="no program"),
        pytest.param(
            {"volumeMounts": [{"name": "data", "mountPath": "/data"}]}, "no such volume", id="no volume"
        ),
    ],
)
def test_a_pod_that_cannot_run_here_fails_and_says_why(run: Any, change: Object, words: str) -> None:
    async def scenario(machine: Machine) -> None:
        created = machine.start(job("", backoff_limit=0, **change))
        await machine.until(lambda: machine.condition(created) == "Failed")
        pod = machine.pod("work-0")
        assert pod["status"]["phase"] == "Failed"
        assert words in terminated(pod)["message"]
        assert terminated(pod)["exitCode"] == 64

    run(scenario)
