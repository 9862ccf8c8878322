"""The fault proxy injects what it is told to, and nothing else. Run when it changes."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPResponse

import pytest
from tests.cluster.client import Client, Refused, config_map
from tests.cluster.control_plane import ControlPlane
from tests.cluster.fault_proxy import Exchange, Fault, FaultProxy, fault_proxy

from blendtune_operator.names import Kind

pytestmark = pytest.mark.harness


@pytest.fixture
def proxy(plane: ControlPlane) -> Iterator[FaultProxy]:
    with fault_proxy(plane.server) as started:
        yield started


@pytest.fixture
def through(plane: ControlPlane, proxy: FaultProxy) -> Client:
    """A client that speaks to the API server through the proxy, as the operator does."""
    return Client(proxy.url, plane.token)


def test_writes_are_counted(proxy: FaultProxy, through: Client, namespace: str) -> None:
    through.create(config_map(namespace, "one"))
    through.list(Kind.CONFIG_MAP, namespace)
    lease = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
    through.call("POST", lease, {"metadata": {"name": "lease"}, "spec": {}})
    with pytest.raises(Refused):
        through.create(config_map(namespace, "one"))
    through.call("DELETE", f"/api/v1/namespaces/{namespace}/configmaps/one")
    path = f"/api/v1/namespaces/{namespace}/configmaps/one"
    assert proxy.writes == [("POST", path, 201), ("POST", path, 409), ("DELETE", path, 200)]
    assert proxy.requests == {"POST": 3, "GET": 1, "DELETE": 1}
    review = {"spec": {"resourceAttributes": {"verb": "get", "resource": "pods"}}}
    through.call("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review)
    assert len(proxy.writes) == 3


@pytest.mark.parametrize("status", [409, 429, 500])
def test_a_request_is_refused(
    proxy: FaultProxy, through: Client, client: Client, namespace: str, status: int
) -> None:
    proxy.rule = lambda exchange: (
        Fault(status=status, retry_after=1) if exchange.is_write and exchange.number == 2 else None
    )
    through.create(config_map(namespace, "one"))
    with pytest.raises(Refused) as refused:
        through.create(config_map(namespace, "two"))
    assert refused.value.status == status
    assert refused.value.headers["Retry-After"] == "1"
    through.create(config_map(namespace, "three"))
    names = [item["metadata"]["name"] for item in client.list(Kind.CONFIG_MAP, namespace)]
    assert names == ["one", "three"]
    assert [write[2] for write in proxy.writes] == [201, status, 201]


@pytest.mark.parametrize(("when", "committed"), [("before", False), ("after", True), ("lost", True)], ids=str)
def test_a_write_without_an_answer(
    proxy: FaultProxy, through: Client, client: Client, namespace: str, when: str, committed: bool
) -> None:
    """`before` is called while nothing is written, `after` once it is; the client gets no answer."""
    seen: list[bool] = []

    def look() -> None:
        seen.append(client.get(Kind.CONFIG_MAP, namespace, "one") is not None)

    faults = {"before": Fault(before=look), "after": Fault(after=look), "lost": Fault(lost=True)}
    proxy.rule = lambda exchange: faults[when] if exchange.name == "one" else None
    with pytest.raises(OSError):
        through.create(config_map(namespace, "one"))
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
    through.create(config_map(namespace, "one"))
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
            client.create(config_map(namespace, name))
            assert event(stream) == event(other) == ("ADDED", name)
        proxy.cut_watches()
        assert stream.readline() == other.readline() == b""


def test_events_come_late(proxy: FaultProxy, through: Client, client: Client, namespace: str) -> None:
    proxy.watch_delay = 0.5
    with watch(through, namespace) as stream:
        begun = time.monotonic()
        client.create(config_map(namespace, "late"))
        assert event(stream) == ("ADDED", "late")
    assert time.monotonic() - begun >= 0.5


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
            client.create(config_map(namespace, name))
        assert [event(stream) for _ in range(3)] == [("ADDED", "twice")] * 2 + [("ERROR", 410)]
