"""The operator as its chart installs it, confined, in a namespace of Pod Security "restricted"."""

from __future__ import annotations

import json

from tests.e2e.cluster import Cluster
from tests.e2e.layout import MANIFESTS
from tests.helm.chart import CHART, Values, helm

NAMESPACE = "blendtune-system"
NAME = "blendtune-operator"
_RELEASE = "blendtune"
_VALUES = f"--values={MANIFESTS / 'values.yaml'}"


def install(cluster: Cluster, *options: str) -> None:
    """Installs the chart, and waits until the operator is ready."""
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": labels}}
    cluster.kubectl.apply(json.dumps(namespace))
    _helm(cluster, "install", _RELEASE, CHART, _VALUES, *options)
    wait(cluster)


def upgrade(cluster: Cluster, values: Values) -> None:
    """Upgrades the release with other values, and waits until the new operator is ready."""
    _helm(cluster, "upgrade", _RELEASE, CHART, _VALUES, values=values)
    wait(cluster)


def uninstall(cluster: Cluster) -> None:
    """Uninstalls the release, and waits until the operator's pod is gone."""
    _helm(cluster, "uninstall", _RELEASE)
    cluster.kubectl.within(NAMESPACE)("wait", "--for=delete", "pod", "--all", "--timeout=60s")


def wait(cluster: Cluster) -> None:
    cluster.kubectl.within(NAMESPACE)("rollout", "status", f"deployment/{NAME}", "--timeout=120s")


def _helm(cluster: Cluster, command: str, *arguments: str, values: Values | None = None) -> str:
    kubeconfig = cluster.credentials.kubeconfig("admin")
    return helm(command, *arguments, f"--namespace={NAMESPACE}", values=values, kubeconfig=kubeconfig)
