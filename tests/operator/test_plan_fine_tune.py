"""A BlendedFineTune through every state of the world: what is created, deleted and said."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.operator.builders import GATES, blend_result, fine_tune, train_result
from tests.operator.stories import blended, edit, evaluated, new_world, trained, training
from tests.operator.world import World

from blendtune_api.contract import ExitCode, Failure, Progress, encode_message
from blendtune_api.v1alpha1 import (
    BlendedFineTuneStatus,
    Cluster,
    ConditionStatus,
    ConditionType,
    Credentials,
    DiagnosisVerdict,
    EpochModel,
    EvaluatedEpoch,
    Evaluation,
    Export,
    Gate,
    Metric,
    Reason,
    Stage,
    StagePod,
    State,
    Training,
)
from blendtune_operator.conditions import find, timestamp
from blendtune_operator.names import Kind, Object
from blendtune_operator.settings import Settings

GATED = Evaluation(gates=GATES)


def condition(world: World, type: ConditionType) -> tuple[ConditionStatus, str]:
    found = find(world.fine_tune().status.conditions, type)
    assert found is not None
    return found.status, found.reason


def message(world: World, type: ConditionType) -> str:
    found = find(world.fine_tune().status.conditions, type)
    assert found is not None
    return found.message


def status(world: World) -> BlendedFineTuneStatus:
    return world.fine_tune().status


def train_jobs(world: World) -> list[str]:
    return [name for kind, name in world.created if kind == Kind.PYTORCH_JOB]


class TestWayOfTheData:
    def test_a_new_run_pins_its_configuration_then_blends(self) -> None:
        world = new_world()
        assert world.created == [("ConfigMap", "ads-run"), ("Job", "ads-blend")]
        assert status(world).state is State.BLENDING
        assert status(world).start_time == "2026-01-01T00:00:00Z"
        assert {item.type for item in status(world).conditions} == set(ConditionType) - {
            ConditionType.RECOMMENDED
        }
        assert condition(world, ConditionType.ACCEPTED) == (ConditionStatus.TRUE, Reason.ACCEPTED)
        assert condition(world, ConditionType.SUSPENDED) == (ConditionStatus.FALSE, Reason.NOT_SUSPENDED)
        assert condition(world, ConditionType.TRAINING_SUCCEEDED)[0] is ConditionStatus.UNKNOWN

    def test_a_blend_is_sized_and_trained_on(self) -> None:
        world = blended()
        assert world.created[2:] == [("PyTorchJob", "ads-train-1")]
        assert status(world).state is State.TRAINING
        assert status(world).blend is not None
        assert condition(world, ConditionType.DATA_BLENDED) == (ConditionStatus.TRUE, Reason.COMPLETED)
        assert condition(world, ConditionType.SIZED) == (ConditionStatus.TRUE, Reason.FITS)
        assert "60.0 GB of 85.9 GB on each of 8 x a100-80gb" in message(world, ConditionType.SIZED)

    def test_a_lora_is_sized_by_what_it_trains_and_what_it_leaves_frozen(self) -> None:
        world = new_world()
        world.succeed(world.job("ads-blend"), blend_result(adapter_parameters=62_586_880))
        world.settle()
        said = message(world, ConditionType.SIZED)
        assert said.startswith("13 billion frozen parameters and a LoRA of 62.6 million need 60.0 GB")

    def test_a_blend_without_a_known_memory_is_not_called_fitting(self) -> None:
        world = new_world(cluster=Cluster(nodes=1, gpus_per_node=2, gpu_type="cpu"))
        world.succeed(world.job("ads-blend"), blend_result())
        world.settle()
        assert condition(world, ConditionType.SIZED) == (ConditionStatus.UNKNOWN, Reason.NOT_SIZED)
        assert train_jobs(world) == ["ads-train-1"]

    def test_a_trained_model_is_evaluated(self) -> None:
        world = trained()
        assert ("RubricEval", "ads") in world.created
        assert status(world).state is State.EVALUATING
        training, model = status(world).training, status(world).model
        assert training is not None and training.final_loss == 1.25 and training.restarts == 0
        assert model is not None
        assert (model.uri, model.digest) == ("pvc://blendtune/team/ads/model", "model-1")
        assert world.rubric_eval().spec.model.digest == "model-1"
        baseline = world.rubric_eval().spec.baseline.model
        assert baseline is not None and baseline.uri == "pvc://blendtune/team/ads/base"

    def test_the_models_of_earlier_epochs_are_evaluated_too(self) -> None:
        model = EpochModel(epoch=1, step=20, digest="after-1")
        world = training(evaluation=Evaluation(every_epoch=True))
        world.succeed(world.job("ads-train-1"), train_result(epochs=(model,)))
        world.settle()
        told = status(world).training
        assert told is not None and told.epochs == (model,)
        assert world.rubric_eval().spec.epochs == (
            EvaluatedEpoch(epoch=1, uri="pvc://blendtune/team/ads/epochs/1/model", digest="after-1"),
        )

    def test_scores_end_the_run(self) -> None:
        world = evaluated(evaluation=GATED)
        assert status(world).state is State.SUCCEEDED
        assert condition(world, ConditionType.SUCCEEDED) == (ConditionStatus.TRUE, Reason.COMPLETED)
        assert condition(world, ConditionType.FAILED)[0] is ConditionStatus.FALSE
        assert condition(world, ConditionType.GATES_PASSED) == (ConditionStatus.TRUE, Reason.GATES_PASSED)
        assert status(world).completion_time == "2026-01-01T00:10:00Z"
        scores, diagnosis = status(world).evaluation, status(world).diagnosis
        assert scores is not None and scores.in_domain is not None and scores.in_domain.delta == 0.5
        assert diagnosis is not None and diagnosis.verdict is DiagnosisVerdict.BALANCED

    @pytest.mark.parametrize(
        ("in_domain", "general", "expected"),
        [
            pytest.param(0.5, 0.0, (ConditionStatus.TRUE, Reason.GATES_PASSED), id="passed"),
            pytest.param(0.5, -0.3, (ConditionStatus.FALSE, Reason.GATES_FAILED), id="failed"),
            pytest.param(0.5, -0.1, (ConditionStatus.UNKNOWN, Reason.GATES_INCONCLUSIVE), id="inconclusive"),
        ],
    )
    def test_gates_never_fail_the_run(
        self, in_domain: float, general: float, expected: tuple[ConditionStatus, str]
    ) -> None:
        world = evaluated(in_domain, general, evaluation=GATED)
        assert condition(world, ConditionType.GATES_PASSED) == expected
        assert status(world).state is State.SUCCEEDED

    def test_gates_are_judged_again_when_they_are_edited_after_the_end(self) -> None:
        world = evaluated(general=-0.3, evaluation=GATED)
        edit(world, evaluation=Evaluation(gates=(Gate(metric=Metric.GENERAL, max_drop=0.5),)))
        assert condition(world, ConditionType.GATES_PASSED) == (ConditionStatus.TRUE, Reason.GATES_PASSED)
        assert status(world).observed_generation == 2

    def test_the_whole_run_creates_each_child_once(self) -> None:
        assert evaluated().created == [
            ("ConfigMap", "ads-run"),
            ("Job", "ads-blend"),
            ("PyTorchJob", "ads-train-1"),
            ("RubricEval", "ads"),
            ("ConfigMap", "ads-eval"),
            ("Job", "ads-eval"),
        ]


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
    def test_what_pods_wait_for_is_said(
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
        job["spec"]["runPolicy"]["suspend"] = True
        world.wait(3600)
        assert status(world).state is State.QUEUED
        assert "gpus" in message(world, ConditionType.TRAINING_SUCCEEDED)
        assert status(world).training_seconds == 0
        job["spec"]["runPolicy"]["suspend"] = False
        world.start(job)
        world.settle()
        assert condition(world, ConditionType.TRAINING_SUCCEEDED)[1] == Reason.RUNNING
        assert status(world).attempts[-1].start_time == "2026-01-01T01:00:00Z"

    def test_what_a_queue_took_away_is_not_taken_for_running(self) -> None:
        world = blended(cluster=Cluster(queue_name="gpus"))
        job = world.job("ads-train-1")
        world.start(job)
        world.settle()
        world.wait(600)
        job["spec"]["runPolicy"]["suspend"] = True
        for pod in world.pods(job):
            world.end_pod(pod, 143, "")
        world.settle()
        world.wait(3600)
        job["spec"]["runPolicy"]["suspend"] = False
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

    def test_that_no_pod_is_made_is_said(self) -> None:
        world = blended()
        world.wait(59)
        assert condition(world, ConditionType.TRAINING_SUCCEEDED)[1] == Reason.STARTING
        world.wait(1)
        assert condition(world, ConditionType.TRAINING_SUCCEEDED)[1] == Reason.CHILD_REFUSED
        assert "kubectl describe pytorchjob ads-train-1" in message(world, ConditionType.TRAINING_SUCCEEDED)
        world.start(world.job("ads-train-1"))
        world.settle()
        assert condition(world, ConditionType.TRAINING_SUCCEEDED)[1] == Reason.RUNNING

    def test_a_pod_that_cannot_start_is_told_of_beside_those_that_run(self) -> None:
        world = training()
        pod = world.pods(world.job("ads-train-1"))[1]
        waiting = {"waiting": {"reason": "ErrImagePull", "message": "not found"}}
        pod["status"]["containerStatuses"] = [{"name": "pytorch", "image": "x", "state": waiting}]
        world.settle()
        assert condition(world, ConditionType.TRAINING_SUCCEEDED)[1] == Reason.RUNNING
        assert "cannot pull image x" in message(world, ConditionType.TRAINING_SUCCEEDED)

    def test_a_missing_training_operator_is_waited_for(self) -> None:
        world = World()
        world.unserved.add(Kind.PYTORCH_JOB)
        key = world.apply(fine_tune())
        world.settle()
        assert world.created == []
        assert condition(world, ConditionType.ACCEPTED) == (
            ConditionStatus.FALSE,
            Reason.TRAINING_OPERATOR_MISSING,
        )
        assert status(world).state is State.PENDING
        assert world.reconcile(key) is not None
        world.unserved.clear()
        world.settle()
        assert status(world).state is State.BLENDING


class TestRefusal:
    @pytest.mark.parametrize(
        ("spec", "reason", "words"),
        [
            pytest.param(
                {"cluster": Cluster(gpu_type="b300")},
                Reason.UNKNOWN_GPU_TYPE,
                "spec.cluster.gpuType: no GPU preset 'b300': known are a100-80gb, a100-40gb",
                id="gpu type",
            ),
            pytest.param(
                {"export": Export(uri="file:///models")},
                Reason.NOT_SUPPORTED,
                "spec.export.uri: a file:// URI is only for local mode",
                id="not in a cluster",
            ),
        ],
    )
    def test_nothing_is_created_and_the_field_is_named(
        self, spec: dict[str, object], reason: Reason, words: str
    ) -> None:
        world = new_world(**spec)
        assert world.created == []
        assert condition(world, ConditionType.ACCEPTED) == (ConditionStatus.FALSE, reason)
        assert words in message(world, ConditionType.ACCEPTED)
        assert status(world).state is State.FAILED
        assert status(world).start_time is None

    def test_a_service_account_is_refused_until_it_is_allowed(self) -> None:
        world = World(Settings(allowed_service_accounts=frozenset()))
        world.apply(fine_tune(credentials=Credentials(service_account_name="trainer")))
        world.settle()
        assert world.created == []
        assert condition(world, ConditionType.ACCEPTED)[1] == Reason.SERVICE_ACCOUNT_NOT_ALLOWED
        assert status(world).state is State.FAILED
        events = [event for event in world.events if event.reason == Reason.SERVICE_ACCOUNT_NOT_ALLOWED]
        assert {event.type for event in events} == {"Warning"}
        world.settings = Settings(allowed_service_accounts=frozenset({"trainer"}))
        world.settle()
        assert status(world).state is State.BLENDING

    def test_a_mended_spec_runs(self) -> None:
        world = new_world(cluster=Cluster(gpu_type="b300"))
        edit(world, cluster=Cluster())
        assert status(world).state is State.BLENDING

    def test_an_unreadable_spec_is_refused_with_all_faults(self) -> None:
        world = World()
        key = world.apply(fine_tune())
        spec = world.objects[key.kind, key.namespace, key.name]["spec"]
        spec["blend"]["budget"]["epochs"] = -1
        spec["training"] = {"learningRte": 1}
        world.reconcile(key)
        found = world.objects[key.kind, key.namespace, key.name]["status"]
        accepted = next(item for item in found["conditions"] if item["type"] == "Accepted")
        assert accepted["reason"] == Reason.INVALID_SPEC
        assert "spec.blend.budget.epochs" in accepted["message"]
        assert "learningRte" in accepted["message"]

    def test_a_refused_edit_leaves_the_running_attempt_alone(self) -> None:
        world = blended()
        world.start(world.job("ads-train-1"))
        edit(world, cluster=Cluster(nodes=2, gpu_type="b300"))
        assert condition(world, ConditionType.ACCEPTED)[1] == Reason.UNKNOWN_GPU_TYPE
        world.fail(world.job("ads-train-1"), 1)
        world.settle()
        world.wait(60)
        assert train_jobs(world) == ["ads-train-1"]
        assert "b300" in message(world, ConditionType.TRAINING_SUCCEEDED)
        edit(world, cluster=Cluster(nodes=3))
        assert train_jobs(world) == ["ads-train-1", "ads-train-2"]


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
        kept = [job["metadata"]["name"] for job in world.jobs() if job["kind"] == Kind.PYTORCH_JOB]
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
        assert status(world).attempts[-1].cause.startswith("Disrupted: PyTorchJob ads-train-1 was removed")
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
        """However late the operator looks: it was away, or a pod was waited for."""
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

    def test_the_deadline_asks_for_a_wake_up(self) -> None:
        world = blended(cluster=Cluster(active_deadline_seconds=7))
        key = world.apply(world.fine_tune())
        world.start(world.job("ads-train-1"))
        world.settle()
        world.wait(2)
        delay = world.reconcile(key)
        assert delay is not None and delay.total_seconds() == 5


class TestSuspension:
    def test_suspend_stops_the_gang_and_resume_is_the_next_attempt(self) -> None:
        world = blended()
        world.start(world.job("ads-train-1"))
        world.settle()
        world.now = world.now.replace(minute=5)
        edit(world, suspend=True)
        assert status(world).state is State.SUSPENDED
        assert not any(job["kind"] == Kind.PYTORCH_JOB for job in world.jobs())
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

    def test_a_run_may_be_born_suspended(self) -> None:
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

    def test_an_evaluation_is_stopped_and_made_again(self) -> None:
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
        assert world.created[-1] == ("PyTorchJob", "ads-train-2")
        assert status(world).state is State.TRAINING

    def test_retry_makes_a_failed_evaluation_again(self) -> None:
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

    def test_retry_of_a_run_that_did_not_fail_is_only_noted(self) -> None:
        world = blended()
        edit(world, retry=3)
        assert status(world).retry == 3
        assert train_jobs(world) == ["ads-train-1"]


class TestAfterTheEnd:
    def test_children_go_when_their_time_is_up_and_nothing_runs_again(self) -> None:
        world = evaluated(ttl_seconds_after_finished=3600)
        world.wait(3599)
        assert world.jobs()
        world.wait(1)
        assert [obj["kind"] for obj in world if obj["kind"] != Kind.POD] == ["BlendedFineTune"]
        created, before = list(world.created), status(world)
        world.let_go()
        world.wait(10_000)
        assert world.created == created
        assert status(world) == before
        assert status(world).evaluation is not None

    def test_children_stay_without_a_time_to_live(self) -> None:
        world = evaluated()
        world.wait(10**8)
        assert len(world.jobs()) == 3

    def test_a_finished_stage_never_runs_again(self) -> None:
        world = blended()
        world.remove(world.job("ads-blend"))
        world.settle()
        world.wait(10_000)
        assert world.created.count(("Job", "ads-blend")) == 1

    def test_a_deleted_run_is_left_alone(self) -> None:
        world = new_world()
        run = world.objects[Kind.BLENDED_FINE_TUNE, "team", "ads"]
        run["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
        world.remove(world.job("ads-blend"))
        before = world.writes
        world.settle()
        assert world.writes == before


def grace_seconds(job: Object) -> int:
    template = job["spec"]["pytorchReplicaSpecs"]["Worker"]["template"]
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

    def test_the_next_attempts_have_time_for_the_slowest_checkpoint_heard_of(self) -> None:
        world = blended()
        assert grace_seconds(world.job("ads-train-1")) == 300
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
            assert grace_seconds(world.job(f"ads-train-{number + 1}")) == 281 + 60


class TestPinning:
    def test_an_upgrade_of_the_operator_changes_nothing_under_a_running_run(self) -> None:
        world = new_world()
        world.settings = replace(world.settings, trainer_image="new:2", eval_image="new-eval:2")
        world.succeed(world.job("ads-blend"), blend_result())
        world.settle()
        worker = world.job("ads-train-1")["spec"]["pytorchReplicaSpecs"]["Worker"]
        assert worker["template"]["spec"]["containers"][0]["image"] == "blendtune/trainer:latest"
        world.succeed(world.job("ads-train-1"), train_result())
        world.settle()
        container = world.job("ads-eval")["spec"]["template"]["spec"]["containers"][0]
        assert container["image"] == "blendtune/eval:latest"

    def test_an_edit_of_the_cluster_counts_from_the_next_attempt(self) -> None:
        world = blended()
        edit(world, cluster=Cluster(nodes=5))
        assert len(world.created) == 3
        world.fail(world.job("ads-train-1"), 1)
        world.settle()
        world.wait(10)
        assert world.created[3:] == [("ConfigMap", "ads-run-2"), ("PyTorchJob", "ads-train-2")]
        assert world.job("ads-train-2")["spec"]["pytorchReplicaSpecs"]["Worker"]["replicas"] == 5

    def test_an_edit_of_what_is_fixed_has_no_effect(self) -> None:
        world = blended()
        edit(world, training=Training(learning_rate=1.0))
        world.fail(world.job("ads-train-1"), 1)
        world.settle()
        world.wait(10)
        assert ("ConfigMap", "ads-run-2") not in world.created


@pytest.mark.parametrize("ending", ["Complete", "Failed"])
def test_the_pods_of_a_job_that_has_just_ended_are_given_time_to_show(ending: str) -> None:
    """A list of pods may be behind what their Job says: nothing is judged for want of a pod."""
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


def test_pods_that_never_show_are_not_waited_for_for_ever() -> None:
    world = new_world()
    now = timestamp(world.now)
    ended = {"type": "Complete", "status": "True", "lastTransitionTime": now}
    world.job("ads-blend")["status"] = {"conditions": [ended]}
    world.wait(10)
    world.wait(11)
    assert status(world).attempts[0].cause.startswith("ResultMissing")


def test_a_finished_training_shows_its_end() -> None:
    world = blended()
    world.succeed(world.job("ads-train-1"), train_result())
    world.settle()
    shown = status(world).trainer_status
    assert shown is not None
    assert (shown.progress_percentage, shown.estimated_remaining_seconds) == (100, 0)
    assert {metric.name: metric.value for metric in shown.metrics}["loss"] == "1.25"


def test_an_edited_pod_of_the_evaluation_counts_from_its_next_attempt() -> None:
    world = trained()
    world.fail(world.job("ads-eval"), 137, reason="OOMKilled")
    world.settle()
    before = world.rubric_eval().metadata.uid
    edit(world, cluster=Cluster(eval=StagePod(resources={"limits": {"memory": "64Gi"}})))
    world.settle()
    assert world.rubric_eval().metadata.uid != before
    container = world.job("ads-eval")["spec"]["template"]["spec"]["containers"][0]
    assert container["resources"]["limits"]["memory"] == "64Gi"
    assert condition(world, ConditionType.EVALUATION_SUCCEEDED)[1] == Reason.STARTING
