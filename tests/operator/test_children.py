"""The children of a run: which objects are its own, and which of an attempt's pods are read."""

from __future__ import annotations

import pytest

from blendtune_api.v1alpha1 import Stage
from blendtune_operator.names import ATTEMPT, OWNER_UID, REPLICA_INDEX, STAGE, Kind, Object
from blendtune_operator.plan.children import Children

RUN = {"kind": Kind.BLENDED_FINE_TUNE.value, "metadata": {"name": "ads", "namespace": "team", "uid": "uid-1"}}


def pod(uid: str, phase: str, minute: int, *, index: int = 0, namespace: str = "team") -> Object:
    labels = {OWNER_UID: "uid-1", STAGE: Stage.TRAIN.value, ATTEMPT: "1", REPLICA_INDEX: str(index)}
    return {
        "kind": Kind.POD.value,
        "metadata": {
            "name": f"ads-train-1-worker-{index}",
            "namespace": namespace,
            "uid": uid,
            "labels": labels,
            "creationTimestamp": f"2026-01-01T00:{minute:02}:00Z",
        },
        "status": {"phase": phase},
    }


def config_map(namespace: str) -> Object:
    owner = {"uid": "uid-1", "controller": True}
    metadata = {"name": "ads-run", "namespace": namespace, "uid": "uid-2", "labels": {OWNER_UID: "uid-1"}}
    return {"kind": Kind.CONFIG_MAP.value, "metadata": {**metadata, "ownerReferences": [owner]}}


@pytest.mark.parametrize(
    ("pods", "read"),
    [
        pytest.param([pod("a", "Failed", 0), pod("b", "Failed", 1, index=1)], ["a", "b"], id="a gang"),
        pytest.param(
            [pod("b", "Pending", 5), pod("a", "Failed", 0)], ["b"], id="preempted and admitted again"
        ),
        pytest.param([pod("b", "Failed", 5), pod("a", "Failed", 0)], ["b"], id="ended twice"),
        pytest.param([pod("b", "Pending", 5), pod("a", "Running", 0)], ["b", "a"], id="the last still runs"),
    ],
)
def test_of_each_index_of_a_gang_the_latest_pod_is_read(pods: list[Object], read: list[str]) -> None:
    children = Children.of(RUN, pods)
    assert [each["metadata"]["uid"] for each in children.pods(Stage.TRAIN, 1)] == read


@pytest.mark.parametrize(
    "child", [pytest.param(pod("a", "Running", 0, namespace="other"), id="a pod"), config_map("other")]
)
def test_another_namespace_has_no_children_of_the_run(child: Object) -> None:
    assert Children.of(RUN, [child]).objects == ()
    child = {**child, "metadata": {**child["metadata"], "namespace": "team"}}
    assert len(Children.of(RUN, [child]).objects) == 1


def test_ended_pods_are_kept_beside_the_present_ones() -> None:
    gone, lost = pod("a", "Failed", 0), pod("c", "Running", 0, index=2)
    present = pod("b", "Running", 0, index=1)
    children = Children.of(RUN, [gone, lost, present]).with_pods([present])
    assert [each["metadata"]["uid"] for each in children.pods(Stage.TRAIN)] == ["a", "b"]
