"""Attacks that put something in place of a child of a run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.cluster.attacker import (
    EVIL,
    Attacker,
    refused,
    with_evil_images,
)
from tests.operator.builders import eval_result, train_result

from blendtune_api import codec
from blendtune_operator import names
from blendtune_operator.names import Kind, Object


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
        attacker.client.create(forge(attacker.rendered(kind, suffix)))
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


def forged_training(attacker: Attacker) -> None:
    forge = forged_while("blend", "DataBlended", attacker.training_template, "-train-1", with_evil_images)
    forge(attacker)


def replaced_training(attacker: Attacker) -> None:
    attacker.apply("train")
    attacker.wait_until_running("TrainingSucceeded")
    attacker.replace(attacker.training, "-train-1", with_evil_images)
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
