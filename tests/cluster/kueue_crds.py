"""Kueue's kind, as far as the operator reads it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.cluster.client import Client
from tests.e2e.waiting import until

from blendtune_operator.names import Kind, Object

_CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_GROUP, _, _VERSION = Kind.WORKLOAD.api_version.partition("/")
_ANYTHING: Object = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
_WORKLOADS: Object = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": f"workloads.{_GROUP}"},
    "spec": {
        "group": _GROUP,
        "scope": "Namespaced",
        "names": {"kind": "Workload", "plural": "workloads", "singular": "workload"},
        "versions": [
            {"name": _VERSION, "served": True, "storage": True, "schema": {"openAPIV3Schema": _ANYTHING}}
        ],
    },
}


@contextmanager
def workloads_served(client: Client, served: bool = True) -> Iterator[None]:
    """The API server knows the kind meanwhile, if `served`."""
    if not served:
        yield
        return
    client.call("POST", _CRDS, _WORKLOADS)
    try:
        until("it is served", lambda: client.find(Kind.WORKLOAD.path(None)) is not None, every=0.1)
        yield
    finally:
        client.call("DELETE", f"{_CRDS}/workloads.{_GROUP}")
        until("it is gone", lambda: client.find(Kind.WORKLOAD.path(None)) is None, every=0.1)
