"""The rendered children: what of the spec reaches them, and what they say of themselves."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import yaml
from tests.operator.builders import fine_tune, rubric_eval
from tests.operator.rendered import SETTINGS, children, env, mounts, pods

from blendtune_api import codec
from blendtune_api.contract import CONFIG_FILE, Env, EvalConfig, RunConfig
from blendtune_api.v1alpha1 import (
    Blend,
    BlendedFineTune,
    Budget,
    Cluster,
    Credentials,
    EvaluatedModel,
    Evaluation,
    EvaluationBaseline,
    EvaluationCluster,
    Export,
    KeySelector,
    LocalObjectReference,
    Model,
    Role,
    RubricReference,
    Source,
    StagePod,
    Storage,
    Thinking,
    Tracker,
    Training,
    Validation,
)
from blendtune_operator import names, render
from blendtune_operator.names import Run
from blendtune_operator.render.uris import training_workspace

SECRET = Credentials(secret_ref=LocalObjectReference(name="keys"), service_account_name="trainer")
OWN_RUBRIC = RubricReference(config_map_ref=KeySelector(name="questions", key="ads.yaml"))


class TestClaims:
    def test_data_is_mounted_read_only_where_it_is_read(self) -> None:
        blend = Blend(
            budget=Budget(epochs=1),
            sources=(Source(name="ads", role=Role.IN_DOMAIN, uri="pvc://datasets/ads.jsonl", weight=1),),
            validation=Validation(uri="pvc://held-out/rows.jsonl"),
        )
        run = fine_tune(
            model=Model(uri="pvc://models/base"), blend=blend, export=Export(uri="pvc://exports/ads")
        )
        blending, training = (mounts(spec["containers"][0]) for spec in pods(run))
        claims = {path: read_only for path, read_only in blending.items() if path.startswith("/claims")}
        assert claims == {
            "/claims/blendtune": False,
            "/claims/datasets": True,
            "/claims/exports": False,
            "/claims/held-out": True,
            "/claims/models": True,
        }
        claims = {path: read_only for path, read_only in training.items() if path.startswith("/claims")}
        assert claims == {"/claims/blendtune": False, "/claims/exports": False, "/claims/models": True}

    def test_data_within_the_workspace_claim_does_not_make_it_read_only(self) -> None:
        run = fine_tune(model=Model(uri="pvc://blendtune/models/base"))
        assert mounts(pods(run)[0]["containers"][0])["/claims/blendtune"] is False

    @pytest.mark.parametrize(
        ("run", "with_secret"),
        [
            pytest.param(fine_tune(credentials=SECRET), [True, False], id="remote model and data"),
            pytest.param(
                fine_tune(credentials=SECRET, export=Export(uri="s3://models/ads")), [True, True], id="export"
            ),
            pytest.param(
                fine_tune(credentials=SECRET, training=Training(tracking=(Tracker.MLFLOW,))),
                [True, True],
                id="tracking server",
            ),
            pytest.param(
                fine_tune(credentials=SECRET, training=Training(tracking=(Tracker.TENSORBOARD,))),
                [True, False],
                id="tracking in the workspace",
            ),
            pytest.param(rubric_eval(credentials=SECRET), [False], id="model in a claim"),
            pytest.param(
                rubric_eval(credentials=SECRET, model=EvaluatedModel(uri="hf://a/b")),
                [True],
                id="remote model",
            ),
        ],
    )
    def test_credentials_go_where_they_are_needed(self, run: Run, with_secret: list[bool]) -> None:
        found = pods(run)
        assert ["envFrom" in spec["containers"][0] for spec in found] == with_secret
        assert {spec["serviceAccountName"] for spec in found} == {"trainer"}

    @pytest.mark.parametrize(
        ("uri", "expected"),
        [
            ("pvc://blendtune/team/ads/model", Storage(persistent_volume_claim="blendtune", path="team/ads")),
            ("pvc://blendtune/model", None),
            ("pvc://blendtune/team/ads/checkpoint", None),
            ("hf://org/model", None),
        ],
    )
    def test_the_workspace_of_a_training_is_known_by_its_model(
        self, uri: str, expected: Storage | None
    ) -> None:
        assert training_workspace(uri) == expected


class TestUserOverrides:
    def test_image_resources_and_template_win(self) -> None:
        pod = StagePod(
            image="mine:1",
            resources={"requests": {"memory": "200Gi"}, "limits": {"nvidia.com/gpu": 4}},
            pod_template={
                "metadata": {"labels": {"team": "ads", names.OWNER_UID: "stolen"}, "annotations": {"a": "b"}},
                "spec": {
                    "priorityClassName": "high",
                    "nodeSelector": {"zone": "a"},
                    "containers": [
                        {"name": "pytorch", "env": [{"name": "NCCL_DEBUG", "value": "INFO"}]},
                        {"name": "sidecar", "image": "sidecar:1"},
                    ],
                },
            },
        )
        job = children(fine_tune(cluster=Cluster(gpus_per_node=8, train=pod)))["PyTorchJob"]
        template = job["spec"]["pytorchReplicaSpecs"]["Worker"]["template"]
        container, sidecar = template["spec"]["containers"]
        assert container["image"] == "mine:1"
        assert container["resources"] == {"limits": {"nvidia.com/gpu": 4}, "requests": {"memory": "200Gi"}}
        assert env(container)["NCCL_DEBUG"] == "INFO" and Env.CONFIG in env(container)
        assert sidecar["name"] == "sidecar"
        assert template["spec"]["priorityClassName"] == "high"
        assert template["spec"]["nodeSelector"]["zone"] == "a"
        assert "nvidia.com/gpu.product" in template["spec"]["nodeSelector"]
        assert template["metadata"]["labels"]["team"] == "ads"
        assert template["metadata"]["labels"][names.OWNER_UID] == "uid-1"
        assert template["metadata"]["annotations"] == {"a": "b"}


class TestMetadata:
    @pytest.mark.parametrize("run", [fine_tune(), rubric_eval()], ids=["fine-tune", "rubric-eval"])
    def test_children_are_owned_and_labelled(self, run: Run) -> None:
        for child in render.children(run, SETTINGS):
            metadata = child["metadata"]
            (owner,) = metadata["ownerReferences"]
            assert (owner["kind"], owner["uid"], owner["controller"]) == (type(run).__name__, "uid-1", True)
            assert owner["blockOwnerDeletion"] is True
            assert metadata["namespace"] == "team"
            assert metadata["labels"]["app.kubernetes.io/instance"] == "ads"
            assert metadata["labels"][names.OWNER_UID] == "uid-1"

    def test_objects_can_be_shown_as_yaml_without_aliases(self) -> None:
        for child in (*render.children(fine_tune(), SETTINGS), *render.children(rubric_eval(), SETTINGS)):
            assert yaml.safe_load(yaml.safe_dump(child)) == child
            assert "&id" not in yaml.safe_dump(child)


class TestPinnedConfiguration:
    def test_a_run_reads_back_what_was_pinned(self) -> None:
        run = fine_tune()
        config_map = children(run)["ConfigMap"]
        assert config_map["immutable"] is True
        config = codec.decode(RunConfig, json.loads(config_map["data"][CONFIG_FILE]))
        assert (config.spec, config.gpu.name, config.name) == (run.spec, "a100-80gb", "ads")
        assert config.images["train"] == SETTINGS.trainer_image

    def test_an_evaluation_reads_back_what_was_pinned(self) -> None:
        run = rubric_eval(model=EvaluatedModel(uri="pvc://blendtune/team/ads/model"))
        config_map = children(run)["ConfigMap"]
        config = codec.decode(EvalConfig, json.loads(config_map["data"][CONFIG_FILE]))
        assert config.spec == run.spec
        assert config.training_workspace == Storage(persistent_volume_claim="blendtune", path="team/ads")


class TestRubricEval:
    def test_it_carries_the_evaluation_of_the_run(self) -> None:
        evaluation = Evaluation(
            rubric=OWN_RUBRIC,
            baseline=EvaluationBaseline(system_prompt="Be brief."),
            cluster=EvaluationCluster(gpus=2, gpu_type="h100-80gb"),
        )
        run = fine_tune(evaluation=evaluation, model=Model(uri="pvc://models/base", revision="v1"))
        child = children(run)["RubricEval"]
        decoded = codec.decode_object({**child, "metadata": {"name": "ads", "namespace": "team"}})
        assert not isinstance(decoded, BlendedFineTune)
        spec = decoded.spec
        assert spec.model.uri == "pvc://blendtune/team/ads/model"
        assert spec.storage == Storage(persistent_volume_claim="blendtune", path="team/ads")
        assert spec.baseline.model is not None
        assert (spec.baseline.model.uri, spec.baseline.model.revision) == ("pvc://models/base", "v1")
        assert spec.baseline.system_prompt == "Be brief."
        assert spec.rubric == OWN_RUBRIC
        assert (spec.cluster.gpus, spec.cluster.gpu_type, spec.cluster.backoff_limit) == (2, "h100-80gb", 2)

    def test_a_baseline_can_be_left_out(self) -> None:
        run = fine_tune(evaluation=Evaluation(baseline=EvaluationBaseline(enabled=False)))
        assert "model" not in children(run)["RubricEval"]["spec"].get("baseline", {})


def test_a_run_is_rendered_with_the_day_on_which_it_was_created() -> None:
    for run in (fine_tune(), rubric_eval()):
        metadata = replace(run.metadata, creation_timestamp="2026-05-06T23:59:58Z")
        objects = render.children(replace(run, metadata=metadata), SETTINGS)
        (config,) = (each for each in objects if "data" in each)
        assert json.loads(config["data"][CONFIG_FILE])["date"] == "2026-05-06"


def test_the_evaluation_of_a_run_is_told_its_mode_of_thinking() -> None:
    run = fine_tune(model=Model(uri="pvc://models/base", thinking=Thinking.ON))
    (evaluation,) = (each for each in render.children(run, SETTINGS) if each["kind"] == "RubricEval")
    assert evaluation["spec"]["thinking"] == "on"
