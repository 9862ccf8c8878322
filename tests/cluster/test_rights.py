"""The operator needs the rights that it ships with, and no more."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.cluster.client import Client
from tests.cluster.control_plane import ROOT, ControlPlane
from tests.cluster.fake_controllers import PodOutcome
from tests.cluster.scenario import scenario

from blendtune_api.v1alpha1 import Gang
from blendtune_operator.gang import BACKENDS
from blendtune_operator.names import Kind

RULES: dict[str, list[dict[str, Any]]] = yaml.safe_load(
    (ROOT / "helm/blendtune/files/rules.yaml").read_text()
)
_RBAC = "/apis/rbac.authorization.k8s.io/v1"


def service_account(client: Client, namespace: str, rules: Sequence[dict[str, Any]]) -> str:
    """A token of a new service account with these rights in its namespace."""
    metadata = {"name": "operator", "namespace": namespace}
    place = f"/namespaces/{namespace}"
    client.call("POST", f"/api/v1{place}/serviceaccounts", {"metadata": metadata})
    client.call("POST", f"{_RBAC}{place}/roles", {"metadata": metadata, "rules": list(rules)})
    subject = {"kind": "ServiceAccount", "name": "operator", "namespace": namespace}
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "operator"}
    binding = {"metadata": metadata, "roleRef": reference, "subjects": [subject]}
    client.call("POST", f"{_RBAC}{place}/rolebindings", binding)
    path = f"/api/v1{place}/serviceaccounts/operator/token"
    return str(client.call("POST", path, {"spec": {"expirationSeconds": 3600}})["status"]["token"])


@pytest.mark.parametrize("gang", BACKENDS, ids=str)
def test_a_whole_life_with_the_shipped_rights(
    gang: Gang, plane: ControlPlane, client: Client, namespace: str, folder: Path
) -> None:
    """Attempts, suspension and removal of the children: every call that the operator ever makes."""
    token = service_account(client, namespace, [*RULES["run"], *RULES["lease"]])
    with scenario(plane, namespace, folder, token=token, gang=gang) as world:
        world.controllers.policy = lambda stage, number: (
            PodOutcome(exit_code=None) if (stage, number) == ("train", 1) else PodOutcome()
        )
        world.apply(ttl_seconds_after_finished=1)
        world.wait_for("it trains", lambda: world.condition("TrainingSucceeded").get("reason") == "Running")
        client.patch(Kind.BLENDED_FINE_TUNE, namespace, "ads", {"spec": {"suspend": True}})
        world.wait_for_state("Suspended")
        client.patch(Kind.BLENDED_FINE_TUNE, namespace, "ads", {"spec": {"suspend": False}})
        world.wait_for_state("Succeeded")
        world.wait_for("the children are gone", lambda: not world.children())
        assert not [write for write in world.proxy.writes if write[2] == 403]
        assert "forbidden" not in world.operator.text()
        events = client.call("GET", f"/api/v1/namespaces/{namespace}/events")["items"]
        assert any(event["involvedObject"]["kind"] == Kind.BLENDED_FINE_TUNE for event in events)


@pytest.mark.parametrize("rule", [rule for rules in RULES.values() for rule in rules], ids=str)
def test_no_right_is_broad(rule: dict[str, Any]) -> None:
    assert "*" not in [*rule["apiGroups"], *rule["resources"], *rule["verbs"]]
    assert not {"secrets", "pods/exec", "pods/log"} & set(rule["resources"])
    assert not {"escalate", "bind", "impersonate"} & set(rule["verbs"])
