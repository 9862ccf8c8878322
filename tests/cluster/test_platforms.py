"""Platforms that choose the users of pods: an admission policy plays OpenShift's ranges."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cluster.client import Client, Refused
from tests.cluster.control_plane import ControlPlane
from tests.cluster.scenario import scenario
from tests.e2e.waiting import until

from blendtune_operator.names import Object

_POLICIES = "/apis/admissionregistration.k8s.io/v1"
_FIRST = 1_000_680_000  # of the namespace's range of users and groups
_FIELDS = ("runAsUser", "runAsGroup", "fsGroup")


@pytest.fixture
def ranges(client: Client, namespace: str) -> Iterator[None]:
    """Pods of the namespace that name a user or group outside its range are refused."""
    name = f"ranges-{namespace}"
    context = "object.spec.securityContext"
    rules = [
        {
            "expression": f"!has({context}) || !has({context}.{field}) || {context}.{field} >= {_FIRST}",
            "message": f"{field} is not in the namespace's range",
        }
        for field in _FIELDS
    ]
    resource = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
    policy = {"matchConstraints": {"resourceRules": [resource]}, "validations": rules}
    place = {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
    binding = {
        "policyName": name,
        "validationActions": ["Deny"],
        "matchResources": {"namespaceSelector": place},
    }
    kinds = {"validatingadmissionpolicies": policy, "validatingadmissionpolicybindings": binding}
    for plural, spec in kinds.items():
        client.call("POST", f"{_POLICIES}/{plural}", {"metadata": {"name": name}, "spec": spec})
    until("the policy is obeyed", lambda: not _is_admitted(client, namespace, 65532), every=0.2)
    yield
    for plural in kinds:
        client.call("DELETE", f"{_POLICIES}/{plural}/{name}")


def _is_admitted(client: Client, namespace: str, user: int) -> bool:
    container = {"name": "main", "image": "image"}
    pod: Object = {
        "metadata": {"name": "probe", "namespace": namespace},
        "spec": {"securityContext": {"runAsUser": user}, "containers": [container]},
    }
    try:
        client.call("POST", f"/api/v1/namespaces/{namespace}/pods?dryRun=All", pod)
    except Refused as error:
        return "is not in the namespace's range" not in error.message
    return True


@pytest.mark.usefixtures("ranges")
class TestRangesOfUsers:
    def test_pods_without_a_user_are_admitted(
        self, plane: ControlPlane, namespace: str, folder: Path
    ) -> None:
        with scenario(plane, namespace, folder, {"BLENDTUNE_PLATFORM_USER": "true"}) as world:
            world.apply()
            world.wait_for_state("Succeeded")

    def test_without_the_setting_the_run_says_that_no_pod_is_made(
        self, plane: ControlPlane, namespace: str, folder: Path
    ) -> None:
        with scenario(plane, namespace, folder) as world:
            world.apply()
            world.wait_for(
                "it says so", lambda: world.condition("DataBlended").get("reason") == "ChildRefused"
            )
            message = world.condition("DataBlended")["message"]
            assert message.startswith("no pod was made for Job ads-blend: FailedCreate: ")
            assert "is not in the namespace's range" in message
