"""The model that an evaluation takes: in the status, in the eval Job and at the export target."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.operator.builders import eval_result, fine_tune, rubric_eval
from tests.operator.fine_tune_status import condition, status
from tests.operator.rendered import children, pod_spec
from tests.operator.scenarios import new_evaluation, trained
from tests.operator.world import World

from blendtune_api.contract import EvalResult
from blendtune_api.v1alpha1 import (
    Candidate,
    ConditionStatus,
    ConditionType,
    EvaluatedModel,
    Evaluation,
    Export,
    Gate,
    GateResult,
    Interpolation,
    InterpolationStatus,
    Lora,
    LoraExport,
    Method,
    Metric,
    ModelStatus,
    Reason,
    RubricEvalBaseline,
    State,
    TakenExport,
    Training,
)
from blendtune_operator.render.uris import training_workspace

GATE = Gate(metric=Metric.GENERAL, max_drop=0.1)
WEIGHTS = Interpolation(weights=(0.5, 0.7))
TAKEN = "pvc://blendtune/team/ads/interpolated/0.7/model"
CHOSEN = InterpolationStatus(
    weight=0.7,
    uri=TAKEN,
    digest="between-1",
    tuned_uri="pvc://blendtune/team/ads/model",
    tuned_digest="model-1",
    candidates=(
        Candidate(weight=0.7, gates=GateResult.PASSED),
        Candidate(weight=1.0, gates=GateResult.FAILED, not_passed="general maxDrop"),
    ),
)


def chosen(general: float = 0.0) -> EvalResult:
    return replace(eval_result(general=general), interpolation=CHOSEN)


def evaluated() -> World:
    world = trained(evaluation=Evaluation(gates=(GATE,), interpolation=WEIGHTS))
    world.succeed(world.job("ads-eval"), chosen())
    world.settle()
    return world


def test_the_status_names_the_model_that_was_taken() -> None:
    world = evaluated()
    found = status(world)
    assert found.state is State.SUCCEEDED
    assert found.model == ModelStatus(uri=TAKEN, digest="between-1")
    assert found.evaluation is not None and found.evaluation.interpolation == CHOSEN
    assert condition(world, ConditionType.GATES_PASSED) == (ConditionStatus.TRUE, Reason.GATES_PASSED)
    assert found.diagnosis is not None
    assert "Weight 0.7 passes all gates and is taken" in found.diagnosis.message


def test_until_then_it_is_the_tuned_model() -> None:
    world = trained(evaluation=Evaluation(gates=(GATE,), interpolation=WEIGHTS))
    model = status(world).model
    assert model is not None and model.digest == "model-1"


def test_an_edited_gate_is_judged_by_the_scores_of_the_model_that_was_taken() -> None:
    world = evaluated()
    run = world.fine_tune()
    stricter = replace(run.spec.evaluation, gates=(Gate(metric=Metric.GENERAL, min_score=0.9),))
    world.apply(replace(run, spec=replace(run.spec, evaluation=stricter)))
    world.settle()
    assert condition(world, ConditionType.GATES_PASSED) == (ConditionStatus.FALSE, Reason.GATES_FAILED)
    assert status(world).model == ModelStatus(uri=TAKEN, digest="between-1")


def test_an_evaluation_alone_keeps_its_choice() -> None:
    baseline = RubricEvalBaseline(model=EvaluatedModel(uri="hf://org/base"))
    world = new_evaluation(gates=(GATE,), interpolation=WEIGHTS, baseline=baseline)
    world.succeed(world.job("ads-eval"), chosen())
    world.settle()
    assert world.rubric_eval().status.interpolation == CHOSEN


@pytest.mark.parametrize(
    ("training", "content"),
    [
        pytest.param(Training(), LoraExport.MERGED, id="full"),
        pytest.param(
            Training(method=Method.LORA, lora=Lora(export=LoraExport.ADAPTER)),
            LoraExport.ADAPTER,
            id="adapter",
        ),
        pytest.param(Training(method=Method.LORA), LoraExport.MERGED, id="merged"),
        pytest.param(Training(lora=Lora(export=LoraExport.ADAPTER)), LoraExport.MERGED, id="no-lora"),
    ],
)
def test_the_evaluation_copies_what_it_takes(training: Training, content: LoraExport) -> None:
    evaluation = Evaluation(gates=(GATE,), interpolation=WEIGHTS)
    run = fine_tune(export=Export(uri="pvc://models/ads"), evaluation=evaluation, training=training)
    spec = children(run)["RubricEval"]["spec"]
    assert spec["export"] == {"uri": "pvc://models/ads", "content": content}


def test_without_a_choice_the_training_copies_its_model() -> None:
    run = fine_tune(export=Export(uri="pvc://models/ads"))
    assert "export" not in children(run)["RubricEval"]["spec"]


def test_the_eval_job_may_write_to_the_export_target() -> None:
    run = rubric_eval(export=TakenExport(uri="pvc://models/ads"), interpolation=WEIGHTS, gates=(GATE,))
    volumes = {
        volume["name"]: volume["persistentVolumeClaim"]
        for volume in pod_spec(children(run)["ads-eval"])["volumes"]
        if "persistentVolumeClaim" in volume
    }
    written = [claim for claim in volumes.values() if claim["claimName"] == "models"]
    assert written and not written[0].get("readOnly", False)


@pytest.mark.parametrize(
    ("uri", "folder"),
    [
        ("pvc://blendtune/team/ads/model", "team/ads"),
        ("pvc://blendtune/team/ads/interpolated/0.7/model", "team/ads"),
        ("pvc://blendtune/interpolated/ads/model", "interpolated/ads"),
    ],
)
def test_a_model_between_two_is_of_the_run_that_trained_one(uri: str, folder: str) -> None:
    found = training_workspace(uri)
    assert found is not None and found.path == folder
