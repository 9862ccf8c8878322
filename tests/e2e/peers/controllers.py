"""JobSet, Kubeflow Trainer and Kueue, each from its own kustomization, with the image built here.

Each makes the certificate of its webhooks itself, as it does in any cluster.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.e2e import containerd
from tests.e2e.binaries import module_folder
from tests.e2e.cluster import Cluster
from tests.e2e.images import of_controller
from tests.e2e.namespaces import USER


@dataclass(frozen=True)
class Controller:
    """What is installed of a Go module: the kustomization `installed` below its folder `manifests`."""

    name: str  # of its program
    module: str
    manifests: str
    installed: str
    namespace: str
    deployment: str
    left_out: str = ""  # line of the kustomization that is not for this cluster
    without: tuple[str, ...] = ()  # kinds


JOB_SET = Controller(
    name="jobset",
    module="sigs.k8s.io/jobset",
    manifests="config",
    installed="default",
    namespace="jobset-system",
    deployment="jobset-controller-manager",
)
TRAINER = Controller(
    name="trainer",
    module="github.com/kubeflow/trainer/v2",
    manifests="manifests",
    installed="overlays/manager",
    namespace="kubeflow-system",
    deployment="kubeflow-trainer-controller-manager",
    left_out="  - ../../third-party/jobset",  # it is installed already
)
KUEUE = Controller(
    name="kueue",
    module="sigs.k8s.io/kueue",
    manifests="config",
    installed="default",
    namespace="kueue-system",
    deployment="kueue-controller-manager",
    without=("APIService",),  # the API server here has no aggregation layer
)


def install(cluster: Cluster, controller: Controller) -> None:
    """Applies it, and waits until it is ready, which is when its webhooks have their certificate."""
    containerd.load([of_controller(controller.name)])
    overlay = _overlay(cluster.folder / controller.name, controller)
    everywhere = cluster.kubectl.within("")  # Kueue has an object in kube-system too
    everywhere("apply", "--server-side", "-k", str(overlay))
    kubectl = cluster.kubectl.within(controller.namespace)
    kubectl("rollout", "status", f"deployment/{controller.deployment}", "--timeout=300s")


def _overlay(folder: Path, controller: Controller) -> Path:
    """A kustomization above a copy of the controller's own."""
    source = module_folder(controller.name, controller.module) / controller.manifests
    copy = folder / "manifests"
    shutil.copytree(source, copy, copy_function=shutil.copyfile)
    if controller.left_out:
        file = copy / controller.installed / "kustomization.yaml"
        lines = file.read_text().splitlines()
        kept = [line for line in lines if not line.startswith(controller.left_out)]
        assert len(kept) == len(lines) - 1, lines
        file.write_text("\n".join(kept) + "\n")
    overlay = folder / "overlay"
    overlay.mkdir()
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [f"../manifests/{controller.installed}"],
        "patches": [_deployment(controller), *map(_removal, controller.without)],
    }
    (overlay / "kustomization.yaml").write_text(json.dumps(kustomization))
    return overlay


def _deployment(controller: Controller) -> dict[str, Any]:
    """With the image built here, which names no user, and without requests: the machine is small."""
    pod = "/spec/template/spec"
    security = {
        "runAsNonRoot": True,
        "runAsUser": USER,
        "runAsGroup": USER,
        "fsGroup": USER,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    values = {
        f"{pod}/securityContext": security,
        f"{pod}/containers/0/image": of_controller(controller.name),
        f"{pod}/containers/0/imagePullPolicy": "Never",
        f"{pod}/containers/0/resources": {},
    }
    patch = [{"op": "add", "path": path, "value": value} for path, value in values.items()]
    return {
        "target": {"kind": "Deployment", "name": ".*controller-manager"},
        "patch": json.dumps(patch),
    }


def _removal(kind: str) -> dict[str, Any]:
    patch = {"$patch": "delete", "kind": kind, "metadata": {"name": "any"}}
    return {"target": {"kind": kind}, "patch": json.dumps(patch)}
