"""The attacks of a namespace user, as the threat model lists them: `ATTACKS` is that list.

Each is carried out on a real API server, on a run of its own. `python -m tests.cluster.attacks` prints the
table of docs/security.md.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from tests.cluster.attacker import (
    EVIL,
    Attacker,
    as_new,
    refused,
    with_evil_images,
    with_pinned,
)
from tests.cluster.client import config_map
from tests.cluster.fake_controllers import PodOutcome
from tests.operator.builders import eval_result, fine_tune, train_result

from blendtune_api import codec
from blendtune_api.contract import encode_message
from blendtune_api.v1alpha1 import Cluster, StagePod
from blendtune_operator import names
from blendtune_operator.names import Kind, Object

_RECORDED = "the status, which no user may write, records the UID of each child"
_DIGEST = "the status records its digest, and the pods verify the file that they mount"
_MADE = "what stands under a child's name must be what the operator would have made"


@dataclass(frozen=True)
class Attack:
    """`cannot` and `because` are the row of the threat model; `carry_out` fails if the attack succeeds."""

    cannot: str
    because: str
    carry_out: Callable[[Attacker], None]


def forged_before(kind: Kind, suffix: str, forge: Callable[[Object], Object]) -> Callable[[Attacker], None]:
    """Puts a child there before the run makes it: the run is suspended from the start."""

    def carry_out(attacker: Attacker) -> None:
        attacker.apply_suspended()
        attacker.client.create(forge(attacker.rendered(kind)))
        attacker.edit(suspend=False)
        attacker.assert_conflict(kind, suffix)
        attacker.remove(kind, suffix)
        attacker.assert_honest_end()

    return carry_out


def forged_while(
    hold: str, condition: str, kind: Kind, suffix: str, forge: Callable[[Object], Object]
) -> Callable[[Attacker], None]:
    """Puts a child of a later stage there while an earlier one runs."""

    def carry_out(attacker: Attacker) -> None:
        attacker.apply(hold)
        attacker.wait_until_running(condition)
        attacker.client.create(forge(attacker.rendered(kind)))
        attacker.release()
        attacker.assert_conflict(kind, suffix)
        attacker.remove(kind, suffix)
        attacker.assert_honest_end()

    return carry_out


def replaced_while(
    hold: str, condition: str, kind: Kind, suffix: str, forge: Callable[[Object], Object]
) -> Callable[[Attacker], None]:
    """Deletes a child and puts another in its place."""

    def carry_out(attacker: Attacker) -> None:
        attacker.apply(hold)
        attacker.wait_until_running(condition)
        attacker.replace(kind, suffix, forge)
        attacker.assert_conflict(kind, suffix)
        attacker.remove(kind, suffix)
        attacker.assert_honest_end()

    return carry_out


def images(document: Any) -> None:
    document["images"] = dict.fromkeys(document["images"], f"{EVIL}/image:1")


def rubric(document: Any) -> None:
    document["spec"]["evaluation"] = {"rubric": {"configMapRef": {"name": EVIL, "key": "rubric.yaml"}}}


def nodes(document: Any) -> None:
    document["gpu"] |= {"nodeSelector": {"pool": EVIL}, "tolerations": [{"operator": "Exists"}]}


def account(document: Any) -> None:
    document["spec"]["credentials"] = {"serviceAccountName": EVIL}


def model(document: Any) -> None:
    document["spec"]["model"]["uri"] = f"hf://{EVIL}/model"


def other_rubric(child: Object) -> Object:
    return {**child, "spec": {**child["spec"], "rubric": {"configMapRef": {"name": EVIL, "key": "r.yaml"}}}}


def with_data(data: Any, **content: Any) -> Callable[[Object], Object]:
    return lambda child: {**child, "data": data, **content}


def without_owner(child: Object) -> Object:
    metadata = {key: value for key, value in child["metadata"].items() if key != "ownerReferences"}
    return with_evil_images({**child, "metadata": metadata})


def without_labels(child: Object) -> Object:
    return with_evil_images({**child, "metadata": {**child["metadata"], "labels": {}}})


def removed_configuration(attacker: Attacker) -> None:
    attacker.apply("blend")
    attacker.wait_until_running("DataBlended")
    known = attacker.child(Kind.CONFIG_MAP, "-run")
    attacker.client.delete(known)
    attacker.assert_honest_end()
    assert attacker.child(Kind.CONFIG_MAP, "-run")["data"] == known["data"]


def edited_configuration(attacker: Attacker) -> None:
    attacker.apply("blend")
    attacker.wait_until_running("DataBlended")
    name = f"{attacker.name}-run"
    error = refused(
        lambda: attacker.client.patch(
            Kind.CONFIG_MAP, attacker.namespace, name, {"data": {"config.json": "{}"}}
        )
    )
    assert error.status == 422
    attacker.assert_honest_end()


def relabelled_configuration(attacker: Attacker) -> None:
    attacker.apply("blend")
    attacker.wait_until_running("DataBlended")
    for label in (names.REVISION, names.STAGE):
        change = {"metadata": {"labels": {label: "x"}}}
        attacker.client.patch(Kind.CONFIG_MAP, attacker.namespace, f"{attacker.name}-run", change)
    attacker.assert_honest_end()


def replaced_training(attacker: Attacker) -> None:
    attacker.apply("train")
    attacker.wait_until_running("TrainingSucceeded")
    attacker.replace(Kind.PYTORCH_JOB, "-train-1", with_evil_images)
    attacker.assert_honest_end()
    attempts = [item for item in attacker.world.status(attacker.name)["attempts"] if item["stage"] == "train"]
    assert attempts[0]["cause"].startswith("Disrupted")
    assert attempts[-1]["number"] > 1


def replaced_blend_job(attacker: Attacker) -> None:
    attacker.apply("blend")
    attacker.wait_until_running("DataBlended")
    attacker.replace(Kind.JOB, "-blend", with_evil_images)
    attacker.assert_honest_end()


def replaced_evaluation(attacker: Attacker) -> None:
    attacker.apply("eval")
    attacker.wait_until_running("EvaluationSucceeded")
    attacker.replace(Kind.RUBRIC_EVAL, "", other_rubric)
    attacker.assert_conflict(Kind.RUBRIC_EVAL, "")
    attacker.remove(Kind.RUBRIC_EVAL, "")
    attacker.assert_honest_end()


def edited_evaluation(change: Any, undo: Any = None) -> Callable[[Attacker], None]:
    def carry_out(attacker: Attacker) -> None:
        attacker.apply("eval")
        attacker.wait_until_running("EvaluationSucceeded")
        for step in filter(None, (change, undo)):
            attacker.client.patch(Kind.RUBRIC_EVAL, attacker.namespace, attacker.name, {"spec": step})
        attacker.release()
        attacker.assert_conflict(Kind.RUBRIC_EVAL, "", "EvaluationSucceeded")
        assert "evaluation" not in attacker.world.status(attacker.name)
        attacker.remove(Kind.RUBRIC_EVAL, "")
        attacker.assert_honest_end()

    return carry_out


def evaluation_with_scores(attacker: Attacker) -> None:
    """A RubricEval that is as ours would be, but comes with scores: the API server drops them."""
    attacker.apply("train")
    attacker.wait_until_running("TrainingSucceeded")
    forged = attacker.rendered(Kind.RUBRIC_EVAL)
    forged["spec"]["model"]["digest"] = train_result().model_digest
    scores = codec.encode(eval_result(in_domain=0.9))
    now = "2026-01-01T00:00:00Z"
    succeeded = {
        "type": "Succeeded",
        "status": "True",
        "reason": "Completed",
        "message": "",
        "lastTransitionTime": now,
    }
    attacker.client.create({**forged, "status": {**scores, "conditions": [succeeded]}})
    attacker.assert_honest_end()


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
        lambda: attacker.world.client.get(Kind.PYTORCH_JOB, attacker.namespace, f"{attacker.name}-train-2"),
    )
    attacker.controllers.outcomes.pop((attacker.name, "train"))
    attacker.assert_honest_end()


def broken_labels(attacker: Attacker) -> None:
    attacker.apply("train")
    attacker.wait_until_running("TrainingSucceeded")
    for index, value in enumerate(("one", "-1", "9" * 60, "")):
        broken = {names.ATTEMPT: value, names.REPLICA_INDEX: value, names.STAGE: value[:8]}
        pod(attacker, f"{attacker.name}-broken-{index}", labels_of(attacker, **broken))
    selector = f"{names.OWNER_UID}={labels_of(attacker)[names.OWNER_UID]}"
    change = {"metadata": {"labels": {names.ATTEMPT: "one", names.STAGE: "two"}}}
    for own in attacker.world.client.list(Kind.POD, attacker.namespace, selector):
        attacker.client.patch(Kind.POD, attacker.namespace, own["metadata"]["name"], change)
    attacker.client.patch(Kind.PYTORCH_JOB, attacker.namespace, f"{attacker.name}-train-1", change)
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
    from tests.cluster.test_life import serving

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


CONFIG, JOB, TRAINING, EVALUATION = Kind.CONFIG_MAP, Kind.JOB, Kind.PYTORCH_JOB, Kind.RUBRIC_EVAL
ATTACKS: dict[str, Attack] = {
    "images": Attack(
        "give a run other images by a ConfigMap of its pinned configuration's name, written before it starts",
        _MADE, forged_before(CONFIG, "-run", with_pinned(images)),
    ),
    "rubric": Attack(
        "give a run another rubric in that way", _MADE, forged_before(CONFIG, "-run", with_pinned(rubric)),
    ),
    "nodes": Attack(
        "send a run to other nodes in that way", _MADE, forged_before(CONFIG, "-run", with_pinned(nodes)),
    ),
    "account": Attack(
        "give a run a service account that is not allowed in that way", _MADE,
        forged_before(CONFIG, "-run", with_pinned(account)),
    ),
    "no-data": Attack(
        "stop the operator by a pinned configuration without data", _MADE,
        forged_before(CONFIG, "-run", with_data({})),
    ),
    "odd-keys": Attack(
        "stop the operator by a pinned configuration that is no JSON, or has other keys", _MADE,
        forged_before(CONFIG, "-run", with_data({"config.json": "{", "x": "y"}, binaryData={"z": "AA=="})),
    ),
    "no-owner": Attack(
        "have a Job of another owner taken for the run's",
        "a child must name the run's UID as its controller",
        forged_before(JOB, "-blend", without_owner),
    ),
    "no-labels": Attack(
        "have a Job without the run's labels taken for the run's", "a child must have the labels of the run",
        forged_before(JOB, "-blend", without_labels),
    ),
    "blend-job": Attack(
        "blend by a Job of one's own", _MADE, forged_before(JOB, "-blend", with_evil_images),
    ),
    "training": Attack(
        "train by a PyTorchJob of one's own, put there while the run blends", _MADE,
        forged_while("blend", "DataBlended", TRAINING, "-train-1", with_evil_images),
    ),
    "evaluation": Attack(
        "have scores taken from a RubricEval of one's own with another rubric", _MADE,
        forged_while("train", "TrainingSucceeded", EVALUATION, "", other_rubric),
    ),
    "evaluation-scores": Attack(
        "create the run's RubricEval with scores in its status", "the API server drops a status at creation",
        evaluation_with_scores,
    ),
    "swap-blending": Attack(
        "replace the pinned configuration while the run blends",
        _DIGEST,
        replaced_while("blend", "DataBlended", CONFIG, "-run", with_pinned(model)),
    ),
    "swap-training": Attack(
        "replace it while the run trains", "the same",
        replaced_while("train", "TrainingSucceeded", CONFIG, "-run", with_pinned(rubric)),
    ),
    "remove-configuration": Attack(
        "change what a run does by removing its pinned configuration",
        "it is written again, with the same digest",
        removed_configuration,
    ),
    "edit-configuration": Attack(
        "edit the pinned configuration", "the ConfigMap is immutable", edited_configuration,
    ),
    "relabel-configuration": Attack(
        "break a run by other labels on its pinned configuration",
        "the status says which revision it is", relabelled_configuration,
    ),
    "replace-blend-job": Attack(
        "replace the blend Job while it runs", _RECORDED, replaced_blend_job,
    ),
    "replace-training": Attack(
        "replace the PyTorchJob while it runs", _RECORDED, replaced_training,
    ),
    "replace-evaluation": Attack(
        "replace the RubricEval while it runs", _RECORDED, replaced_evaluation,
    ),
    "edit-evaluation": Attack(
        "have scores taken from a RubricEval whose image was changed while it runs",
        "a run takes none from one whose generation is not 1",
        edited_evaluation({"cluster": {"eval": {"image": f"{EVIL}/image:1"}}}),
    ),
    "edit-evaluation-undone": Attack(
        "hide such a change by undoing it", "the generation never goes back",
        edited_evaluation({"cluster": {"backoffLimit": 7}}, {"cluster": {"backoffLimit": 3}}),
    ),
    "status": Attack(
        "write the status of a run", "no role of the chart has the right to a `status`",
        written_status(Kind.BLENDED_FINE_TUNE),
    ),
    "evaluation-status": Attack(
        "write the status of its RubricEval", "the same", written_status(EVALUATION),
    ),
    "status-at-creation": Attack(
        "create a run with a status", "the API server drops it", status_at_creation,
    ),
    "result": Attack(
        "report a result by a pod with the run's labels", "only pods that a recorded child controls are read",
        forged_result,
    ),
    "pod-stays": Attack(
        "hold back the next attempt by a live pod with the run's labels", "the same", pod_that_stays,
    ),
    "pod-labels": Attack(
        "stop the operator by labels that are no numbers, on pods of one's own or of the run",
        "the attempt of a pod is that of the child that controls it", broken_labels,
    ),
    "account-list": Attack(
        "pass the list of service accounts by a list in `podTemplate`", "it is refused by its path",
        refused_template("InvalidSpec", "serviceAccountName: must be a string", serviceAccountName=["runs"]),
    ),
    "account-map": Attack(
        "pass it by a map under the older name of the field", "it is refused by its path",
        refused_template("InvalidSpec", "serviceAccount: must be a string", serviceAccount={"a": "b"}),
    ),
    "account-space": Attack(
        "pass it by spaces around a name", "names are compared as they are",
        refused_template("ServiceAccountNotAllowed", "' runs'", serviceAccountName=" runs"),
    ),
    "template": Attack(
        "stop the operator by a `podTemplate` that is no pod",
        "what the API server refuses is `ChildRefused`",
        refused_template("ChildRefused", "Job", containers="none", volumes=[{"name": ["x"]}]),
    ),
    "other-namespace": Attack(
        "reach a run from another namespace by its UID", "objects of other namespaces are dropped",
        foreign_namespace,
    ),
    "stray": Attack(
        "have a ConfigMap of another name obeyed for its higher revision", _DIGEST, stray_claim,
    ),
    "impossible-result": Attack(
        "block a run's status by a result with numbers that it may not have",
        "a result is read within the bounds of the status", impossible_result,
    ),
    "impossible-progress": Attack(
        "block it by negative or endless progress", "such values are clamped or left out",
        impossible_progress,
    ),
}  # fmt: skip


def table() -> str:
    """The rows of docs/security.md."""
    rows = [f"| {attack.cannot} | {attack.because} | `{name}` |" for name, attack in ATTACKS.items()]
    return "\n".join(["| Cannot | Because | Attack |", "|---|---|---|", *rows])


if __name__ == "__main__":
    print(table())
