"""What makes the pods of a training: which is chosen and kept, and that all of them make the same pods."""

from __future__ import annotations

import pytest
from tests.operator.builders import blend_result, fine_tune, train_result
from tests.operator.fine_tune_status import condition, gangs, message, status, train_jobs
from tests.operator.gangs import indexed_job, pods_of, policy, runtime_of
from tests.operator.rendered import SETTINGS, env
from tests.operator.scenarios import edit
from tests.operator.world import World

from blendtune_api.contract import Env, encode_message
from blendtune_api.v1alpha1 import Cluster, ConditionStatus, ConditionType, Gang, Reason, StagePod
from blendtune_operator import names, render
from blendtune_operator.gang import BACKENDS
from blendtune_operator.names import Kind, Object

KINDS = [backend.kind for backend in BACKENDS.values()]
every_backend = pytest.mark.parametrize("gang", BACKENDS, ids=str)


def rendered(gang: Gang, **cluster: object) -> tuple[Object, ...]:
    """The children of a run with this gang."""
    return render.children(fine_tune(cluster=Cluster(gang=gang, **cluster)), SETTINGS)  # type: ignore[arg-type]


def attempt_of(gang: Gang, **cluster: object) -> Object:
    """The rendered object of a training attempt."""
    identity = BACKENDS[gang].kind, "ads-train-1"
    children = rendered(gang, **cluster)
    return next(child for child in children if (child["kind"], child["metadata"]["name"]) == identity)


def blended(world: World, **cluster: object) -> None:
    world.apply(fine_tune(cluster=Cluster(nodes=2, **cluster)))  # type: ignore[arg-type]
    world.settle()
    world.succeed(world.job("ads-blend"), blend_result())
    world.settle()


class TestChoice:
    @pytest.mark.parametrize("number", range(len(KINDS)), ids=KINDS)
    def test_auto_takes_the_first_that_is_served(self, number: int) -> None:
        world = World()
        world.unserved.update(KINDS[:number])
        blended(world)
        assert [job["kind"] for job in gangs(world)] == [KINDS[number]]
        pinned = status(world).pinned
        assert pinned is not None and pinned.gang == KINDS[number].value

    @every_backend
    def test_what_is_named_is_taken(self, gang: Gang) -> None:
        world = World()
        blended(world, gang=gang)
        assert [job["kind"] for job in gangs(world)] == [BACKENDS[gang].kind]

    def test_what_was_chosen_is_kept_though_a_better_one_is_installed_later(self) -> None:
        world = World()
        world.unserved.update(KINDS[:-1])
        blended(world)
        world.unserved.clear()
        edit(world, cluster=Cluster(nodes=3))
        world.fail(world.job("ads-train-1"), 1)
        world.settle()
        world.wait(10)
        assert [job["kind"] for job in gangs(world)] == [KINDS[-1]] * 2

    def test_what_was_chosen_is_kept_though_its_configuration_was_removed(self) -> None:
        world = World()
        world.unserved.update(KINDS[:-1])
        blended(world)
        world.unserved.clear()
        world.remove(world.objects[Kind.CONFIG_MAP, "team", "ads-run"])
        world.fail(world.job("ads-train-1"), 1)
        world.settle()
        world.wait(10)
        assert [job["kind"] for job in gangs(world)] == [KINDS[-1]] * 2

    def test_another_may_be_named_for_the_next_attempt(self) -> None:
        world = World()
        blended(world, gang=Gang.PYTORCH_JOB)
        world.start(world.job("ads-train-1"))
        world.settle()
        edit(world, cluster=Cluster(nodes=2, gang=Gang.JOB))
        assert condition(world, ConditionType.TRAINING_SUCCEEDED)[1] == Reason.RUNNING
        assert train_jobs(world) == ["ads-train-1"]
        world.fail(world.job("ads-train-1"), 1)
        world.settle()
        world.wait(10)
        assert [job["kind"] for job in gangs(world)] == [Kind.PYTORCH_JOB, Kind.JOB]

    @pytest.mark.parametrize("gang", list(BACKENDS)[:-1], ids=str)
    def test_one_that_is_named_and_not_served_is_waited_for(self, gang: Gang) -> None:
        world = World()
        world.unserved.add(BACKENDS[gang].kind)
        world.apply(fine_tune(cluster=Cluster(gang=gang)))
        world.settle()
        assert world.created == []
        assert condition(world, ConditionType.ACCEPTED) == (
            ConditionStatus.FALSE,
            Reason.GANG_NOT_SERVED,
        )
        assert f"install {BACKENDS[gang].installed_by}" in message(world, ConditionType.ACCEPTED)
        world.unserved.clear()
        world.wait(60)
        assert ("Job", "ads-blend") in world.created


