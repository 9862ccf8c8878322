"""The rendered Jobs: what Kubernetes, the training operator and Pod Security ask of them."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from tests.operator.builders import fine_tune, rubric_eval, self_blend
from tests.operator.gangs import pods_of
from tests.operator.rendered import SETTINGS, children, env, mounts, openai, pod_spec, pods

from blendtune_api import codec
from blendtune_api.contract import Env
from blendtune_api.v1alpha1 import (
    BlendedFineTune,
    Cluster,
    Credentials,
    Evaluation,
    Judge,
    KeySelector,
    LocalObjectReference,
    OpenAIJudge,
    RehearsePod,
    RubricEvalCluster,
    RubricReference,
    StagePod,
)
from blendtune_operator import names, render
from blendtune_operator.names import ATTEMPT_KINDS, Object, Run
from blendtune_operator.settings import Settings

SECRET = Credentials(secret_ref=LocalObjectReference(name="keys"), service_account_name="trainer")
OWN_RUBRIC = RubricReference(config_map_ref=KeySelector(name="questions", key="ads.yaml"))


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
    def test_a_queue_labels_every_job_and_is_given_it_suspended(self, queue: str) -> None:
        found = children(fine_tune(cluster=Cluster(queue_name=queue)))
        labelled = [name for name, child in found.items() if names.QUEUE_NAME in child["metadata"]["labels"]]
        assert labelled == (["ads-blend", "PyTorchJob"] if queue else [])
        assert found["RubricEval"]["spec"]["cluster"].get("queueName", "") == queue
        job = children(rubric_eval(cluster=RubricEvalCluster(queue_name=queue)))["ads-eval"]
        assert job["metadata"]["labels"].get(names.QUEUE_NAME, "") == queue
        jobs = [found["ads-blend"], found["PyTorchJob"], job]
        suspended = [job["spec"].get("runPolicy", job["spec"]).get("suspend", False) for job in jobs]
        assert suspended == [bool(queue)] * 3


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

    def test_its_user_and_groups_are_those_of_the_images(self, spec: Object) -> None:
        security = spec["securityContext"]
        assert [security[key] for key in ("runAsUser", "runAsGroup", "fsGroup")] == [65532] * 3

    def test_it_gets_no_token_of_the_api_server(self, spec: Object) -> None:
        assert spec["automountServiceAccountToken"] is False


@pytest.mark.parametrize("run", [fine_tune(blend=self_blend()), rubric_eval()], ids=["run", "evaluation"])
class TestPlatforms:
    def test_user_and_groups_can_be_left_to_the_platform(self, run: Run) -> None:
        settings = Settings(platform_user=True)
        specs = [
            pod_spec(child) for child in render.children(run, settings) if child["kind"] in ATTEMPT_KINDS
        ]
        assert specs
        for spec in specs:
            assert not {"runAsUser", "runAsGroup", "fsGroup"} & set(spec["securityContext"])
            assert spec["securityContext"]["runAsNonRoot"] is True

    def test_no_pod_asks_for_a_sidecar_that_would_outlive_it(self, run: Run) -> None:
        for labels in pod_labels(run):
            assert labels["sidecar.istio.io/inject"] == "false"

    def test_a_pod_template_may_ask_for_one(self, run: Run) -> None:
        pod = StagePod(pod_template={"metadata": {"labels": {"sidecar.istio.io/inject": "true"}}})
        cluster = (
            Cluster(blend=pod, train=pod, eval=pod, rehearse=RehearsePod(pod_template=pod.pod_template))
            if isinstance(run, BlendedFineTune)
            else RubricEvalCluster(eval=pod)
        )
        asking = replace(run, spec=replace(run.spec, cluster=cluster))  # type: ignore[type-var, arg-type]
        assert {labels["sidecar.istio.io/inject"] for labels in pod_labels(asking)} == {"true"}


def pod_labels(run: Run) -> list[dict[str, str]]:
    children = [child for child in render.children(run, SETTINGS) if child["kind"] in ATTEMPT_KINDS]
    return [pods_of(child)[1]["metadata"]["labels"] for child in children]
