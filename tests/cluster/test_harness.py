"""Tests are worth what their tools are worth: the control plane, the players, the proxy, the process."""

from __future__ import annotations

import json
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPResponse
from pathlib import Path
from typing import Any

import pytest
from tests.cluster.client import Client, Refused
from tests.cluster.control_plane import ControlPlane, control_plane
from tests.cluster.operator_process import OperatorProcess
from tests.cluster.players import Play, Players, playing
from tests.cluster.proxy import Exchange, Fault, FaultProxy, fault_proxy
from tests.e2e.waiting import until
from tests.operator.builders import fine_tune, train_result

from blendtune_api import codec
from blendtune_api.contract import decode_message
from blendtune_operator.names import ATTEMPT, OWNER_UID, REPLICA_INDEX, STAGE, TRAIN_CONTAINER, Kind, Object

CORE = "/api/v1/namespaces"


@pytest.fixture
def proxy(plane: ControlPlane) -> Iterator[FaultProxy]:
    with fault_proxy(plane.server) as started:
        yield started


@pytest.fixture
def through(plane: ControlPlane, proxy: FaultProxy) -> Client:
    """A client on the far side of the proxy, where the operator is."""
    return Client(proxy.url, plane.token)


@pytest.fixture
def players(client: Client, namespace: str) -> Iterator[Players]:
    account = f"{CORE}/{namespace}/serviceaccounts/default"  # without it no pod is admitted
    until("there is a service account", lambda: client.find(account), every=0.05)
    with playing(Players(client, namespace)) as started:
        yield started


def run(namespace: str, **metadata: Any) -> Object:
    document = codec.encode_object(fine_tune())
    del document["status"]
    return {**document, "metadata": {"name": "ads", "namespace": namespace, **metadata}}


def config(namespace: str, name: str, owner: Object | None = None) -> Object:
    metadata: Object = {"name": name, "namespace": namespace}
    if owner is not None:
        metadata["ownerReferences"] = [
            {key: owner[key] for key in ("apiVersion", "kind")}
            | {key: owner["metadata"][key] for key in ("name", "uid")}
        ]
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}


def template(stage: str, container: str) -> Object:
    labels = {OWNER_UID: "uid", STAGE: stage, ATTEMPT: "1"}
    containers = [{"name": container, "image": "none"}]
    return {"metadata": {"labels": labels}, "spec": {"restartPolicy": "Never", "containers": containers}}


def job(namespace: str) -> Object:
    spec = {"backoffLimit": 0, "template": template("blend", "blend")}
    return {"apiVersion": "batch/v1", "kind": "Job", "spec": spec,
            "metadata": {"name": "work", "namespace": namespace}}  # fmt: skip


def gang(namespace: str, *, suspend: bool = False) -> Object:
    worker = {"replicas": 2, "restartPolicy": "Never", "template": template("train", TRAIN_CONTAINER)}
    spec = {"runPolicy": {"suspend": suspend}, "pytorchReplicaSpecs": {"Worker": worker}}
    return {"apiVersion": "kubeflow.org/v1", "kind": "PyTorchJob", "spec": spec,
            "metadata": {"name": "gang", "namespace": namespace}}  # fmt: skip


def has(client: Client, obj: Object, condition: str) -> Any:
    """Whether the condition of the object is true."""
    found = client.get(Kind(obj["kind"]), obj["metadata"]["namespace"], obj["metadata"]["name"]) or {}
    conditions = (found.get("status") or {}).get("conditions") or []
    return any(item["type"] == condition and item["status"] == "True" for item in conditions)


def until_it_runs(client: Client, work: Object) -> None:
    """The gang says so, and so do both of its pods."""
    until("it runs", lambda: has(client, work, "Running"), 30, every=0.05)

    def phases() -> list[str]:
        pods = client.list(Kind.POD, work["metadata"]["namespace"])
        return [pod["status"].get("phase") for pod in pods]

    until("both pods run", lambda: phases() == ["Running", "Running"], 30, every=0.05)


def end(pod: Object) -> Object:
    (container,) = pod["status"]["containerStatuses"]
    ended: Object = container["state"]["terminated"]
    return ended


# The control plane


def test_it_knows_our_kinds_and_their_rules(client: Client, namespace: str) -> None:
    created = client.create(run(namespace))
    assert created["metadata"]["generation"] == 1
    wrong = run(namespace, name="wrong")
    wrong["spec"]["blend"]["sources"][0]["weight"] = -1
    with pytest.raises(Refused) as refused:
        client.create(wrong)
    assert refused.value.status == 422
    assert "weight" in refused.value.message


def test_rights_are_asked_for(plane: ControlPlane, client: Client, namespace: str) -> None:
    """A service account gets a token, is known by it, and may do nothing; a stranger is not even known."""
    account = f"{CORE}/{namespace}/serviceaccounts"
    client.call("POST", account, {"metadata": {"name": "nobody"}})
    token = client.call("POST", f"{account}/nobody/token", {"spec": {}})["status"]["token"]
    for who, status in ((token, 403), ("stranger", 401)):
        with pytest.raises(Refused) as refused:
            Client(plane.server, who).list(Kind.CONFIG_MAP, namespace)
        assert refused.value.status == status


