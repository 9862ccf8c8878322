"""The operator as a Deployment, with its CRDs and its roles."""

from __future__ import annotations

import json
from typing import Any

import yaml
from tests.e2e.cluster import Cluster
from tests.e2e.layout import MANIFESTS, ROOT

NAMESPACE = "blendtune-system"
NAME = "blendtune-operator"
_RBAC = "rbac.authorization.k8s.io"


def install(cluster: Cluster) -> None:
    """Applies it, and waits until it is ready."""
    kubectl = cluster.kubectl.within(NAMESPACE)
    kubectl(
        "apply", "--server-side", *(f"--filename={path}" for path in sorted((ROOT / "crds").glob("*.yaml")))
    )
    kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
    kubectl.apply((MANIFESTS / "operator.yaml").read_text())
    kubectl.apply(json.dumps({"apiVersion": "v1", "kind": "List", "items": _roles()}))
    kubectl("rollout", "status", f"deployment/{NAME}", "--timeout=120s")


def _roles() -> list[dict[str, Any]]:
    rules = yaml.safe_load((ROOT / "helm/blendtune/files/rules.yaml").read_text())
    return [
        *_bound("ClusterRole", {"name": NAME}, rules["run"] + rules.get("cluster", [])),
        *_bound("Role", {"name": NAME, "namespace": NAMESPACE}, rules["lease"]),
    ]


def _bound(kind: str, metadata: dict[str, str], rules: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A role, and its binding to the operator's ServiceAccount."""
    api = {"apiVersion": f"{_RBAC}/v1", "metadata": metadata}
    return [
        {**api, "kind": kind, "rules": rules},
        {
            **api,
            "kind": f"{kind}Binding",
            "roleRef": {"apiGroup": _RBAC, "kind": kind, "name": metadata["name"]},
            "subjects": [{"kind": "ServiceAccount", "name": NAME, "namespace": NAMESPACE}],
        },
    ]
