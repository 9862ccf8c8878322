"""The stage that comes before the blend where a source is self://."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.operator.builders import blend_result, fine_tune, rehearse_result, self_blend
from tests.operator.fine_tune_status import condition, message, status
from tests.operator.scenarios import edit, new_world, rehearsed
from tests.operator.world import World

from blendtune_api.contract import ExitCode, Failure, Progress, encode_message
from blendtune_api.v1alpha1 import (
    Cluster,
    ConditionStatus,
    ConditionType,
    Engine,
    Reason,
    RehearsalPrompts,
    RehearsePod,
    SelfRehearsal,
    State,
)
from blendtune_operator.plan.supported import refusals
from blendtune_operator.settings import Settings

REHEARSED = ConditionType.DATA_REHEARSED


def rehearsing(**spec: object) -> World:
    world = new_world(blend=self_blend(), **spec)
    world.start(world.job("ads-rehearse"))
    world.settle()
    return world


def test_the_base_model_writes_its_rows_before_the_blend() -> None:
    world = new_world(blend=self_blend())
    assert world.created == [("ConfigMap", "ads-run"), ("Job", "ads-rehearse")]
    assert status(world).state is State.REHEARSING
    world.succeed(world.job("ads-rehearse"), rehearse_result())
    world.settle()
    assert world.created[2:] == [("Job", "ads-blend")]
    assert status(world).state is State.BLENDING
    assert condition(world, REHEARSED) == (ConditionStatus.TRUE, Reason.COMPLETED)
    assert message(world, REHEARSED) == (
        "known: 100 rows of 5,000 tokens, of 128 written, up to 200 tokens each, in Latin (97), Han (3); "
        "left out: 20 Unfinished, 8 NearRubric"
    )
    told = status(world).rehearsal
    assert told is not None and told.sources == rehearse_result().sources


def test_a_run_without_self_knows_no_rehearsal() -> None:
    world = new_world()
    assert world.created == [("ConfigMap", "ads-run"), ("Job", "ads-blend")]
    assert REHEARSED not in {item.type for item in status(world).conditions}
    assert status(world).rehearsal is None


def test_the_time_of_each_attempt_is_added_up_without_the_wait_for_a_place() -> None:
    world = new_world(blend=self_blend())
    world.wait(500)
    world.start(world.job("ads-rehearse"))
    world.settle()
    world.wait(600)
    world.succeed(world.job("ads-rehearse"), rehearse_result())
    world.settle()
    assert status(world).rehearsal_seconds == pytest.approx(600, abs=1)
    assert status(world).training_seconds == 0


def test_its_progress_is_told_while_it_runs_and_gone_after() -> None:
    world = rehearsing()
    world.progress_answer = Progress(step=1_200, steps=5_000, remaining_seconds=75.4, phase="rehearsing")
    world.wait(20)
    told = status(world).rehearsal
    assert told is not None
    assert (told.progress_percentage, told.estimated_remaining_seconds) == (24, 75)
    writes = world.writes
    world.settle()
    assert world.writes == writes
    world.succeed(world.job("ads-rehearse"), rehearse_result())
    world.settle()
    told = status(world).rehearsal
    assert told is not None and told.estimated_remaining_seconds is None
    assert status(world).trainer_status is None


def test_a_failure_ends_the_run_and_a_retry_rehearses_again() -> None:
    world = rehearsing()
    failure = Failure(reason=Reason.BAD_CONFIGURATION, message="spec.model: a base model asks itself nothing")
    world.fail(world.job("ads-rehearse"), ExitCode.BAD_MODEL, encode_message(failure))
    world.settle()
    assert status(world).state is State.FAILED
    assert condition(world, REHEARSED) == (ConditionStatus.FALSE, Reason.BAD_CONFIGURATION)
    edit(world, retry=1)
    world.wait(60)
    assert world.created[-1] == ("Job", "ads-rehearse-2")
    assert status(world).state is State.REHEARSING


def test_a_suspended_rehearsal_goes_on_with_the_next_attempt() -> None:
    world = rehearsing()
    edit(world, suspend=True)
    assert not world.jobs()
    assert status(world).state is State.SUSPENDED
    world.let_go()
    edit(world, suspend=False)
    world.wait(60)
    assert world.created[-1] == ("Job", "ads-rehearse-2")


def test_its_children_go_when_their_time_is_up() -> None:
    world = rehearsing(ttl_seconds_after_finished=60)
    world.fail(world.job("ads-rehearse"), ExitCode.BAD_DATA)
    world.settle()
    world.wait(61)
    assert not world.jobs()


def test_it_waits_in_the_queue_and_holds_the_gpus_that_it_asks_for() -> None:
    cluster = Cluster(queue_name="gpus", rehearse=RehearsePod(gpus=2))
    world = new_world(blend=self_blend(), cluster=cluster)
    job = world.job("ads-rehearse")
    assert job["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "gpus"
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert container["resources"]["limits"] == {"nvidia.com/gpu": 2}
    assert container["command"] == ["python", "-m", "blendtune_trainer", "rehearse"]


def test_the_prompts_are_mounted_and_read_with_the_credentials() -> None:
    blend = self_blend()
    prompts = RehearsalPrompts(uri="pvc://questions/rows.jsonl")
    source = replace(blend.sources[1], self_rehearsal=SelfRehearsal(prompts=prompts))
    world = new_world(blend=replace(blend, sources=(blend.sources[0], source)))
    volumes = world.job("ads-rehearse")["spec"]["template"]["spec"]["volumes"]
    claims = {volume["persistentVolumeClaim"]["claimName"] for volume in volumes[-3:]}
    assert claims == {"blendtune", "datasets", "questions"}


@pytest.mark.parametrize(
    ("rehearsal", "told"),
    [
        pytest.param(
            SelfRehearsal(engine=Engine.VLLM),
            "spec.blend.sources[1].selfRehearsal.engine: vllm does not rehearse: set transformers, or leave "
            "it out",
            id="vllm",
        ),
        pytest.param(
            SelfRehearsal(prompts=RehearsalPrompts(uri="file:///rows.jsonl")),
            "spec.blend.sources[1].selfRehearsal.prompts.uri: a file:// URI is only for local mode: use "
            "pvc://<claim>/<path>, hf:// or s3://",
            id="a file",
        ),
        pytest.param(
            SelfRehearsal(prompts=RehearsalPrompts(uri="pvc://a/../b")),
            "spec.blend.sources[1].selfRehearsal.prompts.uri: pvc://a/../b: a path may not contain ..",
            id="a path out of the claim",
        ),
    ],
)
def test_what_cannot_be_rehearsed_is_refused_by_its_path(rehearsal: SelfRehearsal, told: str) -> None:
    blend = self_blend()
    source = replace(blend.sources[1], self_rehearsal=rehearsal)
    run = fine_tune(blend=replace(blend, sources=(blend.sources[0], source)))
    assert [str(refusal.fault) for refusal in refusals(run, Settings())] == [told]


def test_the_blend_follows_with_what_was_rehearsed() -> None:
    world = rehearsed()
    world.succeed(world.job("ads-blend"), blend_result())
    world.settle()
    assert world.created[-1] == ("PyTorchJob", "ads-train-1")
    assert status(world).rehearsal is not None
