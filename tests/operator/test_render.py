"""The rendered children: what Kubernetes, the training operator and Pod Security ask of them."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from tests.operator.builders import fine_tune, rubric_eval

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
    Judge,
    JudgeKind,
    KeySelector,
    LocalObjectReference,
    Model,
    OpenAIJudge,
    Role,
    RubricEvalCluster,
    RubricReference,
    Source,
    StagePod,
    Storage,
    Tracker,
    Training,
    Validation,
)
from blendtune_operator import names, render
from blendtune_operator.names import Kind, Object, Run
from blendtune_operator.render.uris import training_workspace
from blendtune_operator.settings import Settings

SETTINGS = Settings()
SECRET = Credentials(secret_ref=LocalObjectReference(name="keys"), service_account_name="trainer")
OWN_RUBRIC = RubricReference(config_map_ref=KeySelector(name="questions", key="ads.yaml"))


def children(run: Run) -> dict[str, Object]:
    """The rendered children by kind; for Jobs by name."""
    rendered = render.children(run, SETTINGS)
    return {
        child["metadata"]["name"] if child["kind"] == Kind.JOB else child["kind"]: child for child in rendered
    }


def pod_spec(child: Object) -> Object:
    template = child["spec"].get("template") or child["spec"]["pytorchReplicaSpecs"]["Worker"]["template"]
    spec: Object = template["spec"]
    return spec


def pods(run: Run) -> list[Object]:
    return [
        pod_spec(child)
        for child in render.children(run, SETTINGS)
        if child["kind"] in (Kind.JOB, Kind.PYTORCH_JOB)
    ]


def env(container: Object) -> dict[str, Any]:
    return {item["name"]: item.get("value", item.get("valueFrom")) for item in container["env"]}


def mounts(container: Object) -> dict[str, bool]:
    return {mount["mountPath"]: mount.get("readOnly", False) for mount in container["volumeMounts"]}


def openai(judge: OpenAIJudge) -> Judge:
    return Judge(kind=JudgeKind.OPENAI, open_ai=judge)


class TestPyTorchJob:
    def test_it_is_a_gang_of_workers_that_never_restart(self) -> None:
        job = children(fine_tune(cluster=Cluster(nodes=4, gpus_per_node=8)))["PyTorchJob"]
        assert job["apiVersion"] == "kubeflow.org/v1"
        assert job["metadata"]["name"] == "ads-train-1"
        assert list(job["spec"]["pytorchReplicaSpecs"]) == ["Worker"]
        worker = job["spec"]["pytorchReplicaSpecs"]["Worker"]
        assert (worker["replicas"], worker["restartPolicy"]) == (4, "Never")
        assert job["spec"]["runPolicy"] == {"cleanPodPolicy": "Running"}

    def test_ranks_find_each_other(self) -> None:
        job = children(fine_tune(cluster=Cluster(nodes=4, gpus_per_node=8)))["PyTorchJob"]
        (container,) = pod_spec(job)["containers"]
        assert container["name"] == "pytorch"
        assert {"name": "pytorchjob-port", "containerPort": 23456} in container["ports"]
        found = env(container)
        assert found[Env.MASTER_ADDR] == "ads-train-1-worker-0"
        assert found[Env.MASTER_PORT] == "23456"
        assert (found[Env.NODES], found[Env.RANKS_PER_NODE]) == ("4", "8")
        assert found[Env.NODE_RANK] == {
            "fieldRef": {"fieldPath": "metadata.labels['training.kubeflow.org/replica-index']"}
        }

    def test_the_gpu_type_chooses_the_nodes(self) -> None:
        spec = pod_spec(children(fine_tune(cluster=Cluster(gpus_per_node=8)))["PyTorchJob"])
        assert spec["containers"][0]["resources"] == {"limits": {"nvidia.com/gpu": 8}}
        assert spec["nodeSelector"] == {"nvidia.com/gpu.product": "NVIDIA-A100-SXM4-80GB"}
        assert spec["tolerations"] == [
            {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}
        ]

    def test_on_cpu_nothing_is_asked_for(self) -> None:
        spec = pod_spec(children(fine_tune(cluster=Cluster(gpus_per_node=2, gpu_type="cpu")))["PyTorchJob"])
        assert "nodeSelector" not in spec and "tolerations" not in spec
        assert "resources" not in spec["containers"][0]
        assert env(spec["containers"][0])[Env.RANKS_PER_NODE] == "2"

    def test_it_has_shared_memory_and_time_for_a_checkpoint(self) -> None:
        spec = pod_spec(children(fine_tune())["PyTorchJob"])
        volumes = {volume["name"]: volume for volume in spec["volumes"]}
        assert volumes["shared-memory"]["emptyDir"] == {"medium": "Memory"}
        assert "/dev/shm" in mounts(spec["containers"][0])
        assert spec["terminationGracePeriodSeconds"] == 300
        assert env(spec["containers"][0])[Env.GRACE_SECONDS] == "300"

    def test_the_launcher_knows_the_grace_period_of_the_users_pod_template(self) -> None:
        template = {"spec": {"terminationGracePeriodSeconds": 900}}
        run = fine_tune(cluster=Cluster(train=StagePod(pod_template=template)))
        spec = pod_spec(children(run)["PyTorchJob"])
        assert spec["terminationGracePeriodSeconds"] == 900
        assert env(spec["containers"][0])[Env.GRACE_SECONDS] == "900"

    @pytest.mark.parametrize("queue", ["", "gpus"])
    def test_a_queue_labels_training_and_evaluation_only_and_suspend_is_never_written(
        self, queue: str
    ) -> None:
        found = children(fine_tune(cluster=Cluster(queue_name=queue)))
        labelled = [name for name, child in found.items() if names.QUEUE_NAME in child["metadata"]["labels"]]
        assert labelled == (["PyTorchJob"] if queue else [])
        assert found["RubricEval"]["spec"]["cluster"].get("queueName", "") == queue
        job = children(rubric_eval(cluster=RubricEvalCluster(queue_name=queue)))["ads-eval"]
        assert job["metadata"]["labels"].get(names.QUEUE_NAME, "") == queue
        jobs = [found["ads-blend"], found["PyTorchJob"], job]
        assert not any("suspend" in json.dumps(job["spec"]) for job in jobs)


class TestJobs:
    @pytest.mark.parametrize(("run", "name"), [(fine_tune(), "ads-blend"), (rubric_eval(), "ads-eval")])
    def test_a_job_is_one_attempt(self, run: Run, name: str) -> None:
        spec = children(run)[name]["spec"]
        assert spec["backoffLimit"] == 0
        fail, ignore = spec["podFailurePolicy"]["rules"]
        assert fail["action"] == "FailJob"
        assert fail["onExitCodes"] == {"operator": "In", "values": list(range(64, 79))}
        assert ignore == {
            "action": "Ignore",
            "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}],
        }
        assert pod_spec(children(run)[name])["restartPolicy"] == "Never"

    def test_blending_checks_the_rubric_first_and_holds_no_gpu(self) -> None:
        spec = pod_spec(children(fine_tune())["ads-blend"])
        (check,), (blend,) = spec["initContainers"], spec["containers"]
        assert check["command"] == ["python", "-m", "blendtune_eval", "check-rubric"]
        assert blend["command"] == ["python", "-m", "blendtune_trainer", "blend"]
        assert check["image"] == SETTINGS.eval_image and blend["image"] == SETTINGS.trainer_image
        assert "resources" not in blend and "nodeSelector" not in spec

    def test_the_evaluation_may_run_without_a_gpu(self) -> None:
        spec = pod_spec(children(rubric_eval(cluster=RubricEvalCluster(gpus=0)))["ads-eval"])
        assert "nodeSelector" not in spec and "resources" not in spec["containers"][0]
        spec = pod_spec(children(rubric_eval(cluster=RubricEvalCluster(gpus=2)))["ads-eval"])
        assert spec["containers"][0]["resources"] == {"limits": {"nvidia.com/gpu": 2}}

    @pytest.mark.parametrize(
        "run",
        [
            pytest.param(fine_tune(evaluation=Evaluation(rubric=OWN_RUBRIC)), id="fine-tune"),
            pytest.param(rubric_eval(rubric=OWN_RUBRIC), id="rubric-eval"),
        ],
    )
    def test_a_rubric_of_the_user_is_mounted(self, run: Run) -> None:
        spec = pods(run)[0]
        volume = next(volume for volume in spec["volumes"] if volume["name"] == "rubric")
        assert volume["configMap"] == {
            "name": "questions",
            "items": [{"key": "ads.yaml", "path": "rubric.yaml"}],
        }
        for container in [*spec.get("initContainers", []), *spec["containers"]]:
            assert env(container)[Env.RUBRIC] == "/etc/blendtune-rubric/rubric.yaml"
            assert mounts(container)["/etc/blendtune-rubric"] is True

    def test_the_key_of_a_judge_comes_from_its_secret(self) -> None:
        url, secret = "https://judge/v1", KeySelector(name="judge", key="token")
        with_key = OpenAIJudge(url=url, model="m", api_key_secret_ref=secret)
        (container,) = pods(rubric_eval(judge=openai(with_key)))[0]["containers"]
        assert env(container)[Env.JUDGE_API_KEY] == {"secretKeyRef": {"name": "judge", "key": "token"}}
        for judge in (Judge(), openai(OpenAIJudge(url=url, model="m"))):
            assert Env.JUDGE_API_KEY not in env(pods(rubric_eval(judge=judge))[0]["containers"][0])

    def test_no_other_pod_gets_the_key_of_a_judge(self) -> None:
        secret = KeySelector(name="judge", key="token")
        judge = openai(OpenAIJudge(url="https://judge/v1", model="m", api_key_secret_ref=secret))
        run = fine_tune(evaluation=Evaluation(judge=judge))
        assert not any("secretKeyRef" in json.dumps(spec) for spec in pods(run))
        assert children(run)["RubricEval"]["spec"]["judge"] == codec.encode(judge)

    def test_a_built_in_rubric_is_only_named(self) -> None:
        assert Env.RUBRIC not in env(pods(rubric_eval())[0]["containers"][0])


class TestEveryPod:
    @pytest.fixture(params=["blend", "train", "eval"])
    def spec(self, request: pytest.FixtureRequest) -> Object:
        run: Run = rubric_eval() if request.param == "eval" else fine_tune()
        return pods(run)[1 if request.param == "train" else 0]

    def test_it_meets_pod_security_restricted(self, spec: Object) -> None:
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in [*spec.get("initContainers", []), *spec["containers"]]:
            security = container["securityContext"]
            assert security["allowPrivilegeEscalation"] is False
            assert security["capabilities"] == {"drop": ["ALL"]}
            assert security["readOnlyRootFilesystem"] is True
        kinds = {key for volume in spec["volumes"] for key in volume if key != "name"}
        assert kinds <= {"configMap", "emptyDir", "persistentVolumeClaim"}

    def test_it_finds_its_configuration_workspace_and_a_writable_tmp(self, spec: Object) -> None:
        volumes = {volume["name"] for volume in spec["volumes"]}
        for container in [*spec.get("initContainers", []), *spec["containers"]]:
            found, places = env(container), mounts(container)
            assert found[Env.CONFIG] == "/etc/blendtune/config.json"
            assert found[Env.CLAIMS] == "/claims"
            assert places["/claims/blendtune"] is False
            assert places["/etc/blendtune"] is True
            assert places["/tmp"] is False and found["HOME"] == "/tmp"
            assert found[Env.TERMINATION_LOG] == container["terminationMessagePath"]
            assert {mount["name"] for mount in container["volumeMounts"]} <= volumes

    def test_it_gets_no_token_of_the_api_server(self, spec: Object) -> None:
        assert spec["automountServiceAccountToken"] is False


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
