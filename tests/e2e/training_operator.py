"""Kubeflow's training operator, from its own standalone kustomization, with the image built here."""

from __future__ import annotations

import shutil

from tests.e2e.binaries import module_folder
from tests.e2e.cluster import Cluster
from tests.e2e.images import TRAINING_OPERATOR

_MODULE = "github.com/kubeflow/training-operator"
_OVERLAY = """\
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [../manifests/overlays/standalone]
patches:
- target: {{kind: Deployment, name: training-operator}}
  patch: |
    - {{op: add, path: /spec/template/spec/containers/0/image, value: "{image}"}}
    - {{op: add, path: /spec/template/spec/containers/0/imagePullPolicy, value: Never}}
"""


def install(cluster: Cluster) -> None:
    """Applies it, and waits until it is ready."""
    folder = cluster.folder / "training-operator"
    source = module_folder("training-operator", _MODULE) / "manifests"
    shutil.copytree(source, folder / "manifests", copy_function=shutil.copyfile)
    (folder / "overlay").mkdir()
    (folder / "overlay" / "kustomization.yaml").write_text(_OVERLAY.format(image=TRAINING_OPERATOR))
    kubectl = cluster.kubectl.within("kubeflow")
    kubectl("apply", "--server-side", "-k", str(folder / "overlay"))
    kubectl("rollout", "status", "deployment/training-operator", "--timeout=180s")
