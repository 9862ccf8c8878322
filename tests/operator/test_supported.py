from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.operator.builders import fine_tune, rubric_eval

from blendtune_api.v1alpha1 import (
    Blend,
    Budget,
    EvaluatedModel,
    Evaluation,
    EvaluationCluster,
    Export,
    Judge,
    JudgeKind,
    Model,
    OpenAIJudge,
    Role,
    RubricEvalBaseline,
    RubricEvalCluster,
    Source,
    Validation,
)
from blendtune_operator.plan.supported import refusals
from blendtune_operator.settings import Settings

OPEN_AI = Judge(kind=JudgeKind.OPENAI, open_ai=OpenAIJudge(url="https://judge", model="gpt"))
LOCAL_BLEND = Blend(
    budget=Budget(epochs=1),
    sources=(Source(name="ads", role=Role.IN_DOMAIN, uri="file:///ads.jsonl", weight=1),),
    validation=Validation(uri="file:///validation.jsonl"),
)


@pytest.mark.parametrize(
    ("spec", "paths"),
    [
        pytest.param({}, [], id="plain"),
        pytest.param(
            {"evaluation": Evaluation(every_epoch=True, benchmarks=("mmlu",), judge=OPEN_AI)},
            ["spec.evaluation.everyEpoch", "spec.evaluation.benchmarks"],
            id="all at once",
        ),
        pytest.param(
            {"model": Model(uri="hf://org/GPT@main"), "evaluation": Evaluation(judge=OPEN_AI)},
            ["spec.evaluation.judge.openAI.model"],
            id="a judge of itself",
        ),
        pytest.param(
            {"evaluation": Evaluation(cluster=EvaluationCluster(gpu_type="b300"))},
            ["spec.evaluation.cluster.gpuType"],
            id="gpu type of the evaluation",
        ),
        pytest.param(
            {
                "model": Model(uri="file:///model"),
                "blend": LOCAL_BLEND,
                "export": Export(uri="file:///out"),
            },
            [
                "spec.model.uri",
                "spec.blend.sources[0].uri",
                "spec.blend.validation.uri",
                "spec.export.uri",
            ],
            id="file URIs",
        ),
    ],
)
def test_a_fine_tune_is_refused_by_field(spec: dict[str, Any], paths: list[str]) -> None:
    assert [refusal.fault.path for refusal in refusals(fine_tune(**spec), Settings())] == paths


def test_local_mode_reads_files() -> None:
    assert not refusals(fine_tune(blend=LOCAL_BLEND), replace(Settings(), allow_file_uris=True))


@pytest.mark.parametrize(
    ("spec", "paths"),
    [
        pytest.param({}, [], id="plain"),
        pytest.param({"benchmarks": ("mmlu",)}, ["spec.benchmarks"], id="benchmarks"),
        pytest.param({"judge": OPEN_AI}, [], id="judge"),
        pytest.param(
            {"judge": OPEN_AI, "baseline": RubricEvalBaseline(model=EvaluatedModel(uri="pvc://models/gpt"))},
            ["spec.judge.openAI.model"],
            id="a judge of itself",
        ),
        pytest.param({"cluster": RubricEvalCluster(gpu_type="?")}, ["spec.cluster.gpuType"], id="gpu type"),
        pytest.param(
            {
                "model": EvaluatedModel(uri="file:///m"),
                "baseline": RubricEvalBaseline(model=EvaluatedModel(uri="file:///b")),
            },
            ["spec.model.uri", "spec.baseline.model.uri"],
            id="file URIs",
        ),
    ],
)
def test_a_rubric_eval_is_refused_by_field(spec: dict[str, Any], paths: list[str]) -> None:
    assert [refusal.fault.path for refusal in refusals(rubric_eval(**spec), Settings())] == paths
