"""How attempts of a stage end, and when another one follows."""

from __future__ import annotations

import pytest
from tests.operator.builders import blend_result, train_result
from tests.operator.fine_tune_status import condition, gangs, message, status, train_jobs
from tests.operator.scenarios import blended, edit, new_world, training

from blendtune_api.contract import ExitCode, Failure, encode_message
from blendtune_api.v1alpha1 import (
    Cluster,
    ConditionStatus,
    ConditionType,
    Reason,
    Stage,
    State,
)
from blendtune_operator.conditions import timestamp
from blendtune_operator.names import Object

pytestmark = pytest.mark.usefixtures("every_gang")


class TestAttempts:
    @pytest.mark.parametrize(
        ("exit_code", "left", "reason", "why"),
        [
            pytest.param(1, "", "Error", "StageFailed", id="crash"),
            pytest.param(137, "", "OOMKilled", "OutOfMemory", id="out of memory"),
            pytest.param(ExitCode.HANG, "", "Error", "StageFailed", id="hang"),
        ],
    )
    def test_a_counted_failure_is_retried_after_a_back_off(
        self, exit_code: int, left: str, reason: str, why: str
    ) -> None:
        world = blended()
        world.fail(world.job("ads-train-1"), exit_code, left, reason=reason)
        world.settle()
        attempt = status(world).attempts[-1]
        assert (attempt.stage, attempt.number, attempt.exit_code) == (Stage.TRAIN, 1, exit_code)
        assert attempt.cause.startswith(why) and attempt.counted
        assert condition(world, ConditionType.TRAINING_SUCCEEDED)[1] == Reason.BACKING_OFF
        world.wait(9)
        assert train_jobs(world) == ["ads-train-1"]
        world.wait(1)
        assert train_jobs(world) == ["ads-train-1", "ads-train-2"]
        world.succeed(world.job("ads-train-2"), train_result())
        world.settle()
        training = status(world).training
        assert training is not None and training.restarts == 1
        assert status(world).failures == 0

    def test_the_back_off_doubles_and_the_limit_holds(self) -> None:
        world = blended()
        for number, delay in ((1, 10), (2, 20)):
            world.fail(world.job(f"ads-train-{number}"), 1)
            world.settle()
            world.wait(delay - 1)
            assert len(train_jobs(world)) == number
            world.wait(1)
            assert len(train_jobs(world)) == number + 1
        world.fail(world.job("ads-train-3"), 1)
        world.settle()
        assert status(world).state is State.FAILED
        assert condition(world, ConditionType.FAILED) == (
            ConditionStatus.TRUE,
            Reason.BACKOFF_LIMIT_EXCEEDED,
        )
        assert "exit code 1" in message(world, ConditionType.FAILED)
        world.wait(10_000)
        assert len(train_jobs(world)) == 3

    def test_disruptions_do_not_count(self) -> None:
        world = blended(cluster=Cluster(nodes=2, backoff_limit=0))
        for number in range(1, 9):
            world.preempt(world.job(f"ads-train-{number}"))
            world.settle()
            world.wait(10)
        assert train_jobs(world)[-1] == "ads-train-9"
        assert [attempt.number for attempt in status(world).attempts] == [5, 6, 7, 8, 9]
        assert not any(attempt.counted for attempt in status(world).attempts)
        kept = [job["metadata"]["name"] for job in gangs(world)]
        assert kept == [f"ads-train-{number}" for number in range(5, 10)]

    def test_a_permanent_failure_ends_the_run_at_once(self) -> None:
        world = new_world()
        failure = Failure(reason=Reason.BAD_DATA, message="ads.jsonl line 7: no assistant turn")
        world.fail(world.job("ads-blend"), ExitCode.BAD_DATA, encode_message(failure))
        world.settle()
        assert status(world).state is State.FAILED
        assert condition(world, ConditionType.DATA_BLENDED) == (ConditionStatus.FALSE, Reason.BAD_DATA)
        assert message(world, ConditionType.FAILED) == "ads.jsonl line 7: no assistant turn"
        assert status(world).attempts[-1].exit_code == ExitCode.BAD_DATA

    def test_a_model_that_does_not_fit_is_refused_before_a_gpu_is_held(self) -> None:
        world = new_world()
        failure = Failure(reason=Reason.DOES_NOT_FIT, message="needs 95 GiB of 80 GiB: use more nodes")
        world.fail(world.job("ads-blend"), ExitCode.DOES_NOT_FIT, encode_message(failure))
        world.settle()
        assert condition(world, ConditionType.SIZED) == (ConditionStatus.FALSE, Reason.DOES_NOT_FIT)
        edit(world, cluster=Cluster(nodes=8), retry=1)
        world.wait(60)
        assert world.created[-2:] == [("ConfigMap", "ads-run-2"), ("Job", "ads-blend-2")]
        world.succeed(world.job("ads-blend-2"), blend_result())
        world.settle()
        assert condition(world, ConditionType.SIZED) == (ConditionStatus.TRUE, Reason.FITS)
        assert status(world).state is State.TRAINING

    def test_the_next_attempt_waits_for_the_last_pod(self) -> None:
        world = blended()
        job = world.job("ads-train-1")
        world.start(job)
        world.settle()
        world.remove(job)
        world.wait(600)
        assert train_jobs(world) == ["ads-train-1"]
        world.let_go()
        world.settle()
        assert (
            status(world).attempts[-1].cause.startswith(f"Disrupted: {job['kind']} ads-train-1 was removed")
        )
        world.wait(10)
        assert train_jobs(world) == ["ads-train-1", "ads-train-2"]

    @pytest.mark.parametrize(
        "outcome", [pytest.param(None, id="missing"), pytest.param(blend_result(), id="of another kind")]
    )
    def test_a_lost_result_is_read_back_by_another_attempt(self, outcome: object) -> None:
        world = blended(cluster=Cluster(backoff_limit=0))
        world.succeed(world.job("ads-train-1"), outcome)  # type: ignore[arg-type]
        world.settle()
        assert status(world).attempts[-1].cause.startswith("ResultMissing")
        world.wait(10)
        world.succeed(world.job("ads-train-2"), train_result())
        world.settle()
        assert status(world).state is State.EVALUATING

    def test_a_result_that_is_lost_twice_counts(self) -> None:
        world = blended(cluster=Cluster(backoff_limit=0))
        for number in (1, 2):
            world.succeed(world.job(f"ads-train-{number}"), None)
            world.settle()
            world.wait(10)
        assert condition(world, ConditionType.FAILED) == (ConditionStatus.TRUE, Reason.BACKOFF_LIMIT_EXCEEDED)
        assert [attempt.counted for attempt in status(world).attempts[-2:]] == [False, True]

    def test_the_time_of_an_attempt_ends_with_its_job(self) -> None:
        """However late the operator sees it, after a restart or after waiting for a pod."""
        world = training()
        world.wait(600)
        job, end = world.job("ads-train-1"), timestamp(world.now)
        world.fail(job, 1)
        job["status"]["conditions"][0]["lastTransitionTime"] = end
        world.wait(7200)
        assert status(world).training_seconds == 600
        assert [attempt.end_time for attempt in status(world).attempts if attempt.stage == "train"] == [
            end,
            None,
        ]

    def test_the_deadline_counts_training_over_all_attempts_but_no_queueing(self) -> None:
        world = blended(cluster=Cluster(active_deadline_seconds=1000))
        world.wait(5000)
        world.start(world.job("ads-train-1"))
        world.settle()
        world.wait(600)
        world.preempt(world.job("ads-train-1"))
        world.settle()
        assert status(world).training_seconds == 600
        world.wait(10)
        world.wait(5000)
        world.start(world.job("ads-train-2"))
        world.settle()
        world.wait(399)
        assert status(world).state is State.TRAINING
        world.wait(1)
        assert condition(world, ConditionType.FAILED) == (ConditionStatus.TRUE, Reason.DEADLINE_EXCEEDED)
        assert "activeDeadlineSeconds (1000)" in message(world, ConditionType.FAILED)
        assert not any(job["metadata"]["name"] == "ads-train-2" for job in world.jobs())

    def test_after_a_deadline_a_retry_waits_for_the_checkpoint_of_the_last_attempt(self) -> None:
        world = blended(cluster=Cluster(active_deadline_seconds=100))
        world.start(world.job("ads-train-1"))
        world.settle()
        world.wait(100)
        assert status(world).state is State.FAILED
        edit(world, cluster=Cluster(active_deadline_seconds=1000), retry=1)
        world.wait(60)
        assert train_jobs(world) == ["ads-train-1"]
        assert "waits for the last to end: pod " in message(world, ConditionType.TRAINING_SUCCEEDED)
        world.let_go()
        world.settle()
        assert train_jobs(world) == ["ads-train-1", "ads-train-2"]

    def test_each_stage_has_the_whole_backoff_limit(self) -> None:
        world = new_world(cluster=Cluster(backoff_limit=1))
        world.fail(world.job("ads-blend"), 1)
        world.settle()
        world.wait(10)
        world.succeed(world.job("ads-blend-2"), blend_result())
        world.settle()
        world.fail(world.job("ads-train-1"), 1)
        world.settle()
        world.wait(10)
        assert train_jobs(world) == ["ads-train-1", "ads-train-2"]

    @pytest.mark.parametrize(
        "states",
        [
            pytest.param([{"running": {"startedAt": "2025-12-31T00:00:00Z"}}], id="a node's clock is behind"),
            pytest.param(
                [
                    {
                        "terminated": {
                            "reason": "StartError",
                            "exitCode": 128,
                            "startedAt": "1970-01-01T00:00:00Z",
                        }
                    },
                    {"running": {"startedAt": "2025-12-31T00:00:00Z"}},
                ],
                id="a container was never started, and one beside it runs",
            ),
        ],
    )
    def test_no_time_is_counted_from_before_the_pod_was_there(self, states: list[Object]) -> None:
        world = blended(cluster=Cluster(active_deadline_seconds=1000))
        containers = [{"name": f"c{index}", "state": state} for index, state in enumerate(states)]
        world.start(world.job("ads-train-1"), containerStatuses=containers)
        world.settle()
        world.wait(999)
        assert status(world).state is State.TRAINING
        world.wait(1)
        assert condition(world, ConditionType.FAILED)[1] == Reason.DEADLINE_EXCEEDED
        assert status(world).training_seconds == 1000

    def test_the_deadline_requeues_in_time(self) -> None:
        world = blended(cluster=Cluster(active_deadline_seconds=7))
        key = world.apply(world.fine_tune())
        world.start(world.job("ads-train-1"))
        world.settle()
        world.wait(2)
        delay = world.reconcile(key)
        assert delay is not None and delay.total_seconds() == 5