def test_what_is_owned_goes_with_its_owner(client: Client, namespace: str) -> None:
    parent = client.create(run(namespace))
    child = client.create(config(namespace, "child", parent))
    client.create(config(namespace, "grandchild", {**child, "kind": "ConfigMap", "apiVersion": "v1"}))
    client.create(config(namespace, "stranger"))
    client.delete(parent)
    until("they are gone", lambda: [
        item["metadata"]["name"] for item in client.list(Kind.CONFIG_MAP, namespace)
    ] == ["stranger"], 20, every=0.05)  # fmt: skip


def test_nothing_of_it_is_left(tmp_path: Path) -> None:
    with control_plane(tmp_path) as second:
        assert second.client.text("/readyz") == "ok"
    with pytest.raises(OSError, match="refused"):
        second.client.text("/readyz")
    commands = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
    assert not [command for command in commands if str(tmp_path).encode() in command]


# The players


def test_a_job_completes(client: Client, namespace: str, players: Players) -> None:
    work = client.create(job(namespace))
    until("the job is complete", lambda: has(client, work, "Complete"), 30, every=0.05)
    (pod,) = client.list(Kind.POD, namespace)
    assert end(pod)["exitCode"] == 0
    assert decode_message(end(pod)["message"])
    assert pod["status"]["containerStatuses"][0]["name"] == "blend"
    assert not has(client, work, "Failed")
    assert players.policy("blend", 1) == Play()


def test_a_job_fails(client: Client, namespace: str, players: Players) -> None:
    players.policy = lambda *_: Play(exit_code=137, reason="OOMKilled")
    work = client.create(job(namespace))
    until("the job has failed", lambda: has(client, work, "Failed"), 30, every=0.05)
    (pod,) = client.list(Kind.POD, namespace)
    assert (end(pod)["exitCode"], end(pod)["reason"]) == (137, "OOMKilled")


def test_a_gang_succeeds(client: Client, namespace: str, players: Players) -> None:
    asked: list[int] = []

    def hold(_: str, attempt: int) -> Play:
        asked.append(attempt)
        return Play(exit_code=None)

    players.policy = hold
    work = client.create(gang(namespace))
    until_it_runs(client, work)
    begun = len(asked)
    until("the pods were looked at again and again", lambda: len(asked) > begun + 8, 30, every=0.05)
    until_it_runs(client, work)
    assert not has(client, work, "Succeeded")
    players.policy = lambda *_: Play()
    until("it succeeds", lambda: has(client, work, "Succeeded"), 30, every=0.05)
    first, second = sorted(client.list(Kind.POD, namespace), key=lambda pod: pod["metadata"]["name"])
    assert [first["metadata"]["name"], second["metadata"]["name"]] == ["gang-worker-0", "gang-worker-1"]
    assert decode_message(end(first)["message"]) == train_result()
    assert not end(second).get("message")
    assert second["metadata"]["labels"][REPLICA_INDEX] == "1"
    assert first["metadata"]["ownerReferences"][0]["uid"] == work["metadata"]["uid"]


def test_a_gang_waits_while_it_is_suspended(client: Client, namespace: str, players: Players) -> None:
    work = client.create(gang(namespace, suspend=True))
    until("it is suspended", lambda: has(client, work, "Suspended"), 30, every=0.05)
    assert not client.list(Kind.POD, namespace)
    client.patch(Kind.PYTORCH_JOB, namespace, "gang", {"spec": {"runPolicy": {"suspend": False}}})
    until("it succeeds", lambda: has(client, work, "Succeeded"), 30, every=0.05)
    assert not has(client, work, "Suspended")
    assert players.namespace == namespace


def test_a_lost_worker_takes_the_gang_with_it(client: Client, namespace: str, players: Players) -> None:
    """The pod that failed stays and can be asked why; the other is removed (cleanPodPolicy Running)."""
    players.policy = lambda *_: Play(exit_code=None)
    work = client.create(gang(namespace))
    until_it_runs(client, work)
    lost = client.get(Kind.POD, namespace, "gang-worker-1")
    assert lost is not None
    client.set_status(lost, {"phase": "Failed"})
    until("it has failed", lambda: has(client, work, "Failed"), 30, every=0.05)
    assert [pod["metadata"]["name"] for pod in client.list(Kind.POD, namespace)] == ["gang-worker-1"]


# The proxy


