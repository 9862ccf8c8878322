"""spec.suspend and spec.retry of a BlendedFineTune."""

from __future__ import annotations

import pytest
from tests.operator.builders import train_result
from tests.operator.fine_tune_status import condition, gangs, status, train_jobs
from tests.operator.scenarios import blended, edit, new_world, trained

from blendtune_api.contract import ExitCode, Failure, encode_message
from blendtune_api.v1alpha1 import (
    Cluster,
    ConditionStatus,
    ConditionType,
    Reason,
    State,
)
from blendtune_operator.names import Kind

pytestmark = pytest.mark.usefixtures("every_gang")


class TestSuspension:
    def test_suspend_stops_the_gang_and_resume_is_the_next_attempt(self) -> None:
        world = blended()
        world.start(world.job("ads-train-1"))
        world.settle()
        world.now = world.now.replace(minute=5)
        edit(world, suspend=True)
        assert status(world).state is State.SUSPENDED
        assert not gangs(world)
        world.let_go()
        world.settle()
        attempt = status(world).attempts[-1]
        assert attempt.cause.startswith("Suspended") and not attempt.counted
        assert status(world).training_seconds == 300
        world.wait(10_000)
        assert train_jobs(world) == ["ads-train-1"]
        edit(world, suspend=False)
        assert train_jobs(world) == ["ads-train-1", "ads-train-2"]
        assert condition(world, ConditionType.SUSPENDED) == (ConditionStatus.FALSE, Reason.RESUMED)

    def test_a_run_may_be_created_suspended(self) -> None:
        world = new_world(suspend=True)
        assert world.created == []
        assert status(world).state is State.SUSPENDED
        edit(world, suspend=False)
        assert status(world).state is State.BLENDING

    def test_what_finished_before_the_suspension_is_kept(self) -> None:
        world = blended()
        world.succeed(world.job("ads-train-1"), train_result())
        edit(world, suspend=True)
        assert condition(world, ConditionType.TRAINING_SUCCEEDED)[0] is ConditionStatus.TRUE
        assert status(world).state is State.SUSPENDED

    def test_an_evaluation_is_stopped_and_created_again(self) -> None:
        world = trained()
        edit(world, suspend=True)
        assert not any(obj["kind"] == Kind.RUBRIC_EVAL for obj in world)
        edit(world, suspend=False)
        assert world.created.count(("RubricEval", "ads")) == 2
        assert status(world).state is State.EVALUATING


class TestRetry:
    def test_retry_runs_the_failed_stage_again_and_no_other(self) -> None:
        world = blended(cluster=Cluster(backoff_limit=0))
        world.fail(world.job("ads-train-1"), 1)
        world.settle()
        assert status(world).state is State.FAILED
        edit(world, retry=1)
        world.wait(60)
        assert status(world).completion_time is None
        assert status(world).retry == 1
        assert status(world).failures == 0
        assert train_jobs(world)[-1] == "ads-train-2"
        assert status(world).state is State.TRAINING

    def test_retry_creates_a_failed_evaluation_again(self) -> None:
        world = trained()
        failure = Failure(reason=Reason.BAD_RUBRIC, message="question 3 can't be met")
        world.fail(world.job("ads-eval"), ExitCode.BAD_RUBRIC, encode_message(failure))
        world.settle()
        assert condition(world, ConditionType.EVALUATION_SUCCEEDED) == (
            ConditionStatus.FALSE,
            Reason.BAD_RUBRIC,
        )
        edit(world, retry=1)
        assert status(world).state is State.EVALUATING
        assert world.created.count(("RubricEval", "ads")) == 2

    def test_retry_of_a_run_that_did_not_fail_is_only_recorded(self) -> None:
        world = blended()
        edit(world, retry=3)
        assert status(world).retry == 3
        assert train_jobs(world) == ["ads-train-1"]
