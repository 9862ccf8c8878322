"""The reader pod on a real API server that enforces Pod Security `restricted`, with a kubelet that is played.

What it reads, and how, needs a node: tests/e2e/test_client.py.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from tests.cluster.client import Client, Refused
from tests.cluster.control_plane import ControlPlane
from tests.cluster.people import (
    CLAIM,
    Person,
    add_claim,
    add_run,
    install_roles,
    person,
    restrict,
    restricted_pod,
)
from tests.cluster.test_client import SUCCEEDED
from tests.e2e.waiting import until

from blendtune_operator.names import OWNER_UID, Kind, Object

IMAGE = ("--image", "registry.example.com/blendtune/eval:1")
READER = "app.kubernetes.io/component=reader"


@pytest.fixture(scope="module", autouse=True)
def roles(plane: ControlPlane) -> None:
    install_roles(plane.client)


@pytest.fixture
def editor(plane: ControlPlane, namespace: str) -> Person:
    restrict(plane.client, namespace)
    add_run(plane.client, namespace, "done", SUCCEEDED)
    return person(plane, namespace, "edit")


def reader(client: Client, namespace: str) -> Object:
    """The reader pod, once it is there."""
    (pod,) = until("a reader is made", lambda: client.list(Kind.POD, namespace, READER), every=0.05)
    return pod


def play(client: Client, pod: Object, status: Object) -> None:
    with suppress(Refused):  # it may be gone by then
        client.set_status(pod, status)


def running(image: str = "eval") -> Object:
    state = {"running": {"startedAt": "2026-01-01T00:00:00Z"}}
    container = {"name": "reader", "image": image, "imageID": "", "ready": True, "restartCount": 0}
    return {"phase": "Running", "containerStatuses": [{**container, "state": state}]}


def gone(client: Client, namespace: str) -> bool:
    return not [
        pod for pod in client.list(Kind.POD, namespace, READER) if "deletionTimestamp" not in pod["metadata"]
    ]


def test_the_pod_reads_the_claim_and_may_do_nothing_else(
    client: Client, namespace: str, editor: Person
) -> None:
    add_claim(client, namespace, "ReadWriteMany")
    process = editor.begins("report", "done", *IMAGE)
    pod = reader(client, namespace)
    run = client.get(Kind.BLENDED_FINE_TUNE, namespace, "done")
    assert run is not None
    (owner,) = pod["metadata"]["ownerReferences"]
    assert (owner["name"], owner["uid"]) == ("done", run["metadata"]["uid"])
    spec = pod["spec"]
    (volume,) = spec["volumes"]
    assert volume["persistentVolumeClaim"] == {"claimName": CLAIM, "readOnly": True}
    (container,) = spec["containers"]
    assert [mount["readOnly"] for mount in container["volumeMounts"]] == [True]
    assert container["image"] == IMAGE[1]
    assert spec["automountServiceAccountToken"] is False
    assert 0 < spec["activeDeadlineSeconds"] <= 3600
    play(client, pod, running())
    printed, _ = process.communicate(timeout=180)
    assert process.returncode == 2, printed  # there is no kubelet to read from
    assert "Traceback" not in printed
    assert gone(client, namespace)


@pytest.mark.parametrize(
    "end",
    [
        pytest.param(lambda process: process.send_signal(signal.SIGINT), id="interrupted"),
        pytest.param(lambda process: process.send_signal(signal.SIGTERM), id="terminated"),
        pytest.param(lambda process: process.send_signal(signal.SIGHUP), id="hung up"),
    ],
)
def test_the_pod_goes_with_a_command_that_is_ended(
    client: Client, namespace: str, editor: Person, end: Callable[[Any], None]
) -> None:
    add_claim(client, namespace, "ReadWriteMany")
    process = editor.begins("report", "done", *IMAGE)
    reader(client, namespace)
    end(process)
    printed, _ = process.communicate(timeout=180)
    assert process.returncode == 130, printed
    assert "Traceback" not in printed
    assert gone(client, namespace)


def test_what_a_killed_command_left_is_removed_by_the_next(
    client: Client, namespace: str, editor: Person
) -> None:
    """Its deadline ends the pod; the object is still there until somebody removes it."""
    add_claim(client, namespace, "ReadWriteMany")
    process = editor.begins("report", "done", *IMAGE)
    left = reader(client, namespace)
    process.kill()
    process.communicate(timeout=60)
    play(client, left, {"phase": "Failed", "reason": "DeadlineExceeded"})
    process = editor.begins("report", "done", *IMAGE, "--timeout", "0.1")
    process.communicate(timeout=180)
    assert gone(client, namespace)


@pytest.mark.parametrize(
    ("status", "said"),
    [
        pytest.param({}, "did not start within 2 s", id="no node"),
        pytest.param(
            {"containerStatuses": [{
                "name": "reader", "image": "x", "imageID": "", "ready": False, "restartCount": 0,
                "state": {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}},
            }]}, "cannot pull image", id="no image",
        ),
        pytest.param(
            {"conditions": [{"type": "PodScheduled", "status": "False", "message": "0/1 nodes"}]},
            "cannot be scheduled: 0/1 nodes", id="nowhere",
        ),
        pytest.param(
            {"phase": "Failed", "message": "the node was lost"}, "the node was lost", id="it ends at once"
        ),
    ],
)  # fmt: skip
def test_a_pod_that_does_not_start(
    client: Client, namespace: str, editor: Person, status: Object, said: str
) -> None:
    add_claim(client, namespace, "ReadWriteMany")
    process = editor.begins("report", "done", *IMAGE, "--timeout", "2")
    play(client, reader(client, namespace), status)
    printed, _ = process.communicate(timeout=180)
    assert process.returncode == 2
    assert said in printed
    assert gone(client, namespace)


def test_a_claim_that_another_node_has(client: Client, namespace: str, editor: Person) -> None:
    """Where the cluster tells of it only when it mounts the volume."""
    add_claim(client, namespace, "ReadWriteMany")
    process = editor.begins("report", "done", *IMAGE, "--timeout", "3")
    pod = reader(client, namespace)
    involved = {key: pod["metadata"][key] for key in ("name", "namespace", "uid")}
    client.call("POST", f"/api/v1/namespaces/{namespace}/events", {
        "metadata": {"name": "attach"}, "type": "Warning", "reason": "FailedAttachVolume",
        "involvedObject": {**involved, "kind": "Pod"},
        "message": "Multi-Attach error for volume: Volume is already used by pod trainer",
    })  # fmt: skip
    printed, _ = process.communicate(timeout=180)
    assert "cannot be mounted twice" in printed


def holder(client: Client, namespace: str) -> None:
    """A pod on node-7 that has the claim."""
    client.create(
        restricted_pod(
            namespace,
            "trainer",
            "trainer",
            nodeName="node-7",
            tolerations=[{"key": "gpu", "operator": "Exists"}],
            volumes=[{"name": "claim", "persistentVolumeClaim": {"claimName": CLAIM}}],
        )
    )


def test_a_claim_of_one_node_is_read_there(client: Client, namespace: str, editor: Person) -> None:
    add_claim(client, namespace, "ReadWriteOnce")
    holder(client, namespace)
    process = editor.begins("report", "done", *IMAGE, "--timeout", "0.5")
    spec = reader(client, namespace)["spec"]
    process.communicate(timeout=180)
    (term,) = spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"][
        "nodeSelectorTerms"
    ]
    assert term["matchFields"][0]["values"] == ["node-7"]
    assert "gpu" in [each.get("key") for each in spec["tolerations"]]


def test_a_claim_of_one_pod_is_left_to_it(client: Client, namespace: str, editor: Person) -> None:
    add_claim(client, namespace, "ReadWriteOncePod")
    holder(client, namespace)
    done = editor.types("report", "done", *IMAGE)
    assert done.returncode == 2
    assert "can be mounted by one pod at a time (ReadWriteOncePod), and trainer has it" in done.stderr
    assert gone(client, namespace)


def test_the_image_is_that_of_the_runs_evaluation(client: Client, namespace: str, editor: Person) -> None:
    add_claim(client, namespace, "ReadWriteMany")
    unknown = editor.types("report", "done")
    assert unknown.returncode == 2
    assert "nothing says which image done ran with" in unknown.stderr
    client.create({
        "apiVersion": "blendtune.io/v1alpha1", "kind": "RubricEval",
        "metadata": {"name": "done", "namespace": namespace},
        "spec": {
            "model": {"uri": "pvc://blendtune/model"}, "storage": {"persistentVolumeClaim": CLAIM},
            "cluster": {"eval": {"image": "its/own:1"}},
        },
    })  # fmt: skip
    process = editor.begins("report", "done", "--timeout", "0.5")
    assert reader(client, namespace)["spec"]["containers"][0]["image"] == "its/own:1"
    process.communicate(timeout=180)


@pytest.mark.parametrize(
    ("security", "user"),
    [
        pytest.param({"runAsUser": 1000, "runAsGroup": 2000, "fsGroup": 3000}, (1000, 2000), id="their own"),
        pytest.param({"runAsNonRoot": True}, (None, None), id="the platform's choice"),
    ],
)
def test_it_is_the_user_of_the_runs_pods(
    client: Client, namespace: str, editor: Person, security: Object, user: tuple[int | None, int | None]
) -> None:
    add_claim(client, namespace, "ReadWriteMany")
    run = client.get(Kind.BLENDED_FINE_TUNE, namespace, "done")
    assert run is not None
    client.create({
        "apiVersion": "batch/v1", "kind": "Job",
        "metadata": {
            "name": "done-eval-1", "namespace": namespace, "labels": {OWNER_UID: run["metadata"]["uid"]}
        },
        "spec": {"suspend": True, "template": {"spec": {
            "restartPolicy": "Never", "securityContext": security,
            "containers": [{"name": "eval", "image": "its/own:1"}],
        }}},
    })  # fmt: skip
    process = editor.begins("report", "done", "--timeout", "0.5")
    pod = reader(client, namespace)
    process.communicate(timeout=180)
    found = pod["spec"]["securityContext"]
    assert (found.get("runAsUser"), found.get("runAsGroup")) == user
    assert "fsGroup" not in found
    assert pod["spec"]["containers"][0]["image"] == "its/own:1"
    assert pod["metadata"]["labels"]["sidecar.istio.io/inject"] == "false"
