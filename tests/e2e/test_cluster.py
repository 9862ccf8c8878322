"""The cluster itself: what a run needs of it, without Blendtune."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.e2e.images import OPERATOR
from tests.e2e.namespaces import USER, Namespace
from tests.e2e.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

# Every worker but the first calls the first by the name of its Service.
SCRIPT = """\
import os, socket, time
if os.environ["INDEX"] == "0":
    socket.create_server(("", 23456)).accept()
else:
    end = time.monotonic() + 60
    while True:
        try:
            socket.create_connection(("gang-worker-0", 23456))
            break
        except OSError:
            assert time.monotonic() < end
            time.sleep(0.1)
"""
INDEX = "metadata.labels['training.kubeflow.org/replica-index']"


def worker() -> dict[str, Any]:
    container = {
        "name": "pytorch",
        "image": OPERATOR,
        "command": ["python", "-c", SCRIPT],
        "env": [{"name": "INDEX", "valueFrom": {"fieldRef": {"fieldPath": INDEX}}}],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    security = {"runAsNonRoot": True, "runAsUser": USER, "seccompProfile": {"type": "RuntimeDefault"}}
    return {"spec": {"restartPolicy": "Never", "securityContext": security, "containers": [container]}}


def test_a_gang_meets(namespace: Namespace) -> None:
    job = {
        "apiVersion": "kubeflow.org/v1",
        "kind": "PyTorchJob",
        "metadata": {"name": "gang"},
        "spec": {
            "runPolicy": {"cleanPodPolicy": "Running"},
            "pytorchReplicaSpecs": {
                "Worker": {"replicas": 2, "restartPolicy": "Never", "template": worker()}
            },
        },
    }
    namespace.kubectl.apply(json.dumps(job))
    until("the gang succeeded", lambda: succeeded(namespace.kubectl.get("pytorchjob", "gang")))
    namespace.record("Succeeded")


def succeeded(job: dict[str, Any]) -> bool:
    conditions = job.get("status", {}).get("conditions", [])
    return any(each["type"] == "Succeeded" and each["status"] == "True" for each in conditions)
