"""The chart on a real cluster: what its network policy lets through, and what outlives a release."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.e2e import release
from tests.e2e.images import OPERATOR
from tests.e2e.kubectl import KubectlError
from tests.e2e.namespaces import USER, Namespace, long_run
from tests.e2e.test_run import training_attempts
from tests.e2e.waiting import until

from blendtune_api.contract import Workspace

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1200)]

SERVER = "import socket\nserver = socket.create_server(('', 8080))\nwhile True: server.accept()"
CALL = "import socket, sys\nsocket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=3)"


def server(name: str, labels: dict[str, str]) -> dict[str, Any]:
    """A pod that listens on 8080."""
    security = {
        "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
    }  # fmt: skip
    container = {
        "name": "server", "image": OPERATOR, "command": ["python", "-c", SERVER], "securityContext": security,
        "readinessProbe": {"tcpSocket": {"port": 8080}, "periodSeconds": 1},
    }  # fmt: skip
    pod_security = {"runAsNonRoot": True, "runAsUser": USER, "seccompProfile": {"type": "RuntimeDefault"}}
    spec = {"securityContext": pod_security, "terminationGracePeriodSeconds": 0, "containers": [container]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": labels}, "spec": spec}


def operator_reaches(namespace: Namespace, address: str, port: int) -> bool:
    kubectl = namespace.kubectl.within(release.NAMESPACE)
    try:
        kubectl("exec", f"deployment/{release.NAME}", "--", "python", "-c", CALL, address, str(port))
    except KubectlError as error:
        assert "ConnectionRefusedError" in str(error), error  # so the policies are enforced here
        return False
    return True


def test_the_operator_is_confined(namespace: Namespace) -> None:
    """It reaches the API server and what is a training's rank, and nothing else."""
    namespace.kubectl.apply(json.dumps(server("rank", {"blendtune.io/stage": "train"})))
    namespace.kubectl.apply(json.dumps(server("other", {})))
    namespace.kubectl("wait", "--for=condition=Ready", "pod/rank", "pod/other", "--timeout=60s")
    addresses = {name: namespace.kubectl.get("pod", name)["status"]["podIP"] for name in ("rank", "other")}
    until("it reaches a rank", lambda: operator_reaches(namespace, addresses["rank"], 8080))
    until("it is kept from all else", lambda: not operator_reaches(namespace, addresses["other"], 8080))
    assert operator_reaches(namespace, "kubernetes.default.svc.cluster.local", 443)


def test_upgraded_uninstalled_and_installed_again(namespace: Namespace) -> None:
    """An upgrade in the midst of a training keeps the run; without a release the run stays as it ended."""
    manifest = long_run()
    manifest["spec"]["blend"]["budget"]["epochs"] = 30
    namespace.apply(manifest)
    until(
        "there is a checkpoint",
        (Workspace(namespace.folder("small")).checkpoints / "latest.json").exists,
        300,
    )
    before = operator_pod(namespace)
    release.upgrade(namespace.cluster, {"operator": {"logLevel": "DEBUG"}})
    after = operator_pod(namespace)
    assert after["metadata"]["uid"] != before["metadata"]["uid"]
    run = namespace.follow("small")
    assert run["status"]["state"] == "Succeeded", run["status"]
    (attempt,) = training_attempts(run)
    assert attempt["endTime"] > after["metadata"]["creationTimestamp"]

    ended = objects(namespace)
    release.uninstall(namespace.cluster)
    try:
        assert objects(namespace) == ended
    finally:
        release.install(namespace.cluster)
    until("the operator has looked at the run", has_reconciled(namespace))
    assert objects(namespace) == ended


def operator_pod(namespace: Namespace) -> dict[str, Any]:
    (pod,) = namespace.kubectl.within(release.NAMESPACE).list("pods")
    return pod


def objects(namespace: Namespace) -> list[dict[str, Any]]:
    """The run, its evaluation and its children, with their versions."""
    kinds = ("bft", "rubric", "pytorchjob", "jobs", "pods")
    return [item for kind in kinds for item in namespace.kubectl.list(kind)]


def has_reconciled(namespace: Namespace) -> Callable[[], bool]:
    path = f"/api/v1/namespaces/{release.NAMESPACE}/services/{release.NAME}:metrics/proxy/metrics"
    done = 'blendtune_reconcile_total{kind="BlendedFineTune",result="success"}'

    def holds() -> bool:
        return any(line.startswith(done) for line in namespace.kubectl.raw(path).splitlines())

    return holds