class TestObjects:
    @every_backend
    def test_all_pods_start_and_none_is_restarted(self, gang: Gang) -> None:
        count, template, _ = pods_of(attempt_of(gang, nodes=4), rendered(gang, nodes=4))
        assert count == 4
        assert template["spec"]["restartPolicy"] == "Never"

    @every_backend
    def test_a_pod_is_the_same_but_for_how_it_finds_its_peers(self, gang: Gang) -> None:
        _, template, index_label = pods_of(attempt_of(gang, nodes=4), rendered(gang, nodes=4))
        _, other, _ = pods_of(attempt_of(Gang.PYTORCH_JOB, nodes=4))
        (container,), (known,) = template["spec"]["containers"], other["spec"]["containers"]
        found = env(container)
        assert found[Env.NODE_RANK] == {"fieldRef": {"fieldPath": f"metadata.labels['{index_label}']"}}
        assert found[Env.MASTER_ADDR].startswith("ads-train-1-")
        own = {Env.NODE_RANK, Env.MASTER_ADDR, Env.CONFIG_DIGEST}
        assert {**found, **dict.fromkeys(own)} == {**env(known), **dict.fromkeys(own)}
        kept = {key: value for key, value in container.items() if key not in ("env", "name")}
        assert kept == {key: value for key, value in known.items() if key not in ("env", "name")}
        spec = {**template["spec"], "containers": [], "subdomain": ""}
        assert spec == {**other["spec"], "containers": [], "subdomain": ""}

    @every_backend
    @pytest.mark.parametrize("queue", ["", "gpus"])
    def test_with_a_queue_it_is_labelled_and_created_suspended(self, gang: Gang, queue: str) -> None:
        job = attempt_of(gang, queue_name=queue)
        assert job["metadata"]["labels"].get(names.QUEUE_NAME, "") == queue
        assert policy(job).get("suspend", False) is bool(queue)

    @pytest.mark.parametrize("gang", [Gang.TRAIN_JOB, Gang.JOB_SET, Gang.JOB], ids=str)
    @pytest.mark.parametrize(("queue", "policy"), [("", None), ("gpus", "Failed")])
    def test_admitted_again_it_starts_no_pod_beside_one_that_still_saves(
        self, gang: Gang, queue: str, policy: str | None
    ) -> None:
        job = indexed_job(attempt_of(gang, queue_name=queue), rendered(gang, queue_name=queue))
        assert job["spec"].get("podReplacementPolicy") == policy

    def test_the_pods_of_a_job_find_rank_0_by_the_name_of_their_service(self) -> None:
        (service,) = [child for child in rendered(Gang.JOB, nodes=2) if child["kind"] == Kind.SERVICE]
        job = attempt_of(Gang.JOB, nodes=2)
        _, template, _ = pods_of(job)
        assert job["spec"]["completionMode"] == "Indexed"
        assert (job["spec"]["completions"], job["spec"]["parallelism"]) == (2, 2)
        assert job["spec"]["backoffLimit"] == 0
        assert template["spec"]["subdomain"] == service["metadata"]["name"] == "ads-train"
        assert env(template["spec"]["containers"][0])[Env.MASTER_ADDR] == "ads-train-1-0.ads-train"
        assert service["spec"]["clusterIP"] == "None"
        assert service["spec"]["publishNotReadyAddresses"] is True
        selected = service["spec"]["selector"].items()
        assert selected <= template["metadata"]["labels"].items()

    @every_backend
    def test_the_container_that_trains_has_the_name_that_its_controller_wants(self, gang: Gang) -> None:
        """A podTemplate names it pytorch, whatever it is called."""
        template = {"spec": {"containers": [{"name": "pytorch", "workingDir": "/work"}, {"name": "side"}]}}
        cluster = {"train": StagePod(pod_template=template)}
        _, made, _ = pods_of(attempt_of(gang, **cluster), rendered(gang, **cluster))
        trains, side = made["spec"]["containers"]
        assert (trains["name"], trains["workingDir"]) == (BACKENDS[gang].container, "/work")
        assert side == {"name": "side"}

    def test_a_train_job_has_a_runtime_of_its_own(self) -> None:
        job, children = attempt_of(Gang.TRAIN_JOB, nodes=3), rendered(Gang.TRAIN_JOB, nodes=3)
        runtime = runtime_of(job, children)
        assert runtime["mlPolicy"] == {"numNodes": 3}
        (replicated,) = runtime["template"]["spec"]["replicatedJobs"]
        labels = replicated["template"]["metadata"]["labels"]
        assert labels["trainer.kubeflow.org/trainjob-ancestor-step"] == "trainer"
        assert replicated["name"] == "node" and replicated["replicas"] == 1

    @pytest.mark.parametrize("gang", [Gang.JOB_SET, Gang.TRAIN_JOB], ids=str)
    def test_pods_of_a_set_find_rank_0_by_the_name_of_the_set(self, gang: Gang) -> None:
        _, template, _ = pods_of(attempt_of(gang, nodes=2), rendered(gang, nodes=2))
        assert env(template["spec"]["containers"][0])[Env.MASTER_ADDR] == "ads-train-1-node-0-0.ads-train-1"

    @pytest.mark.parametrize("gang", [Gang.JOB_SET, Gang.TRAIN_JOB], ids=str)
    def test_whatever_is_made_of_it_leads_back_to_its_run(self, gang: Gang) -> None:
        """The label by which the operator's watches see it."""
        labels = indexed_job(attempt_of(gang), rendered(gang))["metadata"]["labels"]
        assert labels[names.OWNER_UID] == fine_tune().metadata.uid


