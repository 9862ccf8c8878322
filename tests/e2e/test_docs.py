"""The kubectl and helm commands of the documentation, as they stand there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.docs_commands import ROOT, Command, commands
from tests.e2e.cluster import Cluster
from tests.e2e.namespaces import Namespace, small_run
from tests.helm.chart import helm

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

EXAMPLE, NAME = "examples/paper/33b-blend.yaml", "vicuna-33b-blend"
WATCH = ("-w",)  # it would never end
WALKED = "docs/first-run.md"  # by test_first_run.py


def tried(command: Command) -> list[str]:
    """The words, changed where the command would not end, or would take away what other tests stand on."""
    words = [NAME if word == "NAME" else word for word in command.words[1:] if word not in WATCH]
    changes_cluster = words[:2] == ["delete", "crd"] or command.program == "helm"
    return [*words, "--dry-run=server"] if changes_cluster else words


@pytest.fixture
def argocd(cluster: Cluster) -> Iterator[None]:
    """Argo CD's settings, as its installation leaves them."""
    kubectl = cluster.kubectl.within("argocd")
    kubectl("create", "namespace", "argocd")
    kubectl("create", "configmap", "argocd-cm")
    yield
    kubectl("delete", "namespace", "argocd", "--timeout=60s")


@pytest.mark.usefixtures("argocd")
def test_the_commands_of_the_documentation(
    namespace: Namespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("examples", "gitops", "crds", "helm"):
        (tmp_path / folder).symlink_to(ROOT / folder)
    (tmp_path / "rubric.yaml").write_text("name: kettle-shop\n")
    (tmp_path / "my-run.yaml").write_text(json.dumps({**small_run(), "metadata": {"name": "my-run"}}))
    monkeypatch.chdir(tmp_path)
    namespace.kubectl("apply", "-f", EXAMPLE)
    for command in (each for each in commands("kubectl", "helm") if each.page != WALKED):
        if command.program == "kubectl":
            namespace.kubectl(*tried(command))
        else:
            helm(*tried(command), kubeconfig=namespace.cluster.credentials.kubeconfig("admin"))
