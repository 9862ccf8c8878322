"""What a user writes in place of a child is never obeyed; what a crash left unrecorded is ours."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from tests.operator.builders import blend_result, eval_result, fine_tune, rubric_eval, train_result
from tests.operator.scenarios import blended, evaluated, new_world, trained, training
from tests.operator.study.studies import study
from tests.operator.world import World

from blendtune_api import codec
from blendtune_api.blend_study import StudyRunState
from blendtune_api.v1alpha1 import Cluster, ConditionType, Reason, State
from blendtune_operator import names, render
from blendtune_operator.conditions import find
from blendtune_operator.names import Kind, Object
from blendtune_operator.plan.study.points import grid, run_object
from blendtune_operator.settings import Settings

CONFIG = (Kind.CONFIG_MAP.value, "team", "ads-run")


def accepted(world: World) -> str:
    found = find(world.fine_tune().status.conditions, ConditionType.ACCEPTED)
    assert found is not None
    return found.reason


def reason(world: World, type: ConditionType) -> str:
    found = find(world.fine_tune().status.conditions, type)
    assert found is not None
    return found.reason


def rendered(world: World, index: int) -> Object:
    """A child as the operator would make it."""
    return render.children(world.fine_tune(), Settings())[index]


def evil_config(config_map: Object) -> Object:
    document = json.loads(config_map["data"]["config.json"])
    document["images"] = dict.fromkeys(document["images"], "evil/image:1")
    return {**config_map, "data": {"config.json": json.dumps(document)}}


def evil_job(job: Object) -> Object:
    changed: Object = json.loads(json.dumps(job).replace("blendtune/", "evil/"))
    return changed


def evil_eval(child: Object) -> Object:
    return {**child, "spec": {**child["spec"], "rubric": {"configMapRef": {"name": "easy", "key": "r.yaml"}}}}


def replaced(world: World, forge: Callable[[Object], Object], kind: Kind, name: str) -> Object:
    """Deletes a child and puts another in its place."""
    known = world.objects[kind, "team", name]
    world.objects.pop((kind, "team", name))
    return world.put(forge(known))


@pytest.mark.parametrize(
    ("index", "forge", "name"),
    [
        pytest.param(0, evil_config, "ConfigMap ads-run", id="another configuration"),
        pytest.param(1, evil_job, "Job ads-blend", id="another image"),
    ],
)
def test_a_child_that_was_forged_before_the_run_started_is_a_conflict(
    index: int, forge: Callable[[Object], Object], name: str
) -> None:
    world = World()
    world.apply(fine_tune(suspend=True))
    world.settle()
    forged = world.put(forge(rendered(world, index)))
    run = world.fine_tune()
    world.apply(replace(run, spec=replace(run.spec, suspend=False)))
    world.settle()
    assert accepted(world) == Reason.NAME_CONFLICT
    assert [
        event
        for event in world.events
        if event.type == "Warning" and f"delete {name}, or give" in event.message
    ]
    assert world.fine_tune().status.attempts == ()
    world.remove(forged)
    world.settle()
    assert accepted(world) == Reason.ACCEPTED
    assert world.fine_tune().status.state is State.BLENDING
    assert "evil" not in json.dumps(world.job("ads-blend"))


def test_a_configuration_that_is_replaced_while_the_run_trains_is_a_conflict_and_never_obeyed() -> None:
    world = training()
    forged = replaced(world, evil_config, Kind.CONFIG_MAP, "ads-run")
    world.settle()
    assert accepted(world) == Reason.NAME_CONFLICT
    assert world.fine_tune().status.state is State.TRAINING, (
        "what runs verifies its configuration, and goes on"
    )
    world.succeed(world.job("ads-train-1"), train_result())
    world.settle()
    assert (Kind.RUBRIC_EVAL, "team", "ads") not in world.objects
    world.remove(forged)
    world.settle()
    child = world.objects[Kind.RUBRIC_EVAL, "team", "ads"]
    assert "evil" not in json.dumps(child)
    assert accepted(world) == Reason.ACCEPTED


def test_a_configuration_that_was_removed_is_written_again_as_it_was() -> None:
    world = new_world()
    before = world.objects.pop(CONFIG)
    world.succeed(world.job("ads-blend"), blend_result())
    world.settle()
    assert world.objects[CONFIG]["data"] == before["data"]
    pinned = world.fine_tune().status.pinned
    assert pinned is not None and pinned.revision == 1


def test_a_configuration_that_was_removed_and_edited_since_gets_a_new_name() -> None:
    world = new_world()
    world.objects.pop(CONFIG)
    run = world.fine_tune()
    world.apply(replace(run, spec=replace(run.spec, cluster=replace(run.spec.cluster, nodes=1))))
    world.succeed(world.job("ads-blend"), blend_result())
    world.settle()
    assert (Kind.CONFIG_MAP, "team", "ads-run-2") in world.objects
    pinned = world.fine_tune().status.pinned
    assert pinned is not None and pinned.revision == 2


def test_a_training_that_is_replaced_while_it_runs_is_not_listened_to() -> None:
    world = training()
    forged = replaced(world, evil_job, Kind.PYTORCH_JOB, "ads-train-1")
    for pod in world.pods():
        world.objects.pop(("Pod", "team", pod["metadata"]["name"]))
    world.settle()
    assert ("Warning", Reason.NAME_CONFLICT) in {(event.type, event.reason) for event in world.events}
    world.succeed(forged, train_result(model_digest="evil"))
    world.wait(3600)
    status = world.fine_tune().status
    assert status.model is None
    assert status.attempts[-1].number == 2
    assert "evil" not in json.dumps(world.job("ads-train-2"))


def test_the_result_of_a_pod_that_no_recorded_child_controls_is_not_read() -> None:
    world = training()
    job = world.job("ads-train-1")
    pod = world.pods(job)[0]
    forged = json.loads(json.dumps(pod))
    forged["metadata"] |= {"name": "a-forged", "ownerReferences": [{"uid": "another", "controller": True}]}
    forged["job"] = "another"
    stored = world.put(forged)
    world.end_pod(stored, 0, "")
    world.succeed(job, train_result())
    world.settle()
    assert world.fine_tune().status.model is not None


def test_a_bare_live_pod_with_the_labels_of_the_run_holds_nothing_back() -> None:
    world = training()
    job = world.job("ads-train-1")
    forged = json.loads(json.dumps(world.pods(job)[0]))
    forged["metadata"] |= {"name": "bare", "ownerReferences": []}
    forged["job"] = "none"
    world.put(forged)
    world.fail(job, 1)
    world.settle()
    world.wait(3600)
    assert world.fine_tune().status.attempts[-1].number == 2


@pytest.mark.parametrize("forge", [evil_eval, lambda child: child], ids=["another rubric", "the same spec"])
def test_the_scores_of_a_forged_evaluation_are_not_taken(forge: Callable[[Object], Object]) -> None:
    """One that asks for the same is adopted, but has no scores until the operator has evaluated it."""
    world = trained()
    child = replaced(world, forge, Kind.RUBRIC_EVAL, "ads")
    evil = codec.encode(eval_result(in_domain=0.9))
    child["status"] = {**evil, "conditions": []}
    world.settle()
    status = world.fine_tune().status
    assert status.evaluation is None
    if forge is evil_eval:
        assert accepted(world) == Reason.NAME_CONFLICT


def test_an_evaluation_that_was_edited_gives_no_scores_though_the_edit_was_undone() -> None:
    world = trained()
    child = world.objects[Kind.RUBRIC_EVAL, "team", "ads"]
    child["metadata"]["generation"] = 3
    world.succeed(world.job("ads-eval"), eval_result())
    world.settle()
    assert world.fine_tune().status.evaluation is None
    assert reason(world, ConditionType.EVALUATION_SUCCEEDED) == Reason.NAME_CONFLICT
    world.remove(child)
    world.let_go()
    world.settle()
    world.succeed(world.job("ads-eval"), eval_result())
    world.settle()
    assert world.fine_tune().status.evaluation is not None


def test_a_rubric_eval_of_its_own_is_guarded_likewise() -> None:
    world = World()
    world.apply(rubric_eval(suspend=True))
    world.settle()
    forged = world.put(evil_config_of_eval(world))
    run = world.rubric_eval()
    world.apply(replace(run, spec=replace(run.spec, suspend=False)))
    world.settle()
    found = find(world.rubric_eval().status.conditions, ConditionType.ACCEPTED)
    assert found is not None and found.reason == Reason.NAME_CONFLICT
    world.remove(forged)
    world.settle()
    assert "evil" not in json.dumps(world.job("ads-eval"))


def evil_config_of_eval(world: World) -> Object:
    child = render.children(world.rubric_eval(), Settings())[0]
    return {**child, "data": {"config.json": child["data"]["config.json"].replace("blendtune/", "evil/")}}


def test_a_run_of_a_study_that_was_forged_is_a_conflict() -> None:
    world = World()
    value = study(suspend=True)
    world.apply(value)
    world.settle()
    (point, *_) = grid(value.spec)
    current = world.objects[Kind.BLEND_STUDY, value.metadata.namespace, value.metadata.name]
    owner = replace(value, metadata=replace(value.metadata, uid=current["metadata"]["uid"]))
    child = run_object(replace(owner, spec=replace(owner.spec, suspend=False)), point)
    child["spec"]["model"]["uri"] = "hf://evil/model"
    world.put(child)
    world.apply(replace(value, spec=replace(value.spec, suspend=False)))
    world.settle()
    decoded = codec.decode_object(
        world.objects[Kind.BLEND_STUDY, value.metadata.namespace, value.metadata.name]
    )
    found = find(decoded.status.conditions, ConditionType.ACCEPTED)
    assert found is not None and found.reason == Reason.NAME_CONFLICT
    runs = {run.name: run for run in decoded.status.runs}  # type: ignore[union-attr]
    assert child["metadata"]["name"] not in {
        name for name, run in runs.items() if run.state is not StudyRunState.PENDING
    }


@pytest.mark.parametrize("start", [new_world, blended, trained], ids=["blend", "train", "eval"])
def test_what_was_created_and_not_recorded_is_recognised_by_its_content(start: Callable[[], World]) -> None:
    """The operator was killed between the creation of the children and the write of the status."""
    world = start()
    run = world.objects[Kind.BLENDED_FINE_TUNE, "team", "ads"]
    status = run["status"]
    if start is trained:
        del status["rubricEval"]
    else:
        status["attempts"] = status["attempts"][:-1]
    if start is new_world:
        del status["pinned"], status["startTime"], status["attempts"]
    world.made.clear()
    created = list(world.created)
    world.settle()
    assert world.created == created
    assert accepted(world) == Reason.ACCEPTED
    assert codec.encode(world.fine_tune().status) == codec.encode(start().fine_tune().status)


def test_what_this_process_has_created_is_its_own_though_the_spec_was_edited_before_it_was_recorded() -> None:
    world = World()
    key = world.apply(fine_tune())
    world.conflicts = 1
    world.reconcile(key)
    run = world.fine_tune()
    world.apply(replace(run, spec=replace(run.spec, cluster=Cluster(nodes=3))))
    world.settle()
    assert accepted(world) == Reason.ACCEPTED
    assert world.fine_tune().status.state is State.BLENDING


def test_the_children_of_an_earlier_version_are_taken_over_once() -> None:
    world = training()
    status = world.objects[Kind.BLENDED_FINE_TUNE, "team", "ads"]["status"]
    for attempt in status["attempts"]:
        del attempt["uid"]
    del status["pinned"]
    world.made.clear()
    world.settle()
    status = world.fine_tune().status
    assert status.pinned is not None and all(attempt.uid for attempt in status.attempts)
    world.succeed(world.job("ads-train-1"), train_result())
    world.settle()
    world.succeed(world.job("ads-eval"), eval_result())
    world.settle()
    assert world.fine_tune().status.state is State.SUCCEEDED
    assert [name for _, name in world.created].count("ads-train-1") == 1


def test_the_children_that_nobody_recorded_go_with_the_others_after_the_time_to_live() -> None:
    world = evaluated(ttl_seconds_after_finished=10)
    config = {**world.objects[CONFIG], "metadata": {**world.objects[CONFIG]["metadata"], "name": "ads-run-7"}}
    world.put(config)
    world.wait(60)
    world.let_go()
    assert {kind for kind, *_ in world.objects} == {Kind.BLENDED_FINE_TUNE}


def test_pods_verify_the_digest_that_the_status_records() -> None:
    world = new_world()
    container = world.job("ads-blend")["spec"]["template"]["spec"]["containers"][0]
    env = {item["name"]: item.get("value") for item in container["env"]}
    pinned = world.fine_tune().status.pinned
    assert pinned is not None and env["BLENDTUNE_CONFIG_DIGEST"] == pinned.digest
    assert names.run_config("ads", pinned.revision) == "ads-run"