class TestJobsOfAGang:
    """A JobSet or TrainJob makes the Job whose pods count."""

    @pytest.mark.parametrize("gang", [Gang.JOB_SET, Gang.TRAIN_JOB], ids=str)
    def test_the_job_is_recorded(self, gang: Gang) -> None:
        world = World()
        blended(world, gang=gang)
        assert status(world).attempts[-1].job_uid == ""
        world.start(world.job("ads-train-1"))
        world.settle()
        (made,) = [obj for obj in world if "made_of" in obj and obj["kind"] == Kind.JOB]
        assert status(world).attempts[-1].job_uid == made["metadata"]["uid"]

    @pytest.mark.parametrize("gang", [Gang.JOB_SET, Gang.TRAIN_JOB], ids=str)
    def test_a_second_job_that_claims_to_be_made_of_it_is_not_listened_to(self, gang: Gang) -> None:
        world = World()
        blended(world, gang=gang)
        job = world.job("ads-train-1")
        world.start(job)
        world.settle()
        (own,) = [obj for obj in world if "made_of" in obj and obj["kind"] == Kind.JOB]
        forged = world.put({**own, "metadata": {**own["metadata"], "name": "forged"}})
        pod = world.pods(job)[0]
        owners = [{"uid": forged["metadata"]["uid"], "controller": True}]
        metadata = {**pod["metadata"], "name": "a-forged", "ownerReferences": owners}
        world.end_pod(
            world.put({**pod, "metadata": metadata}), 0, encode_message(train_result(model_digest="evil"))
        )
        world.succeed(job, train_result())
        world.settle()
        model = status(world).model
        assert model is not None and model.digest == train_result().model_digest


@pytest.mark.parametrize("gang", [Gang.JOB], ids=str)
class TestWhatAllAttemptsNeed:
    def test_it_is_made_once_and_before_the_first_attempt(self, gang: Gang) -> None:
        world = World()
        blended(world, gang=gang)
        world.fail(world.job("ads-train-1"), 1)
        world.settle()
        world.wait(10)
        assert world.created[2:] == [
            ("Service", "ads-train"),
            (BACKENDS[gang].kind, "ads-train-1"),
            (BACKENDS[gang].kind, "ads-train-2"),
        ]

    def test_one_that_was_removed_is_made_again_for_the_next_attempt(self, gang: Gang) -> None:
        world = World()
        blended(world, gang=gang)
        world.remove(world.objects[Kind.SERVICE, "team", "ads-train"])
        world.fail(world.job("ads-train-1"), 1)
        world.settle()
        world.wait(10)
        assert world.created.count(("Service", "ads-train")) == 2

    def test_another_of_its_name_holds_the_next_attempt_back(self, gang: Gang) -> None:
        world = World()
        blended(world, gang=gang)
        service = world.objects[Kind.SERVICE, "team", "ads-train"]
        service["spec"]["selector"] = {"app": "evil"}
        world.made.clear()
        world.fail(world.job("ads-train-1"), 1)
        world.settle()
        world.wait(10)
        assert condition(world, ConditionType.ACCEPTED)[1] == Reason.NAME_CONFLICT
        assert "delete Service ads-train" in message(world, ConditionType.ACCEPTED)
        assert train_jobs(world) == ["ads-train-1"]
        world.remove(service)
        world.wait(60)
        assert train_jobs(world) == ["ads-train-1", "ads-train-2"]


@pytest.mark.parametrize("gang", [Gang.TRAIN_JOB], ids=str)
class TestWhatAnAttemptNeeds:
    def test_it_goes_with_its_attempt(self, gang: Gang) -> None:
        world = World()
        blended(world, gang=gang)
        for number in range(1, 8):
            world.preempt(world.job(f"ads-train-{number}"))
            world.settle()
            world.wait(10)
        for kind in (Kind.TRAIN_JOB, Kind.TRAINING_RUNTIME):
            kept = [obj["metadata"]["name"] for obj in world if obj["kind"] == kind and "made_of" not in obj]
            assert kept == [f"ads-train-{number}" for number in range(4, 9)]


@pytest.mark.parametrize("gang", BACKENDS, ids=str)
class TestTheEnd:
    def test_all_children_go_when_their_time_is_up(self, gang: Gang) -> None:
        world = World()
        world.apply(fine_tune(ttl_seconds_after_finished=60, cluster=Cluster(gang=gang, backoff_limit=0)))
        world.settle()
        world.succeed(world.job("ads-blend"), blend_result())
        world.settle()
        world.fail(world.job("ads-train-1"), 1)
        world.settle()
        world.wait(60)
        assert {obj["kind"] for obj in world} == {"BlendedFineTune", "Pod"}
