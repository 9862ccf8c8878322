"""People of a namespace: what they may do there, their kubeconfigs, and the commands that they type."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cluster.client import Client
from tests.cluster.control_plane import ROOT, ControlPlane
from tests.e2e.waiting import until
from tests.helm.chart import render
from tests.operator.builders import fine_tune

from blendtune_api import codec
from blendtune_operator.client.rights import Right
from blendtune_operator.names import Kind, Object

_RBAC = "/apis/rbac.authorization.k8s.io/v1"
_RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}
_FLOORS = ("crds", "lib", "operator", "trainer_image", "eval_image")
CLAIM = "blendtune"


@dataclass(frozen=True)
class Person:
    """Somebody with a role in a namespace, or with none."""

    kubeconfig: Path

    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(str(ROOT / each) for each in _FLOORS),
            "KUBECONFIG": str(self.kubeconfig),
            "COLUMNS": "200",
            "TMPDIR": str(self.kubeconfig.parent),
        }

    def types(self, *words: str, seconds: float = 180) -> subprocess.CompletedProcess[str]:
        """Runs a command of `blendtune` to its end."""
        return subprocess.run(
            command(words),
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )

    def begins(self, *words: str) -> subprocess.Popen[str]:
        """A command that Ctrl-C ends, also where the tests themselves ignore it."""
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            return subprocess.Popen(
                command(words),
                env=self.environment(),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        finally:
            signal.signal(signal.SIGINT, before)


def command(words: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", "blendtune_operator.cli", *words]


def install_roles(client: Client) -> None:
    """The chart's roles, which `view` and `edit` take in."""
    for obj in render({}):
        if obj["kind"] == "ClusterRole" and obj["metadata"]["name"].rsplit("-", 1)[1] in ("view", "edit"):
            client.apply_text(f"{_RBAC}/clusterroles", json.dumps(obj))
    until("edit has them", lambda: "blendedfinetunes" in json.dumps(
        client.call("GET", f"{_RBAC}/clusterroles/edit")["rules"]), every=0.1)  # fmt: skip


def restrict(client: Client, namespace: str) -> None:
    """Pod Security `restricted` is enforced in the namespace."""
    change = {"metadata": {"labels": _RESTRICTED}}
    client.call("PATCH", f"/api/v1/namespaces/{namespace}", change, "application/merge-patch+json")


def person(plane: ControlPlane, namespace: str, role: str, server: str | None = None) -> Person:
    """With `view` or `edit` in this namespace alone; with `none`, without any right."""
    if role != "none":
        _bind(plane.client, namespace, role, "ClusterRole")
    return _with_token(plane, namespace, role, server)


def person_with(plane: ControlPlane, namespace: str, name: str, rules: Sequence[Right]) -> Person:
    """With these rights in the namespace and no others."""
    plane.client.call("POST", f"{_RBAC}/namespaces/{namespace}/roles", {
        "metadata": {"name": name},
        "rules": [
            {"apiGroups": [rule.group], "resources": list(rule.resources), "verbs": list(rule.verbs)}
            for rule in rules
        ],
    })  # fmt: skip
    _bind(plane.client, namespace, name, "Role")
    return _with_token(plane, namespace, name)


def _bind(client: Client, namespace: str, role: str, kind: str) -> None:
    client.call("POST", f"{_RBAC}/namespaces/{namespace}/rolebindings", {
        "metadata": {"name": role},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": role},
        "subjects": [{"kind": "ServiceAccount", "name": role, "namespace": namespace}],
    })  # fmt: skip


def _with_token(plane: ControlPlane, namespace: str, name: str, server: str | None = None) -> Person:
    """Somebody who is the service account of this name."""
    accounts = f"/api/v1/namespaces/{namespace}/serviceaccounts"
    plane.client.call("POST", accounts, {"metadata": {"name": name}})
    answer = plane.client.call("POST", f"{accounts}/{name}/token", {"spec": {}})
    kubeconfig = plane.kubeconfig(server, answer["status"]["token"])
    document = json.loads(kubeconfig.read_text())
    document["contexts"][0]["context"]["namespace"] = namespace
    kubeconfig.write_text(json.dumps(document))
    return Person(kubeconfig)


def add_run(client: Client, namespace: str, name: str, status: Any = None, **spec: Any) -> Object:
    """A run with a status as an operator would write it."""
    document = codec.encode_object(fine_tune(**spec))
    document["metadata"] = {"name": name, "namespace": namespace}
    document.pop("status", None)
    created = client.create(document)
    return client.set_status({**created, "kind": Kind.BLENDED_FINE_TUNE.value}, status) if status else created


def condition(type: str, status: str, reason: str, message: str = "") -> Object:
    return {
        "type": type, "status": status, "reason": reason, "message": message or reason,
        "lastTransitionTime": "2026-01-01T00:00:00Z", "observedGeneration": 1,
    }  # fmt: skip


def add_claim(client: Client, namespace: str, *modes: str) -> None:
    client.call("POST", f"/api/v1/namespaces/{namespace}/persistentvolumeclaims", {
        "metadata": {"name": CLAIM},
        "spec": {"accessModes": list(modes), "resources": {"requests": {"storage": "1Gi"}}},
    })  # fmt: skip


def restricted_pod(namespace: str, name: str, container: str, **spec: Any) -> Object:
    """A pod of one container that Pod Security `restricted` lets in."""
    quiet = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [{"name": container, "image": "x", "securityContext": quiet}],
            **spec,
        },
    }
