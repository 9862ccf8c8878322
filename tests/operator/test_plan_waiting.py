"""What the status of a BlendedFineTune says while it waits for pods, queues and progress."""

from __future__ import annotations

import pytest
from tests.operator.builders import fine_tune, train_result
from tests.operator.fine_tune_status import condition, message, status
from tests.operator.gangs import pods_of
from tests.operator.scenarios import blended, training
from tests.operator.world import World

from blendtune_api.contract import Progress
from blendtune_api.v1alpha1 import (
    Cluster,
    ConditionStatus,
    ConditionType,
    Gang,
    Reason,
    State,
)
from blendtune_operator.conditions import timestamp
from blendtune_operator.names import Kind, Object
from blendtune_operator.settings import Settings

pytestmark = pytest.mark.usefixtures("every_gang")


class TestWaiting:
    @pytest.mark.parametrize(
        ("pod_status", "reason", "state", "words"),
        [
            pytest.param({}, Reason.STARTING, State.TRAINING, "starting", id="starting"),
            pytest.param(
                {"conditions": [{"type": "PodScheduled", "status": "False", "message": "0/3 nodes: no GPU"}]},
                Reason.UNSCHEDULABLE,
                State.QUEUED,
                "0/3 nodes: no GPU",
                id="unschedulable",
            ),
            pytest.param(
                {
                    "containerStatuses": [
                        {
                            "name": "pytorch",
                            "image": "nowhere/trainer:1",
                            "state": {"waiting": {"reason": "ImagePullBackOff", "message": "not found"}},
                        }
                    ]
                },
                Reason.IMAGE_PULL_FAILED,
                State.TRAINING,
                "nowhere/trainer:1 (ImagePullBackOff: not found)",
                id="image pull",
            ),
        ],
    )
    def test_what_pods_wait_for_is_reported(
        self, pod_status: Object, reason: Reason, state: State, words: str
    ) -> None:
        world = blended()
        world.start(world.job("ads-train-1"), "Pending", **pod_status)
        world.settle()
        assert condition(world, ConditionType.TRAINING_SUCCEEDED) == (ConditionStatus.UNKNOWN, reason)
        assert words in message(world, ConditionType.TRAINING_SUCCEEDED)
        assert status(world).state is state

    def test_a_queued_gang_is_left_to_its_queue(self) -> None:
        world = blended(cluster=Cluster(queue_name="gpus"))
        job = world.job("ads-train-1")
        world.hold(job)
        world.wait(3600)
        assert status(world).state is State.QUEUED
        assert "gpus" in message(world, ConditionType.TRAINING_SUCCEEDED)
        assert status(world).training_seconds == 0
        world.hold(job, False)
        world.start(job)
        world.settle()
        assert condition(world, ConditionType.TRAINING_SUCCEEDED)[1] == Reason.RUNNING
        assert status(world).attempts[-1].start_time == "2026-01-01T01:00:00Z"

    def test_a_preempted_gang_does_not_count_as_running(self) -> None:
        world = blended(cluster=Cluster(queue_name="gpus"))
        job = world.job("ads-train-1")
        world.start(job)
        world.settle()
        world.wait(600)
        world.hold(job)
        for pod in world.pods(job):
            world.end_pod(pod, 143, "")
        world.settle()
        world.wait(3600)
        world.hold(job, False)
        resumed = {"type": "Suspended", "status": "False", "lastTransitionTime": timestamp(world.now)}
        job["status"] = {"conditions": [resumed]}
        world.settle()
        assert condition(world, ConditionType.TRAINING_SUCCEEDED)[1] == Reason.STARTING
        world.wait(30)
        world.start(job)
        world.settle()
        assert condition(world, ConditionType.TRAINING_SUCCEEDED)[1] == Reason.RUNNING
        assert status(world).training_seconds == 600
        assert status(world).attempts[-1].start_time == timestamp(world.now)

    def test_a_child_without_pods_is_reported(self) -> None:
        world = blended()
        world.wait(59)
        assert condition(world, ConditionType.TRAINING_SUCCEEDED)[1] == Reason.STARTING
        job = world.job("ads-train-1")
        job["status"] = {"startTime": timestamp(world.now)}
        world.wait(1)
        assert condition(world, ConditionType.TRAINING_SUCCEEDED)[1] == Reason.CHILD_REFUSED
        assert f"kubectl describe {job['kind'].lower()} ads-train-1" in message(
            world, ConditionType.TRAINING_SUCCEEDED
        )
        world.start(job)
        world.settle()
        assert condition(world, ConditionType.TRAINING_SUCCEEDED)[1] == Reason.RUNNING

    def test_a_pod_that_cannot_start_is_reported_beside_running_ones(self) -> None:
        world = training()
        pod = world.pods(world.job("ads-train-1"))[1]
        waiting = {"waiting": {"reason": "ErrImagePull", "message": "not found"}}
        pod["status"]["containerStatuses"] = [{"name": "pytorch", "image": "x", "state": waiting}]
        world.settle()
        assert condition(world, ConditionType.TRAINING_SUCCEEDED)[1] == Reason.RUNNING
        assert "cannot pull image x" in message(world, ConditionType.TRAINING_SUCCEEDED)

    def test_a_gang_that_is_not_served_is_waited_for(self) -> None:
        world = World(Settings(gang=Gang.PYTORCH_JOB))
        world.unserved.add(Kind.PYTORCH_JOB)
        key = world.apply(fine_tune())
        world.settle()
        assert world.created == []
        assert condition(world, ConditionType.ACCEPTED) == (
            ConditionStatus.FALSE,
            Reason.GANG_NOT_SERVED,
        )
        assert status(world).state is State.PENDING
        assert world.reconcile(key) is not None
        world.unserved.clear()
        world.settle()
        assert status(world).state is State.BLENDING


