"""A training of two pods under the controller that makes them, whichever it is."""

from __future__ import annotations

import pytest
from tests.e2e.namespaces import Namespace, small_run
from tests.e2e.waiting import until

from blendtune_api.v1alpha1 import Gang
from blendtune_operator import names
from blendtune_operator.gang import BACKENDS

pytestmark = [pytest.mark.peers, pytest.mark.timeout(1800)]


@pytest.mark.parametrize("gang", [Gang.JOB_SET, Gang.TRAIN_JOB], ids=str.lower)
def test_a_gang(namespace: Namespace, gang: Gang) -> None:
    run = small_run()
    run["spec"]["cluster"]["gang"] = gang.value
    backend = BACKENDS[gang]
    kinds = (backend.kind, *backend.makes)
    namespace.apply(run)
    ended = namespace.follow("small", 1200, f"bft,{','.join(map(str.lower, kinds))},pods")
    status = ended["status"]
    assert status["state"] == "Succeeded", status
    assert status["pinned"]["gang"] == gang
    pods = namespace.kubectl.list("pods", f"{names.STAGE}=train")
    assert {pod["metadata"]["labels"][backend.index_label] for pod in pods} == {"0", "1"}
    for kind in kinds:
        assert namespace.kubectl.list(kind.lower(), f"{names.STAGE}=train"), kind
    namespace.kubectl("delete", "bft", "small", "--timeout=120s")
    for kind in (*kinds, "trainingruntime", "pods"):
        until(f"no {kind} is left", lambda kind=kind: not namespace.kubectl.list(kind.lower()))
