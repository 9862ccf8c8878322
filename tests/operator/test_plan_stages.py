"""A BlendedFineTune from its creation to its end: which children are created, and what its status says."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.operator.builders import GATES, blend_result, train_result
from tests.operator.fine_tune_status import condition, message, status, train_jobs
from tests.operator.scenarios import blended, edit, evaluated, new_world, trained, training

from blendtune_api.v1alpha1 import (
    BadRowReason,
    BadRows,
    Cluster,
    ConditionStatus,
    ConditionType,
    DiagnosisVerdict,
    EpochModel,
    EvaluatedEpoch,
    Evaluation,
    Gate,
    Metric,
    Reason,
    StagePod,
    State,
    Training,
)
from blendtune_operator.names import Kind

GATED = Evaluation(gates=GATES)


class TestStages:
    def test_a_new_run_pins_its_configuration_then_blends(self) -> None:
        world = new_world()
        assert world.created == [("ConfigMap", "ads-run"), ("Job", "ads-blend")]
        assert status(world).state is State.BLENDING
        assert status(world).start_time == "2026-01-01T00:00:00Z"
        assert {item.type for item in status(world).conditions} == set(ConditionType) - {
            ConditionType.RECOMMENDED,
            ConditionType.DATA_REHEARSED,
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

    def test_bad_rows_that_were_dropped_are_told_by_reason(self) -> None:
        world = new_world()
        dropped = (BadRows(reason=BadRowReason.EMPTY_CONTENT, rows=28, first="ads.jsonl:7"),)
        world.succeed(world.job("ads-blend"), blend_result(bad_rows=dropped))
        world.settle()
        found = status(world).blend
        assert found is not None and found.bad_rows == dropped
        said = message(world, ConditionType.DATA_BLENDED)
        assert said.endswith("40 steps; bad rows dropped: 28 EmptyContent (first ads.jsonl:7)")

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
