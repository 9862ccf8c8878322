"""Attacks by statuses, pods, labels, templates, results and progress."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tests.cluster.attacker import (
    EVIL,
    Attacker,
    as_new,
    images,
    refused,
    with_pinned,
)
from tests.cluster.client import config_map
from tests.cluster.fake_controllers import PodOutcome
from tests.operator.builders import fine_tune, train_result

from blendtune_api import codec
from blendtune_api.contract import encode_message
from blendtune_api.v1alpha1 import Cluster, StagePod
from blendtune_operator import names
from blendtune_operator.names import Kind, Object


def written_status(kind: Kind) -> Callable[[Attacker], None]:
    def carry_out(attacker: Attacker) -> None:
        attacker.apply("eval")
        attacker.wait_until_running("EvaluationSucceeded")
        obj = attacker.child(kind, "")
        for status in ({"state": "Succeeded"}, {"pinned": {"revision": 1, "digest": EVIL}}):
            assert refused(lambda status=status: attacker.client.set_status(obj, status)).status == 403
        attacker.client.patch(
            kind, attacker.namespace, attacker.name, {"status": {"startTime": None, "pinned": None}}
        )
        if kind is Kind.BLENDED_FINE_TUNE:
            assert attacker.child(kind, "")["status"]["pinned"]
        attacker.assert_honest_end()

    return carry_out


def status_at_creation(attacker: Attacker) -> None:
    run = replace(
        fine_tune(), metadata=replace(fine_tune().metadata, name=attacker.name, namespace=attacker.namespace)
    )
    document = codec.encode_object(run)
    document["metadata"] = {"name": attacker.name, "namespace": attacker.namespace}
    document["status"] = {"pinned": {"revision": 1, "digest": EVIL}, "startTime": "2026-01-01T00:00:00Z"}
    created = attacker.client.create(document)
    assert "status" not in created
    attacker.assert_honest_end()


def pod(attacker: Attacker, name: str, labels: Any, owners: Any = ()) -> Object:
    container = {"name": names.TRAIN_CONTAINER, "image": f"{EVIL}/image:1"}
    metadata = {
        "name": name,
        "namespace": attacker.namespace,
        "labels": labels,
        "ownerReferences": list(owners),
    }
    return attacker.client.create(
        {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": [container]}}
    )


def labels_of(attacker: Attacker, **changes: str) -> dict[str, str]:
    run = attacker.child(Kind.BLENDED_FINE_TUNE, "")
    base = {
        names.OWNER_UID: run["metadata"]["uid"],
        names.STAGE: "train",
        names.ATTEMPT: "1",
        names.REPLICA_INDEX: "0",
    }
    return {**base, **changes}


def ended_with(attacker: Attacker, forged: Object, digest: str) -> None:
    """As the kubelet would: the pod has succeeded and left a result."""
    state = {"terminated": {"exitCode": 0, "message": encode_message(train_result(model_digest=digest))}}
    container = {"name": names.TRAIN_CONTAINER, "image": "", "imageID": "", "ready": False, "restartCount": 0}
    attacker.world.client.set_status(
        forged, {"phase": "Succeeded", "containerStatuses": [{**container, "state": state}]}
    )


def forged_result(attacker: Attacker) -> None:
    attacker.apply("train")
    attacker.wait_until_running("TrainingSucceeded")
    owner = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "name": "x",
        "uid": "00000000-0000-0000-0000-000000000001",
    }
    for name, owners in (("bare", ()), ("owned", [{**owner, "controller": True}])):
        forged = pod(attacker, f"a-{attacker.name}-{name}", labels_of(attacker), owners)
        ended_with(attacker, {**forged, "kind": "Pod"}, EVIL)
    attacker.assert_honest_end()


def pod_that_stays(attacker: Attacker) -> None:
    """A live pod with the run's labels must not hold back the next attempt."""
    crashed = PodOutcome(exit_code=1, message="")
    attacker.controllers.outcomes[attacker.name, "train"] = crashed
    attacker.apply("blend", cluster=Cluster(nodes=1, gpus_per_node=1, backoff_limit=20))
    attacker.wait_until_running("DataBlended")
    pod(attacker, f"{attacker.name}-stays", labels_of(attacker, **{"app.kubernetes.io/instance": "stays"}))
    attacker.controllers.held["stays"] = "train"
    attacker.release()
    attacker.world.wait_for(
        "another attempt",
        lambda: attacker.world.client.get(attacker.training, attacker.namespace, f"{attacker.name}-train-2"),
    )
    attacker.controllers.outcomes.pop((attacker.name, "train"))
    attacker.assert_honest_end()