def grace_seconds(world: World, job: Object) -> int:
    _, template, _ = pods_of(job, world)
    return int(template["spec"]["terminationGracePeriodSeconds"])


class TestProgress:
    def test_progress_is_shown_at_intervals_and_goes_stale(self) -> None:
        world = blended()
        world.start(world.job("ads-train-1"))
        world.settle()
        world.progress_answer = Progress(step=10, steps=40, loss=1.5, remaining_seconds=90.4)
        world.wait(15)
        shown = status(world).trainer_status
        assert shown is not None
        assert (shown.progress_percentage, shown.estimated_remaining_seconds) == (25, 90)
        assert {item.name: item.value for item in shown.metrics}["loss"] == "1.5"
        world.progress_answer = Progress(step=11, steps=40)
        writes = world.writes
        world.wait(5)
        assert world.writes == writes
        world.progress_answer = None
        world.wait(120)
        assert status(world).trainer_status == shown
        assert "not been heard since 2026-01-01T00:00:15Z" in message(world, ConditionType.TRAINING_SUCCEEDED)

    def test_the_next_attempts_have_time_for_the_slowest_reported_checkpoint(self) -> None:
        world = blended()
        assert grace_seconds(world, world.job("ads-train-1")) == 300
        answers = (
            Progress(step=10, steps=40, save_seconds=140.2, checkpoint_bytes=10**9),
            Progress(step=11, steps=40),  # has not saved yet
        )
        for number, answer in enumerate(answers, start=1):
            world.start(world.job(f"ads-train-{number}"))
            world.settle()
            world.progress_answer = answer
            world.wait(15)
            world.fail(world.job(f"ads-train-{number}"), 137)
            world.settle()
            world.wait(60)
            assert grace_seconds(world, world.job(f"ads-train-{number + 1}")) == 281 + 60


def test_a_finished_training_shows_its_end() -> None:
    world = blended()
    world.succeed(world.job("ads-train-1"), train_result())
    world.settle()
    shown = status(world).trainer_status
    assert shown is not None
    assert (shown.progress_percentage, shown.estimated_remaining_seconds) == (100, 0)
    assert {metric.name: metric.value for metric in shown.metrics}["loss"] == "1.25"
