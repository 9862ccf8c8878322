"""What a real kubelet and containerd do with a pod that they cannot run, and what the run says of it."""

from __future__ import annotations

from typing import Any

import pytest
from tests.e2e.kubelet import NODE
from tests.e2e.namespaces import Namespace, small_run
from tests.e2e.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]


def with_blend_pod(**spec: Any) -> dict[str, Any]:
    run = small_run()
    run["spec"]["cluster"]["blend"] = {
        **run["spec"]["cluster"].get("blend", {}),
        "podTemplate": {"spec": spec},
    }
    return run


def test_a_program_that_the_image_lacks_is_told_and_not_tried_again(namespace: Namespace) -> None:
    namespace.apply(with_blend_pod(containers=[{"name": "blend", "command": ["no-such-program"]}]))
    status = namespace.follow("small", 300)["status"]
    assert status["state"] == "Failed", status
    (attempt,) = status["attempts"]
    assert "could not be started: " in attempt["cause"], attempt
    assert 'exec: "no-such-program": executable file not found in $PATH' in attempt["cause"], attempt
    assert "take one of Blendtune's images" in attempt["cause"], attempt
    assert attempt["startTime"] > "2026", attempt


def test_a_pod_that_the_node_rejects_does_not_count_and_another_follows(namespace: Namespace) -> None:
    """The scheduler is passed by, as when it knows of more than there is."""
    run = with_blend_pod(nodeName=NODE)
    resources = run["spec"]["cluster"]["blend"].pop("resources", {})
    run["spec"]["cluster"]["blend"]["resources"] = {"requests": {"cpu": "1000"}}
    namespace.apply(run)

    def rejected() -> list[dict[str, Any]]:
        attempts = namespace.run("small").get("status", {}).get("attempts", [])
        return [attempt for attempt in attempts if attempt.get("endTime")]

    until("attempts were rejected", lambda: len(rejected()) > 1, 120)
    for attempt in rejected():
        assert f"on node {NODE} was disrupted: OutOfcpu: " in attempt["cause"], attempt
        assert not attempt.get("counted", False)
    namespace.record("rejected by the node")
    run["spec"]["cluster"]["blend"]["resources"] = resources
    namespace.apply(run)
    status = namespace.follow("small")["status"]
    assert status["state"] == "Succeeded", status
