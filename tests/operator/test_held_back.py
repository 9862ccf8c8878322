"""What holds a run back is said with its name and what to do: queues, rubrics, volumes, sidecars, nodes."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tests.operator.builders import blend_result, fine_tune, rubric_eval
from tests.operator.scenarios import blended, edit, evaluated, new_world, training
from tests.operator.world import World

from blendtune_api.v1alpha1 import (
    Cluster,
    ConditionType,
    Evaluation,
    KeySelector,
    Reason,
    RubricEvalCluster,
    RubricReference,
    State,
)
from blendtune_operator.conditions import find, timestamp
from blendtune_operator.names import QUEUE_NAME, Kind, Object

QUEUED = Cluster(nodes=2, queue_name="gpus")


def told(world: World, type: ConditionType) -> tuple[str, str]:
    found = find(world.fine_tune().status.conditions, type)
    assert found is not None
    return found.reason, found.message


def workload(active: bool = True, **conditions: tuple[str, str, str]) -> Object:
    listed = [
        {"type": type, "status": status, "reason": reason, "message": message}
        for type, (status, reason, message) in conditions.items()
    ]
    return {
        "metadata": {"name": "job-ads-blend-1"},
        "spec": {"active": active},
        "status": {"conditions": listed},
    }


def queued_world() -> tuple[World, Object]:
    world = new_world(cluster=QUEUED)
    return world, world.job("ads-blend")


class TestQueues:
    def test_the_blend_job_is_given_to_the_queue_and_waits_for_it(self) -> None:
        world, job = queued_world()
        assert job["metadata"]["labels"][QUEUE_NAME] == "gpus"
        assert job["spec"]["suspend"] is True
        reason, message = told(world, ConditionType.DATA_BLENDED)
        assert reason == Reason.QUEUED and "queue gpus" in message
        assert world.fine_tune().status.state is State.QUEUED

    def test_without_a_queue_nothing_is_suspended(self) -> None:
        world = new_world()
        assert "suspend" not in world.job("ads-blend")["spec"]
        world.succeed(world.job("ads-blend"), blend_result())
        world.settle()
        assert "suspend" not in world.job("ads-train-1")["spec"]["runPolicy"]

    def test_the_evaluation_of_a_run_is_given_to_the_queue(self) -> None:
        world = World()
        world.apply(rubric_eval(cluster=RubricEvalCluster(queue_name="gpus")))
        world.settle()
        assert world.job("ads-eval")["spec"]["suspend"] is True

    def test_a_cluster_without_kueue(self) -> None:
        world = World()
        world.unserved = {Kind.WORKLOAD}
        world.apply(fine_tune(cluster=QUEUED))
        world.settle()
        reason, message = told(world, ConditionType.DATA_BLENDED)
        assert reason == Reason.QUEUED
        assert "waits for Kueue, and the API server knows no Workload" in message

    def test_a_kueue_that_does_not_know_the_kind(self) -> None:
        world, _ = queued_world()
        assert "no Workload" not in told(world, ConditionType.DATA_BLENDED)[1]
        world.wait(61)
        assert (
            "Kueue has made no Workload for Job ads-blend: is Job among the integrations"
            in told(world, ConditionType.DATA_BLENDED)[1]
        )

    @pytest.mark.parametrize(
        ("state", "words"),
        [
            pytest.param(
                workload(QuotaReserved=("False", "Pending", "couldn't assign flavors: insufficient quota")),
                "for room: Pending: couldn't assign flavors: insufficient quota",
                id="over quota",
            ),
            pytest.param(
                workload(
                    active=False, Evicted=("True", "Deactivated", "exceeded the maximum number of re-queuing")
                ),
                "given up and deactivated Workload job-ads-blend-1 (Deactivated: exceeded the maximum",
                id="deactivated",
            ),
            pytest.param(workload(active=False), "deactivated Workload job-ads-blend-1: once", id="by hand"),
            pytest.param(
                workload(
                    Evicted=("True", "Preempted", "to accommodate a workload"),
                    QuotaReserved=("False", "Pending", "insufficient quota"),
                ),
                "for room: Preempted: to accommodate a workload; Pending: insufficient quota",
                id="preempted",
            ),
            pytest.param(
                workload(
                    Evicted=("False", "QuotaReserved", "Previously: Preempted"),
                    QuotaReserved=("False", "Pending", "insufficient quota"),
                ),
                "for room: Pending: insufficient quota",
                id="preempted before",
            ),
            pytest.param(
                workload(QuotaReserved=("True", "QuotaReserved", "x")), "in queue gpus for room", id="soon"
            ),
            pytest.param({"metadata": {"name": "w"}}, "in queue gpus for room", id="just made"),
        ],
    )
    def test_the_message_has_the_words_of_kueue(self, state: Object, words: str) -> None:
        world, job = queued_world()
        world.workloads[job["metadata"]["uid"]] = state
        world.settle()
        assert words in told(world, ConditionType.DATA_BLENDED)[1]

    def test_what_kueue_says_later_is_heard_within_a_minute_and_costs_no_write_before(self) -> None:
        world, job = queued_world()
        key = world.apply(world.fine_tune())
        writes = world.writes
        after = world.reconcile(key)
        assert after is not None and after <= timedelta(minutes=1)
        assert world.writes == writes
        world.workloads[job["metadata"]["uid"]] = workload(active=False)
        world.reconcile(key)
        assert "deactivated" in told(world, ConditionType.DATA_BLENDED)[1]
        world.start(job)
        world.settle()
        assert told(world, ConditionType.DATA_BLENDED)[0] == Reason.RUNNING


REFERENCE = KeySelector(name="my-rubric", key="rubric.yaml")


class TestRubrics:
    def run(self) -> World:
        world = World()
        evaluation = Evaluation(rubric=RubricReference(config_map_ref=REFERENCE))
        world.apply(fine_tune(evaluation=evaluation))
        world.settle()
        world.start(world.job("ads-blend"), "Pending")
        world.settle()
        return world

    @pytest.mark.parametrize(
        ("data", "words"),
        [
            pytest.param(None, "ConfigMap my-rubric of the rubric is not there: create it", id="not there"),
            pytest.param({}, "ConfigMap my-rubric of the rubric has no key rubric.yaml: add it", id="no key"),
            pytest.param({"other": "x"}, "has no key rubric.yaml", id="another key"),
        ],
    )
    def test_one_that_is_not_there_is_named_until_it_is(
        self, data: dict[str, str] | None, words: str
    ) -> None:
        world = self.run()
        metadata: Any = {"name": "my-rubric", "namespace": "team"}
        config_map: Object = {"apiVersion": "v1", "kind": Kind.CONFIG_MAP.value, "metadata": metadata}
        if data is not None:
            config_map = world.put({**config_map, "data": data})
        key = world.apply(world.fine_tune())
        after = world.reconcile(key)
        assert after is not None and after <= timedelta(minutes=1)
        assert words in told(world, ConditionType.DATA_BLENDED)[1]
        config_map["data"] = {"rubric.yaml": "x"}
        world.put(config_map)
        world.settle()
        assert told(world, ConditionType.DATA_BLENDED)[1] == "attempt 1 is starting"
        world.start(world.job("ads-blend"))
        world.settle()
        assert told(world, ConditionType.DATA_BLENDED)[0] == Reason.RUNNING

    def test_one_that_goes_while_the_blend_runs_is_no_matter(self) -> None:
        world = self.run()
        world.start(world.job("ads-blend"))
        world.settle()
        assert told(world, ConditionType.DATA_BLENDED) == (Reason.RUNNING, "attempt 1 is running")


SCHEDULED = [{"type": "PodScheduled", "status": "True"}]


def test_a_pod_that_creates_no_container_says_where_to_look_after_a_minute() -> None:
    world = new_world()
    world.start(world.job("ads-blend"), "Pending", conditions=SCHEDULED)
    world.settle()
    assert told(world, ConditionType.DATA_BLENDED)[1] == "attempt 1 is starting"
    world.wait(61)
    message = told(world, ConditionType.DATA_BLENDED)[1]
    assert "pod ads-blend-worker-0 runs no container yet" in message
    assert "`kubectl describe pod ads-blend-worker-0` may" in message


@pytest.mark.parametrize(
    "reason",
    [
        "SignatureValidationFailed",
        "RegistryUnavailable",
        "ImageInspectError",
        "ErrImagePull",
        "ImagePullBackOff",
        "InvalidImageName",
        "ErrImageNeverPull",
    ],
)
def test_every_reason_for_which_there_is_no_image_is_told_with_the_kubelets_words(reason: str) -> None:
    world = new_world()
    waiting = {
        "name": "blend",
        "image": "img",
        "state": {"waiting": {"reason": reason, "message": "its words"}},
    }
    world.start(world.job("ads-blend"), "Pending", containerStatuses=[waiting])
    world.settle()
    found, message = told(world, ConditionType.DATA_BLENDED)
    assert found == Reason.IMAGE_PULL_FAILED
    assert f"cannot pull image img ({reason}: its words): " in message


def test_a_sidecar_that_outlives_the_training_is_told() -> None:
    world = training()
    for pod in world.pods(world.job("ads-train-1")):
        ended = {
            "name": "pytorch",
            "state": {"terminated": {"exitCode": 0, "finishedAt": timestamp(world.now)}},
        }
        beside = {"name": "istio-proxy", "state": {"running": {"startedAt": timestamp(world.now)}}}
        pod["status"]["containerStatuses"] = [ended, beside]
    world.settle()
    reason, message = told(world, ConditionType.TRAINING_SUCCEEDED)
    assert reason == Reason.RUNNING
    assert "container istio-proxy of pod ads-train-1-worker-0 still runs though pytorch has ended" in message
    assert "podTemplate" in message


def test_a_sidecar_beside_a_training_that_runs_is_not_told() -> None:
    world = training()
    for pod in world.pods(world.job("ads-train-1")):
        beside = {"name": "istio-proxy", "state": {"running": {"startedAt": timestamp(world.now)}}}
        pod["status"]["containerStatuses"].append(beside)
    world.settle()
    assert told(world, ConditionType.TRAINING_SUCCEEDED)[1] == "attempt 1 is running"


class TestNodes:
    def terminating(self, world: World, **metadata: object) -> Object:
        pod = world.pods(world.job("ads-train-1"))[1]
        pod["spec"] = {**pod["spec"], "nodeName": "node-7"}
        pod["metadata"] |= {
            "deletionTimestamp": timestamp(world.now),
            "deletionGracePeriodSeconds": 30,
            **metadata,
        }
        return pod

    def test_a_pod_on_a_node_that_is_gone_is_told_with_what_frees_it(self) -> None:
        world = training()
        self.terminating(world)
        world.wait(1)
        message = told(world, ConditionType.TRAINING_SUCCEEDED)[1]
        assert "pod ads-train-1-worker-1 on node node-7 should have ended" in message
        assert "`kubectl delete node node-7` frees it" in message

    def test_one_that_a_finalizer_holds_is_told_with_it(self) -> None:
        world = training()
        self.terminating(world, finalizers=["x.test/hold"])
        world.wait(1)
        assert "held by finalizer x.test/hold" in told(world, ConditionType.TRAINING_SUCCEEDED)[1]

    def test_one_within_its_grace_is_left_alone(self) -> None:
        world = training()
        pod = self.terminating(world)
        pod["metadata"]["deletionTimestamp"] = timestamp(world.now + timedelta(seconds=30))
        world.wait(1)
        assert told(world, ConditionType.TRAINING_SUCCEEDED)[1] == "attempt 1 is running"

    def test_the_next_attempt_says_what_it_waits_for(self) -> None:
        world = training()
        held = self.terminating(world)
        job = world.job("ads-train-1")
        world.end_pod(world.pods(job)[0], 1, "", "Error")
        job["status"] = {"conditions": [{"type": "Failed", "status": "True", "reason": "Failed"}]}
        world.wait(60)
        message = told(world, ConditionType.TRAINING_SUCCEEDED)[1]
        assert "attempt 1 failed: waiting for pod ads-train-1-worker-1 on node node-7 to end; " in message
        assert "`kubectl delete node node-7` frees it" in message
        world.objects.pop(("Pod", "team", held["metadata"]["name"]))
        world.settle()
        world.wait(60)
        assert world.fine_tune().status.attempts[-1].number == 2


@pytest.mark.parametrize("start", [new_world, blended, training, evaluated])
def test_all_conditions_speak_of_the_present_spec(start: Any) -> None:
    world = start()
    edit(world, ttl_seconds_after_finished=86_400)
    run = world.fine_tune()
    assert run.metadata.generation == 2
    assert {condition.observed_generation for condition in run.status.conditions} == {2}


def test_they_do_where_the_edit_is_refused() -> None:
    world = training()
    run = world.fine_tune()
    world.apply(replace(run, spec=replace(run.spec, cluster=replace(run.spec.cluster, gpu_type="abacus"))))
    world.settle()
    assert {item.observed_generation for item in world.fine_tune().status.conditions} == {2}