def test_writes_are_counted(proxy: FaultProxy, through: Client, namespace: str) -> None:
    through.create(config(namespace, "one"))
    through.list(Kind.CONFIG_MAP, namespace)
    lease = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
    through.call("POST", lease, {"metadata": {"name": "lease"}, "spec": {}})
    with pytest.raises(Refused):
        through.create(config(namespace, "one"))
    through.call("DELETE", f"{CORE}/{namespace}/configmaps/one")
    path = f"{CORE}/{namespace}/configmaps/one"
    assert proxy.writes == [("POST", path, 201), ("POST", path, 409), ("DELETE", path, 200)]
    assert proxy.requests == {"POST": 3, "GET": 1, "DELETE": 1}
    review = {"spec": {"resourceAttributes": {"verb": "get", "resource": "pods"}}}
    through.call("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review)
    assert len(proxy.writes) == 3


@pytest.mark.parametrize("status", [409, 429, 500])
def test_answers_of_its_own(
    proxy: FaultProxy, through: Client, client: Client, namespace: str, status: int
) -> None:
    proxy.rule = lambda exchange: (
        Fault(status=status, retry_after=1) if exchange.is_write and exchange.number == 2 else None
    )
    through.create(config(namespace, "one"))
    with pytest.raises(Refused) as refused:
        through.create(config(namespace, "two"))
    assert refused.value.status == status
    assert refused.value.__cause__.headers["Retry-After"] == "1"  # type: ignore[union-attr]
    through.create(config(namespace, "three"))
    names = [item["metadata"]["name"] for item in client.list(Kind.CONFIG_MAP, namespace)]
    assert names == ["one", "three"]
    assert [write[2] for write in proxy.writes] == [201, status, 201]


@pytest.mark.parametrize(("when", "committed"), [("before", False), ("after", True), ("lost", True)], ids=str)
def test_a_write_without_an_answer(
    proxy: FaultProxy, through: Client, client: Client, namespace: str, when: str, committed: bool
) -> None:
    """Before a write nothing is there; after it, it is, though the client is never told so."""
    seen: list[bool] = []

    def look() -> None:
        seen.append(client.get(Kind.CONFIG_MAP, namespace, "one") is not None)

    faults = {"before": Fault(before=look), "after": Fault(after=look), "lost": Fault(lost=True)}
    proxy.rule = lambda exchange: faults[when] if exchange.name == "one" else None
    with pytest.raises(OSError):
        through.create(config(namespace, "one"))
    assert seen == ([] if when == "lost" else [committed])
    assert (client.get(Kind.CONFIG_MAP, namespace, "one") is not None) is committed


def test_stale_lists(proxy: FaultProxy, through: Client, namespace: str) -> None:
    left = [2]

    def rule(exchange: Exchange) -> Fault | None:
        if exchange.is_write or not left[0]:
            return None
        left[0] -= 1
        return Fault(stale=True)

    assert not through.list(Kind.CONFIG_MAP, namespace)
    through.create(config(namespace, "one"))
    proxy.rule = rule
    assert [len(through.list(Kind.CONFIG_MAP, namespace)) for _ in range(3)] == [0, 0, 1]


@contextmanager
def watch(client: Client, namespace: str) -> Iterator[HTTPResponse]:
    query = "?watch=1&timeoutSeconds=30"
    request = urllib.request.Request(
        client.server + Kind.CONFIG_MAP.path(namespace) + query,
        headers={"Authorization": f"Bearer {client.token}"},
    )
    with urllib.request.urlopen(request, timeout=10) as stream:
        yield stream


def event(stream: HTTPResponse) -> tuple[str, str]:
    line = json.loads(stream.readline())
    return line["type"], line["object"].get("metadata", {}).get("name") or line["object"]["code"]


def test_watches_bring_each_event_at_once_until_they_are_cut(
    proxy: FaultProxy, through: Client, client: Client, namespace: str
) -> None:
    with watch(through, namespace) as stream, watch(through, namespace) as other:
        for name in ("one", "two"):
            client.create(config(namespace, name))
            assert event(stream) == event(other) == ("ADDED", name)
        proxy.cut_watches()
        assert stream.readline() == other.readline() == b""


def test_events_come_late(proxy: FaultProxy, through: Client, client: Client, namespace: str) -> None:
    proxy.watch_delay = 0.5
    with watch(through, namespace) as stream:
        begun = time.monotonic()
        client.create(config(namespace, "late"))
        assert event(stream) == ("ADDED", "late")
    assert time.monotonic() - begun >= 0.5


def test_a_failed_test_says_that_the_players_had_given_up(plane: ControlPlane) -> None:
    asked = Players(Client(plane.server, "stranger"), "default")
    with pytest.raises(AssertionError) as failed, playing(asked):
        until(
            "the players have given up",
            lambda: "players" not in {t.name for t in threading.enumerate()},
            10,
            0.05,
        )
        raise AssertionError("the test waited in vain")
    assert "401" in failed.value.__notes__[0]


def test_events_are_doubled_dropped_and_replaced(
    proxy: FaultProxy, through: Client, client: Client, namespace: str
) -> None:
    gone = b'{"type":"ERROR","object":{"kind":"Status","code":410}}\n'

    def rule(line: bytes) -> list[bytes]:
        name = json.loads(line)["object"]["metadata"]["name"]
        return {"twice": [line, line], "never": [], "expired": [gone]}[name]

    proxy.watch_rule = rule
    with watch(through, namespace) as stream:
        for name in ("twice", "never", "expired"):
            client.create(config(namespace, name))
        assert [event(stream) for _ in range(3)] == [("ADDED", "twice")] * 2 + [("ERROR", 410)]


# The operator as a process


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
