"""The chart on a real API server: every rendering is valid, and a release has the rights that it needs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.cluster.client import Client
from tests.cluster.control_plane import ControlPlane, monitoring_crds
from tests.cluster.namespaces import namespace_of
from tests.e2e.waiting import until
from tests.helm.chart import CASES, CHART, NAMESPACE, ROOT, Object, Values, helm, observed_chart, render
from tests.operator.builders import fine_tune

from blendtune_api import codec
from blendtune_operator.names import Kind

RULES = yaml.safe_load((ROOT / "helm/blendtune/files/rules.yaml").read_text())
_CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_RESTRICTED = {
    "pod-security.kubernetes.io/enforce": "restricted",
    "pod-security.kubernetes.io/warn": "restricted",
}


@pytest.fixture(scope="module")
def cluster(plane: ControlPlane) -> Iterator[Client]:
    """A client of the API server, which has the namespaces and kinds that the chart's objects need."""
    client = plane.client
    with (
        namespace_of(client, NAMESPACE, _RESTRICTED),
        namespace_of(client, "team-a"),
        namespace_of(client, "team-b"),
    ):
        for file in monitoring_crds():
            client.apply_text(_CRDS, file.read_text())
        kinds = {"servicemonitors", "podmonitors", "prometheusrules"}
        until(
            "the monitoring kinds are served",
            lambda: kinds <= set(resources(client, "monitoring.coreos.com/v1")),
        )
        yield client


def resources(client: Client, api_version: str) -> dict[str, dict[str, Any]]:
    """What the API server serves in a group's version, by plural."""
    root = "/api" if "/" not in api_version else "/apis"
    found = client.find(f"{root}/{api_version}") or {"resources": []}
    return {resource["name"]: resource for resource in found["resources"]}


def path_of(client: Client, obj: Object) -> str:
    api_version, kind, metadata = obj["apiVersion"], obj["kind"], obj["metadata"]
    (resource,) = (
        resource
        for name, resource in resources(client, api_version).items()
        if resource["kind"] == kind and "/" not in name
    )
    root = "/api" if "/" not in api_version else "/apis"
    place = f"/namespaces/{metadata['namespace']}" if resource["namespaced"] else ""
    return f"{root}/{api_version}{place}/{resource['name']}/{metadata['name']}"


@pytest.mark.parametrize("values", CASES.values(), ids=CASES)
def test_the_api_server_accepts_every_object_without_a_warning(
    cluster: Client, tmp_path: Path, values: Values
) -> None:
    for obj in render(values, observed_chart(tmp_path)):
        assert cluster.dry_run(path_of(cluster, obj), obj) == [], obj["kind"]


def test_the_dry_run_warns_of_what_is_wrong(cluster: Client) -> None:
    (deployment,) = (obj for obj in render({}) if obj["kind"] == "Deployment")
    deployment["spec"]["template"]["spec"]["securityContext"] = {}
    (warning,) = cluster.dry_run(path_of(cluster, deployment), deployment)
    assert "would violate PodSecurity" in warning


def test_a_release_is_installed_upgraded_and_uninstalled(cluster: Client, plane: ControlPlane) -> None:
    """It serves one namespace, then the whole cluster; the CRDs and the runs outlive it."""
    kubeconfig = plane.kubeconfig()
    place = ("--namespace", NAMESPACE)

    one_namespace, all_of_them = ({"operator": {"namespaces": names}} for names in (["team-a"], []))
    install = ("install", "blendtune", CHART, *place, "--take-ownership")
    assert "serves the namespaces team-a" in helm(*install, values=one_namespace, kubeconfig=kubeconfig)
    until("it may serve team-a", lambda: not refused(cluster, "team-a", RULES["run"]))
    until("it may hold the Lease", lambda: not refused(cluster, NAMESPACE, RULES["lease"]))
    assert refused(cluster, "team-b", RULES["run"]) == permissions(RULES["run"])
    run = cluster.create(manifest("ads"))

    upgrade = ("upgrade", "blendtune", CHART, *place)
    assert "serves the whole cluster" in helm(*upgrade, values=all_of_them, kubeconfig=kubeconfig)
    until("it may serve all", lambda: not refused(cluster, "team-b", [*RULES["run"], *RULES["cluster"]]))
    assert cluster.get(Kind.BLENDED_FINE_TUNE, "team-a", "ads") == run

    kinds = {"apiGroups": ["blendtune.io"], "resources": ["blendedfinetunes", "rubricevals", "blendstudies"]}
    reading = {**kinds, "verbs": ["get", "list", "watch"]}
    writing = {**kinds, "verbs": ["create", "update", "patch", "delete", "deletecollection"]}
    for role in ("view", "edit"):
        bind(cluster, "team-b", role)
    until("editors may write", lambda: not refused(cluster, "team-b", [reading, writing], "edit"))
    until("viewers may read", lambda: not refused(cluster, "team-b", [reading], "view"))
    assert refused(cluster, "team-b", [writing], "view") == permissions([writing])

    assert "blendedfinetunes.blendtune.io" in helm("uninstall", "blendtune", *place, kubeconfig=kubeconfig)
    assert cluster.find(f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/blendtune-operator") is None
    assert cluster.find("/apis/rbac.authorization.k8s.io/v1/clusterroles/blendtune-operator") is None
    assert cluster.get(Kind.BLENDED_FINE_TUNE, "team-a", "ads") == run


def manifest(name: str) -> Object:
    document = codec.encode_object(fine_tune())
    document["metadata"] = {"name": name, "namespace": "team-a"}
    document.pop("status", None)
    return document


def bind(client: Client, namespace: str, role: str) -> None:
    """Gives the user of that name a role of the cluster in the namespace."""
    subject = {"kind": "User", "name": role, "apiGroup": "rbac.authorization.k8s.io"}
    reference = {"kind": "ClusterRole", "name": role, "apiGroup": "rbac.authorization.k8s.io"}
    body = {"metadata": {"name": role}, "roleRef": reference, "subjects": [subject]}
    client.call("POST", f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/rolebindings", body)


def permissions(rules: list[dict[str, Any]]) -> set[tuple[str, str, str]]:
    """What the rules grant, as (verb, group, resource)."""
    return {
        (verb, group, resource)
        for rule in rules
        for verb in rule["verbs"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }


def refused(
    client: Client, namespace: str, rules: list[dict[str, Any]], user: str = ""
) -> set[tuple[str, str, str]]:
    """The permissions of the rules that a user, by default the operator, lacks in a namespace."""
    user = user or f"system:serviceaccount:{NAMESPACE}:blendtune-operator"
    names = {
        (verb, group, resource): rule.get("resourceNames", [""])[0]
        for rule in rules
        for verb, group, resource in permissions([rule])
    }
    return {
        (verb, group, resource)
        for (verb, group, resource), name in names.items()
        if not may(client, user, namespace, verb, group, resource, name)
    }


def may(client: Client, user: str, namespace: str, verb: str, group: str, resource: str, name: str) -> bool:
    kind, _, subresource = resource.partition("/")
    attributes = {
        "namespace": namespace, "verb": verb, "group": group, "resource": kind,
        "subresource": subresource, "name": name,
    }  # fmt: skip
    review = {"spec": {"user": user, "resourceAttributes": attributes}}
    path = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
    return bool(client.call("POST", path, review)["status"]["allowed"])
