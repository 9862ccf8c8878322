"""The children of a run: which objects are its own, and which of an attempt's pods are read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from tests.operator.builders import fine_tune

from blendtune_api.contract import text_digest
from blendtune_api.v1alpha1 import Attempt, BlendedFineTuneStatus, PinnedStatus, Stage
from blendtune_operator.names import ATTEMPT, OWNER_UID, REPLICA_INDEX, STAGE, Kind, Object
from blendtune_operator.plan.children import Children

JOB_UID = "job-1"
RUN = replace(
    fine_tune(),
    status=BlendedFineTuneStatus(
        attempts=(Attempt(stage=Stage.TRAIN, number=1, start_time="2026-01-01T00:00:00Z", uid=JOB_UID),),
        pinned=PinnedStatus(revision=1, digest=text_digest("{}")),
    ),
)


def pod(
    uid: str, phase: str, minute: int, *, index: int | str = 0, namespace: str = "team", owner: str = JOB_UID
) -> Object:
    labels = {OWNER_UID: "uid-1", STAGE: Stage.TRAIN.value, ATTEMPT: "1", REPLICA_INDEX: str(index)}
    return {
        "kind": Kind.POD.value,
        "metadata": {
            "name": f"ads-train-1-worker-{index}",
            "namespace": namespace,
            "uid": uid,
            "labels": labels,
            "creationTimestamp": f"2026-01-01T00:{minute:02}:00Z",
            "ownerReferences": [{"uid": owner, "controller": True}],
        },
        "status": {"phase": phase},
    }


def child(kind: Kind, name: str, uid: str, namespace: str = "team", **content: object) -> Object:
    owner = {"uid": "uid-1", "controller": True}
    metadata = {"name": name, "namespace": namespace, "uid": uid, "labels": {OWNER_UID: "uid-1"}}
    return {"kind": kind.value, "metadata": {**metadata, "ownerReferences": [owner]}, **content}


def config_map(namespace: str = "team", text: str = "{}") -> Object:
    return child(Kind.CONFIG_MAP, "ads-run", "uid-2", namespace, data={"config.json": text})


def uids(objects: tuple[Object, ...]) -> list[str]:
    return [each["metadata"]["uid"] for each in objects]


@pytest.mark.parametrize(
    ("pods", "read"),
    [
        pytest.param([pod("a", "Failed", 0), pod("b", "Failed", 1, index=1)], ["a", "b"], id="a gang"),
        pytest.param(
            [pod("b", "Pending", 5), pod("a", "Failed", 0)], ["b"], id="preempted and admitted again"
        ),
        pytest.param([pod("b", "Failed", 5), pod("a", "Failed", 0)], ["b"], id="ended twice"),
        pytest.param([pod("b", "Pending", 5), pod("a", "Running", 0)], ["b", "a"], id="the last still runs"),
        pytest.param(
            [pod("b", "Running", 0, index="one"), pod("a", "Running", 5)], ["a", "b"], id="an index in words"
        ),
    ],
)
def test_of_each_index_of_a_gang_the_latest_pod_is_read(pods: list[Object], read: list[str]) -> None:
    assert uids(Children.of(RUN, pods).pods(Stage.TRAIN, 1)) == read


@pytest.mark.parametrize(
    "of",
    [
        pytest.param(lambda namespace: pod("a", "Running", 0, namespace=namespace), id="a pod"),
        pytest.param(config_map, id="a ConfigMap"),
    ],
)
def test_another_namespace_has_no_children_of_the_run(of: type[Object]) -> None:
    assert Children.of(RUN, [of("other")]).objects == ()
    assert len(Children.of(RUN, [of("team")]).objects) == 1


@pytest.mark.parametrize(
    "forged",
    [
        pytest.param(child(Kind.JOB, "ads-train-2", "forged"), id="a Job of the next attempt"),
        pytest.param(
            child(Kind.PYTORCH_JOB, "ads-train-1", "forged"), id="a training in place of the attempt's"
        ),
        pytest.param(child(Kind.RUBRIC_EVAL, "ads", "forged"), id="a RubricEval"),
        pytest.param(config_map(text="{ }"), id="another configuration"),
        pytest.param(child(Kind.CONFIG_MAP, "ads-run", "forged"), id="a ConfigMap without data"),
        pytest.param(pod("forged", "Running", 0, owner="uid-1"), id="a pod of the run itself"),
        pytest.param(pod("forged", "Running", 0, owner="another"), id="a pod of another Job"),
    ],
)
def test_what_the_status_does_not_record_is_foreign_whatever_it_says(forged: Object) -> None:
    children = Children.of(RUN, [forged])
    assert children.objects == ()
    assert children.foreign == (forged,)
    assert children.pods(Stage.TRAIN) == ()
    assert children.with_pods([forged] if forged["kind"] == Kind.POD else []).objects == ()


@pytest.mark.parametrize(
    "labels", [{}, {STAGE: "eval"}, {ATTEMPT: "one"}, {ATTEMPT: "-1"}, {ATTEMPT: "9" * 60}, {ATTEMPT: "²"}]
)
def test_the_attempt_of_a_pod_is_that_of_its_job_whatever_its_labels_say(labels: Mapping[str, str]) -> None:
    own = pod("a", "Running", 0)
    own["metadata"]["labels"] = {OWNER_UID: "uid-1", **labels}
    assert uids(Children.of(RUN, [own]).pods(Stage.TRAIN, 1)) == ["a"]


def test_ended_pods_are_kept_beside_the_present_ones() -> None:
    gone, lost = pod("a", "Failed", 0), pod("c", "Running", 0, index=2)
    present = pod("b", "Running", 0, index=1)
    children = Children.of(RUN, [gone, lost, present]).with_pods([present])
    assert uids(children.pods(Stage.TRAIN)) == ["a", "b"]
