"""The control plane and the operator's process behave as all tests here assume. Run when they change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.cluster.client import Client, Refused, config_map
from tests.cluster.control_plane import ControlPlane, control_plane
from tests.cluster.operator_process import OperatorProcess
from tests.e2e.waiting import until
from tests.operator.builders import fine_tune

from blendtune_api import codec
from blendtune_operator.names import Kind, Object

pytestmark = pytest.mark.harness


def run(namespace: str, **metadata: Any) -> Object:
    document = codec.encode_object(fine_tune())
    del document["status"]
    return {**document, "metadata": {"name": "ads", "namespace": namespace, **metadata}}


def test_the_crds_and_their_rules_are_served(client: Client, namespace: str) -> None:
    created = client.create(run(namespace))
    assert created["metadata"]["generation"] == 1
    wrong = run(namespace, name="wrong")
    wrong["spec"]["blend"]["sources"][0]["weight"] = -1
    with pytest.raises(Refused) as refused:
        client.create(wrong)
    assert refused.value.status == 422
    assert "weight" in refused.value.message


def test_requests_are_authenticated_and_authorized(
    plane: ControlPlane, client: Client, namespace: str
) -> None:
    """A service account without a role may do nothing (403); an unknown token is refused (401)."""
    account = f"/api/v1/namespaces/{namespace}/serviceaccounts"
    client.call("POST", account, {"metadata": {"name": "nobody"}})
    token = client.call("POST", f"{account}/nobody/token", {"spec": {}})["status"]["token"]
    for who, status in ((token, 403), ("stranger", 401)):
        with pytest.raises(Refused) as refused:
            Client(plane.server, who).list(Kind.CONFIG_MAP, namespace)
        assert refused.value.status == status


def test_the_garbage_collector_deletes_what_is_owned(client: Client, namespace: str) -> None:
    parent = client.create(run(namespace))
    child = client.create(config_map(namespace, "child", parent))
    client.create(config_map(namespace, "grandchild", {**child, "kind": "ConfigMap", "apiVersion": "v1"}))
    client.create(config_map(namespace, "stranger"))
    client.delete(parent)
    until("they are gone", lambda: [
        item["metadata"]["name"] for item in client.list(Kind.CONFIG_MAP, namespace)
    ] == ["stranger"], 20, every=0.05)  # fmt: skip


def test_no_process_is_left(tmp_path: Path) -> None:
    with control_plane(tmp_path) as second:
        assert second.client.text("/readyz") == "ok"
    with pytest.raises(OSError, match="refused"):
        second.client.text("/readyz")
    commands = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
    assert not [command for command in commands if str(tmp_path).encode() in command]


def test_the_operator_is_killed_started_and_stopped(
    plane: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    environment = {"BLENDTUNE_NAMESPACES": namespace, "BLENDTUNE_LEASE_NAMESPACE": namespace}
    operator = OperatorProcess(plane.kubeconfig(), tmp_path / "operator.log", environment)
    operator.start()
    try:
        until("it leads", lambda: operator.text().count("holding the Lease") == 1, 60, every=0.05)
        first = operator.pid
        operator.kill()
        assert not operator.is_running
        assert not Path(f"/proc/{first}").exists()
        operator.start()
        until("it leads again", lambda: operator.text().count("holding the Lease") == 2, 60, every=0.05)
    finally:
        assert operator.stop() == 0
    assert not operator.is_running
