"""Namespaces of tests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from tests.cluster.client import Client
from tests.e2e.waiting import until

_PATH = "/api/v1/namespaces"


@contextmanager
def namespace_of(client: Client, name: str, labels: Mapping[str, str] | None = None) -> Iterator[str]:
    """A namespace that goes afterwards. A worker may come back to tests that have had it before."""
    until(f"no namespace {name} is left", lambda: client.find(f"{_PATH}/{name}") is None, 60, every=0.05)
    client.call("POST", _PATH, {"metadata": {"name": name, "labels": dict(labels or {})}})
    yield name
    client.call("DELETE", f"{_PATH}/{name}")
    # No kubelet is here that would end those on a node, and the namespace would stay for ever.
    client.call("DELETE", f"{_PATH}/{name}/pods?gracePeriodSeconds=0")