def broken_labels(attacker: Attacker) -> None:
    attacker.apply("train")
    attacker.wait_until_running("TrainingSucceeded")
    for index, value in enumerate(("one", "1.5", "9" * 60, "")):
        broken = {names.ATTEMPT: value, names.REPLICA_INDEX: value, names.STAGE: value[:8]}
        pod(attacker, f"{attacker.name}-broken-{index}", labels_of(attacker, **broken))
    selector = f"{names.OWNER_UID}={labels_of(attacker)[names.OWNER_UID]}"
    change = {"metadata": {"labels": {names.ATTEMPT: "one", names.STAGE: "two"}}}
    for own in attacker.world.client.list(Kind.POD, attacker.namespace, selector):
        attacker.client.patch(Kind.POD, attacker.namespace, own["metadata"]["name"], change)
    attacker.client.patch(attacker.training, attacker.namespace, f"{attacker.name}-train-1", change)
    attacker.assert_honest_end()


def template(**spec: Any) -> Cluster:
    return Cluster(nodes=1, gpus_per_node=1, blend=StagePod(pod_template={"spec": spec}))


def refused_template(reason: str, words: str, **spec: Any) -> Callable[[Attacker], None]:
    def carry_out(attacker: Attacker) -> None:
        attacker.apply(cluster=template(**spec))
        condition = attacker.world.wait_for(
            f"it says {reason}",
            lambda: (
                (found := attacker.world.condition("Accepted", attacker.name)).get("status") == "False"
                and found
            ),
        )
        assert condition["reason"] == reason
        assert words in condition["message"]
        assert not [name for kind, name in attacker.world.children(attacker.name) if kind == Kind.JOB]

    return carry_out


def foreign_namespace(attacker: Attacker) -> None:
    """Objects of another namespace with the run's UID in labels and owner references."""
    attacker.apply("train")
    attacker.wait_until_running("TrainingSucceeded")
    other = f"{attacker.namespace}-other"
    attacker.world.client.call("POST", "/api/v1/namespaces", {"metadata": {"name": other}})
    known = with_pinned(images)(as_new(attacker.child(Kind.CONFIG_MAP, "-run")))
    attacker.world.client.create({**known, "metadata": {**known["metadata"], "namespace": other}})
    attacker.assert_honest_end()
    attacker.world.client.call("DELETE", f"/api/v1/namespaces/{other}")


def stray_claim(attacker: Attacker) -> None:
    """A ConfigMap of another name that says it is the run's, with the highest revision."""
    attacker.apply_suspended()
    forged = with_pinned(images)(attacker.rendered(Kind.CONFIG_MAP))
    labels = {**forged["metadata"]["labels"], names.REVISION: "99"}
    forged["metadata"] = {**forged["metadata"], "name": f"{attacker.name}-stray", "labels": labels}
    attacker.client.create(forged)
    attacker.client.create(config_map(attacker.namespace, f"{attacker.name}-bare"))
    attacker.edit(suspend=False)
    attacker.assert_honest_end()


def impossible_result(attacker: Attacker) -> None:
    """The image of the training leaves numbers that no status may have."""
    message = json.dumps({"kind": "TrainResult", "result": {**codec.encode(train_result()), "steps": -7}})
    attacker.controllers.outcomes[attacker.name, "train"] = PodOutcome(message=message)
    attacker.apply(cluster=Cluster(nodes=1, gpus_per_node=1, backoff_limit=0))
    attacker.world.wait_for_state("Failed", name=attacker.name)
    assert "must be at least 0" in attacker.world.condition("Failed", attacker.name)["message"]


def impossible_progress(attacker: Attacker) -> None:
    from tests.cluster.test_gangs import serving

    answer = {
        "step": -5,
        "steps": 10**18,
        "loss": -1.0,
        "remainingSeconds": 1e300,
        "saveSeconds": 1e300,
        "tokens": -1,
    }
    with serving(json.dumps(answer)) as address:
        attacker.controllers.outcomes[attacker.name, "train"] = PodOutcome(address=address)
        attacker.apply("train")
        attacker.wait_until_running("TrainingSucceeded")
        shown = attacker.world.wait_for(
            "what can be shown is", lambda: attacker.world.status(attacker.name).get("trainerStatus")
        )
        assert {item["name"] for item in shown["metrics"]} == {"step", "steps"}
        assert shown["progressPercentage"] == 0
        assert "estimatedRemainingSeconds" not in shown
    attacker.controllers.outcomes.pop((attacker.name, "train"))
    attacker.assert_honest_end()