@pytest.mark.parametrize("ending", ["Complete", "Failed"])
def test_the_pods_of_a_job_that_has_just_ended_have_time_to_appear(ending: str) -> None:
    """A list of pods may be behind what their Job says: a missing pod is no reason to fail."""
    world = new_world()
    job = world.job("ads-blend")
    now = timestamp(world.now)
    job["status"] = {"conditions": [{"type": ending, "status": "True", "lastTransitionTime": now}]}
    world.wait(10)
    assert status(world).attempts[-1].end_time is None
    assert "has ended" in message(world, ConditionType.DATA_BLENDED)
    world.start(job)
    for pod in world.pods(job):
        world.end_pod(pod, 0, encode_message(blend_result()))
    job["status"]["conditions"][0]["type"] = "Complete"
    world.wait(1)
    assert condition(world, ConditionType.DATA_BLENDED) == (ConditionStatus.TRUE, Reason.COMPLETED)


def test_pods_that_never_appear_are_not_awaited_forever() -> None:
    world = new_world()
    now = timestamp(world.now)
    ended = {"type": "Complete", "status": "True", "lastTransitionTime": now}
    world.job("ads-blend")["status"] = {"conditions": [ended]}
    world.wait(10)
    world.wait(11)
    assert status(world).attempts[0].cause.startswith("ResultMissing")
