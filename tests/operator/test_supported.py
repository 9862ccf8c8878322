from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.operator.builders import fine_tune, rubric_eval

from blendtune_api.v1alpha1 import (
    Blend,
    BlendedFineTune,
    Budget,
    Cluster,
    Credentials,
    Engine,
    EvaluatedEpoch,
    EvaluatedModel,
    Evaluation,
    EvaluationCluster,
    Export,
    Judge,
    JudgeKind,
    Kernels,
    Model,
    OpenAIJudge,
    Reason,
    Role,
    RubricEval,
    RubricEvalBaseline,
    RubricEvalCluster,
    Source,
    StagePod,
    Training,
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
            [],
            id="all at once",
        ),
        pytest.param(
            {"model": Model(uri="pvc://models/../../etc"), "export": Export(uri="s3://models/a..b")},
            ["spec.model.uri"],
            id="a path that climbs",
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
            {"evaluation": Evaluation(engine=Engine.VLLM, cluster=EvaluationCluster(gpu_type="cpu"))},
            ["spec.evaluation.engine"],
            id="vllm on a CPU",
        ),
        pytest.param({"evaluation": Evaluation(engine=Engine.VLLM)}, [], id="vllm on a GPU"),
        pytest.param(
            {"training": Training(kernels=Kernels.LIGER), "cluster": Cluster(nodes=1, gpu_type="cpu")},
            ["spec.training.kernels"],
            id="liger on a CPU",
        ),
        pytest.param({"training": Training(kernels=Kernels.LIGER)}, [], id="liger on a GPU"),
        pytest.param(
            {"training": Training(kernels=Kernels.AUTO), "cluster": Cluster(nodes=1, gpu_type="cpu")},
            [],
            id="kernels where they can be",
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
        pytest.param({"benchmarks": ("mmlu",)}, [], id="benchmarks"),
        pytest.param({"judge": OPEN_AI}, [], id="judge"),
        pytest.param(
            {"engine": Engine.VLLM, "cluster": RubricEvalCluster(gpus=0)},
            ["spec.engine"],
            id="vllm without GPU",
        ),
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
        pytest.param(
            {
                "epochs": (
                    EvaluatedEpoch(epoch=1, uri="file:///m"),
                    EvaluatedEpoch(epoch=2, uri="pvc://a/../b"),
                )
            },
            ["spec.epochs[0].uri", "spec.epochs[1].uri"],
            id="earlier epochs",
        ),
        pytest.param(
            {"judge": OPEN_AI, "epochs": (EvaluatedEpoch(epoch=1, uri="pvc://models/gpt"),)},
            ["spec.judge.openAI.model"],
            id="a judge of an earlier self",
        ),
    ],
)
def test_a_rubric_eval_is_refused_by_field(spec: dict[str, Any], paths: list[str]) -> None:
    assert [refusal.fault.path for refusal in refusals(rubric_eval(**spec), Settings())] == paths


_IN_TEMPLATE = StagePod(pod_template={"spec": {"serviceAccountName": "root", "serviceAccount": "root"}})


@pytest.mark.parametrize(
    ("run", "allowed", "paths"),
    [
        pytest.param(
            fine_tune(credentials=Credentials(service_account_name="trainer")), {"trainer"}, [], id="allowed"
        ),
        pytest.param(
            fine_tune(credentials=Credentials(service_account_name="root")),
            {"trainer"},
            ["spec.credentials.serviceAccountName"],
            id="credentials",
        ),
        pytest.param(fine_tune(), set(), [], id="none named, none allowed"),
        pytest.param(
            fine_tune(cluster=Cluster(blend=_IN_TEMPLATE, train=_IN_TEMPLATE, eval=_IN_TEMPLATE)),
            set(),
            [
                f"spec.cluster.{stage}.podTemplate.spec.{key}"
                for stage in ("eval", "blend", "train")
                for key in ("serviceAccountName", "serviceAccount")
            ],
            id="templates of a fine-tune",
        ),
        pytest.param(
            rubric_eval(cluster=RubricEvalCluster(eval=_IN_TEMPLATE)),
            {"trainer"},
            [
                "spec.cluster.eval.podTemplate.spec.serviceAccountName",
                "spec.cluster.eval.podTemplate.spec.serviceAccount",
            ],
            id="template of an evaluation",
        ),
        pytest.param(
            fine_tune(cluster=Cluster(train=StagePod(pod_template={"spec": None}))),
            set(),
            [],
            id="a template without a spec",
        ),
    ],
)
def test_a_service_account_that_is_not_allowed_is_refused(
    run: BlendedFineTune | RubricEval, allowed: set[str], paths: list[str]
) -> None:
    found = refusals(run, Settings(allowed_service_accounts=frozenset(allowed)))
    assert [refusal.fault.path for refusal in found] == paths
    assert {refusal.reason for refusal in found} <= {Reason.SERVICE_ACCOUNT_NOT_ALLOWED}
    assert not refusals(run, Settings())
