"""What Argo CD does with the examples, on a real API server: it applies them, compares, and promotes."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.api.conftest import KubectlLoader
from tests.cluster.client import Client
from tests.cluster.control_plane import ROOT, ControlPlane
from tests.cluster.fake_controllers import PodOutcome
from tests.cluster.scenario import scenario
from tests.e2e.binaries import program
from tests.operator.builders import eval_result

from blendtune_api.contract import encode_message
from blendtune_operator.names import Kind

MANAGER = "argocd-controller"
EXAMPLE = ROOT / "gitops/example/runs/support-bot"
NAMESPACE = "assistants"  # of the example
HOOK = "argocd.argoproj.io/hook"
PATHS = {
    "BlendedFineTune": "apis/blendtune.io/v1alpha1/namespaces/{}/blendedfinetunes",
    "RubricEval": "apis/blendtune.io/v1alpha1/namespaces/{}/rubricevals",
    "ConfigMap": "api/v1/namespaces/{}/configmaps",
    "ServiceAccount": "api/v1/namespaces/{}/serviceaccounts",
    "Role": "apis/rbac.authorization.k8s.io/v1/namespaces/{}/roles",
    "RoleBinding": "apis/rbac.authorization.k8s.io/v1/namespaces/{}/rolebindings",
    "Job": "apis/batch/v1/namespaces/{}/jobs",
}


def is_hook(document: Any) -> bool:
    """Argo CD runs hooks, and compares them with nothing."""
    return HOOK in document["metadata"].get("annotations", {})


FILES = sorted(
    file for folder in ("examples", "gitops/example/runs") for file in (ROOT / folder).rglob("*.yaml")
)
DOCUMENTS = [
    pytest.param(document, id=f"{file.relative_to(ROOT)}: {document['kind']} {document['metadata']['name']}")
    for file in FILES
    for document in yaml.load_all(file.read_text(), KubectlLoader)
    if document and document.get("kind") in PATHS and not is_hook(document)
]


def placed(document: Any, namespace: str) -> Any:
    """The document in a namespace of the test."""
    text = yaml.safe_dump(document).replace(f"namespace: {NAMESPACE}", f"namespace: {namespace}")
    result = yaml.safe_load(text)
    result["metadata"]["namespace"] = namespace
    return result


def path(document: Any) -> str:
    metadata = document["metadata"]
    return f"/{PATHS[document['kind']].format(metadata['namespace'])}/{metadata['name']}"


def sync(client: Client, document: Any, dry_run: bool = False) -> Any:
    """Server-side apply under Argo CD's name."""
    query = f"?fieldManager={MANAGER}&force=true" + ("&dryRun=All" if dry_run else "")
    return client.call("PATCH", path(document) + query, document, "application/apply-patch+yaml")


def differences(git: Any, live: Any, where: str = "") -> Iterator[str]:
    """What differs in the cluster from Git. Lists are compared as wholes, as Argo CD compares them."""
    if isinstance(git, dict) and isinstance(live, dict):
        for key, value in git.items():
            yield from differences(value, live.get(key), f"{where}.{key}")
    elif git != live:
        yield f"{where}: {git!r} in Git, {live!r} in the cluster"


@pytest.mark.parametrize("document", DOCUMENTS)
def test_what_git_holds_is_what_the_cluster_holds(document: Any, client: Client, namespace: str) -> None:
    document = placed(document, namespace)
    first = sync(client, document)
    assert list(differences(document, client.call("GET", path(document)))) == []
    again = sync(client, document)
    assert again["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]


def test_a_difference_is_found() -> None:
    assert list(differences({"a": [{"b": 1}]}, {"a": [{"b": 1, "c": "default"}]})) == [
        ".a: [{'b': 1}] in Git, [{'b': 1, 'c': 'default'}] in the cluster"
    ]
    assert list(differences({"a": 1}, {"a": 1, "status": {}})) == []
    assert list(differences({"a": {"b": 1}}, {"a": {}})) == [".a.b: 1 in Git, None in the cluster"]


@dataclass(frozen=True)
class Promotion:
    """The containers of the example's hook, run by kubectl with the rights of its service account."""

    kubeconfig: Path
    namespace: str
    folder: Path
    job: Any

    def run(self) -> bool:
        """Whether every container ended well, one after the other."""
        pod = self.job["spec"]["template"]["spec"]
        return all(self._run(container["args"]) for container in (*pod["initContainers"], *pod["containers"]))

    def _run(self, arguments: list[str]) -> bool:
        mounted = [each.replace("/promotion/", f"{self.folder}/") for each in arguments]
        command = [
            program("kubectl"),
            "--kubeconfig",
            str(self.kubeconfig),
            "--namespace",
            self.namespace,
            *mounted,
        ]
        return subprocess.run(command, capture_output=True, timeout=60, check=False).returncode == 0


def promotion(plane: ControlPlane, namespace: str, folder: Path) -> Promotion:
    """Syncs all of the example but its hook, which the API server would take as it is."""
    documents = [
        placed(document, namespace)
        for file in sorted(EXAMPLE.glob("*.yaml"))
        for document in yaml.load_all(file.read_text(), KubectlLoader)
    ]
    for document in documents:
        sync(plane.client, document, dry_run=is_hook(document))
    (job,) = filter(is_hook, documents)
    data = next(each["data"] for each in documents if each["metadata"]["name"] == "support-bot-promotion")
    mounted = folder / "promotion"
    mounted.mkdir()
    for name, text in data.items():
        (mounted / name).write_text(text.replace(f"namespace: {NAMESPACE}", f"namespace: {namespace}"))
    account = f"/api/v1/namespaces/{namespace}/serviceaccounts/promotion/token"
    token = plane.client.call("POST", account, {"spec": {}})["status"]["token"]
    return Promotion(plane.kubeconfig(token=token), namespace, mounted, job)


@pytest.mark.parametrize(
    ("general", "promoted"),
    [
        pytest.param(0.0, True, id="gates passed"),
        pytest.param(-0.3, False, id="gate failed"),
        pytest.param(-0.2, False, id="gate inconclusive"),
    ],
)
def test_a_model_is_promoted_only_when_its_gates_passed(
    general: float, promoted: bool, plane: ControlPlane, namespace: str, folder: Path
) -> None:
    scores = PodOutcome(message=encode_message(eval_result(0.5, general)))
    with scenario(plane, namespace, folder) as world:
        world.controllers.policy = lambda stage, _: (
            scores if stage == "eval" else PodOutcome(exit_code=None) if stage == "train" else PodOutcome()
        )
        hook = promotion(plane, namespace, folder)
        world.wait_for(
            "it trains",
            lambda: world.condition("TrainingSucceeded", "support-bot-1").get("reason") == "Running",
        )
        assert not hook.run()
        world.controllers.policy = lambda stage, _: scores if stage == "eval" else PodOutcome()
        world.wait_for_state("Succeeded", name="support-bot-1")
        assert hook.run() is promoted
        served = plane.client.find(f"/api/v1/namespaces/{namespace}/configmaps/served-model")
        assert (served is not None) is promoted

        (git,) = [
            placed(document, namespace)
            for document in yaml.load_all((EXAMPLE / "run.yaml").read_text(), KubectlLoader)
        ]
        live = plane.client.get(Kind.BLENDED_FINE_TUNE, namespace, "support-bot-1")
        assert live is not None
        assert list(differences(git, live)) == []
        assert live["metadata"]["annotations"] == git["metadata"]["annotations"]
        assert sync(plane.client, git)["metadata"]["resourceVersion"] == live["metadata"]["resourceVersion"]
