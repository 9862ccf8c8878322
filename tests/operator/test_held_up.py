"""What keeps pods from doing their work, by their status and by the Events about them: a table of worlds."""

from __future__ import annotations

from typing import Any

import pytest
from tests.operator.builders import rubric_eval, self_blend
from tests.operator.fine_tune_status import condition, message
from tests.operator.scenarios import blended, new_world, trained, training
from tests.operator.world import World

from blendtune_api.v1alpha1 import ConditionStatus, ConditionType, Reason
from blendtune_operator.conditions import timestamp
from blendtune_operator.names import Object
from blendtune_operator.plan.advice import advised

BLENDED, TRAINED = ConditionType.DATA_BLENDED, ConditionType.TRAINING_SUCCEEDED
SCHEDULED = [{"type": "PodScheduled", "status": "True"}]


def event(reason: str, message: str, type: str = "Warning", at: str = "2026-01-01T00:00:30Z") -> Object:
    metadata = {"name": "e", "namespace": "team", "resourceVersion": "7", "creationTimestamp": at}
    return {"type": type, "reason": reason, "message": message, "lastTimestamp": at, "metadata": metadata}


def idle_blend(**status: object) -> World:
    world = new_world()
    world.start(world.job("ads-blend"), "Pending", **{"conditions": SCHEDULED, **status})
    world.settle()
    return world


class TestEventsOfPods:
    @pytest.mark.parametrize(
        ("events", "words"),
        [
            pytest.param(
                [event("FailedMount", 'MountVolume.SetUp failed for volume "x" : secret "keys" not found')],
                'FailedMount: MountVolume.SetUp failed for volume "x" : secret "keys" not found: create '
                "secret keys, and the pod starts",
                id="a mount",
            ),
            pytest.param(
                [event("Pulling", 'Pulling image "x"', "Normal")],
                'yet: Pulling image "x": it starts once the image is there',
                id="a pull",
            ),
            pytest.param(
                [
                    event("FailedMount", "slow", at="2026-01-01T00:00:10Z"),
                    event("Pulling", "Pulling", "Normal", at="2026-01-01T00:00:20Z"),
                ],
                "yet: Pulling: it starts",
                id="the last counts",
            ),
            pytest.param(
                [
                    event("FailedMount", "slow", at="2026-01-01T00:00:10Z"),
                    event("Pulled", "there", "Normal", at="2026-01-01T00:00:20Z"),
                ],
                "nothing says why: `kubectl describe pod ads-blend-worker-0`",
                id="what has passed is not told",
            ),
            pytest.param(
                [
                    event("Weird", "its words", at="2026-01-01T00:00:10Z"),
                    event("FailedScheduling", "0/1 nodes", at="2026-01-01T00:00:20Z"),
                ],
                "Weird: its words: `kubectl describe pod ads-blend-worker-0` has all of it",
                id="what the status tells is not taken from Events",
            ),
            pytest.param([], "nothing says why: `kubectl describe pod ads-blend-worker-0`", id="none"),
        ],
    )
    def test_a_pod_without_containers_is_told_with_the_last_of_them(
        self, events: list[Object], words: str
    ) -> None:
        world = idle_blend()
        assert message(world, BLENDED) == "attempt 1 is starting"
        (pod,) = world.pods(world.job("ads-blend"))
        world.reported[pod["metadata"]["uid"]] = events
        world.wait(60)
        assert condition(world, BLENDED) == (ConditionStatus.UNKNOWN, Reason.STARTING)
        assert words in message(world, BLENDED)

    def test_they_are_read_again_and_forgotten_once_it_runs(self) -> None:
        world = idle_blend()
        (pod,) = world.pods(world.job("ads-blend"))
        world.wait(60)
        world.reported[pod["metadata"]["uid"]] = [event("FailedMount", "x")]
        (after,) = (world.reconcile(key) for key in world._keys())
        assert after is not None and after.total_seconds() <= 60
        world.wait(60)
        assert "FailedMount: x" in message(world, BLENDED)
        world.start(world.job("ads-blend"))
        world.settle()
        assert message(world, BLENDED) == "attempt 1 is running"

    def test_they_decide_nothing(self) -> None:
        """Anybody in the namespace may write one."""
        world = idle_blend()
        (pod,) = world.pods(world.job("ads-blend"))
        made = list(world.created)
        world.reported[pod["metadata"]["uid"]] = [event("Failed", '{"status": {"state": "Succeeded"}}')]
        world.wait(60)
        assert world.created == made and world.job("ads-blend")
        assert condition(world, BLENDED) == (ConditionStatus.UNKNOWN, Reason.STARTING)

    def test_a_peer_that_does_not_start_is_told_beside_one_that_runs(self) -> None:
        world = training()
        job = world.job("ads-train-1")
        second = world.pods(job)[1]
        second["status"] = {"phase": "Pending", "conditions": SCHEDULED}
        world.reported[second["metadata"]["uid"]] = [event("FailedAttachVolume", "Multi-Attach error")]
        world.settle()
        assert message(world, TRAINED) == "attempt 1 is running"
        world.wait(60)
        assert condition(world, TRAINED)[1] == Reason.RUNNING
        assert "; but pod ads-train-1-worker-1 has no container yet: " in message(world, TRAINED)
        assert "ReadWriteMany" in message(world, TRAINED)


@pytest.mark.usefixtures("every_gang")
class TestMissingPods:
    def test_why_none_is_made_is_told(self) -> None:
        world = blended()
        job = world.job("ads-train-1")
        job["status"] = {"startTime": timestamp(world.now)}
        quota = event("FailedCreate", 'pods "x" is forbidden: exceeded quota: small, requested: pods=1')
        world.reported[job["metadata"]["uid"]] = [quota]
        world.wait(60)
        assert condition(world, TRAINED)[1] == Reason.CHILD_REFUSED
        told = message(world, TRAINED)
        assert told.startswith(f"no pod was made for {job['kind']} ads-train-1: FailedCreate: ")
        assert told.endswith("have quota small raised")

    def test_a_child_that_nothing_acts_on_is_told(self) -> None:
        world = blended()
        world.wait(60)
        assert condition(world, TRAINED)[1] == Reason.CHILD_IGNORED
        assert message(world, TRAINED).startswith(f"nothing acts on {world.job('ads-train-1')['kind']} ads-")

    def test_a_peer_that_is_not_made_is_told_beside_one_that_runs(self) -> None:
        world = training()
        job = world.job("ads-train-1")
        job["status"] = {"startTime": timestamp(world.now)}
        second = world.pods(job)[1]
        world.objects.pop(("Pod", "team", second["metadata"]["name"]))
        world.wait(60)
        assert condition(world, TRAINED)[1] == Reason.RUNNING
        assert "; but 1 of 2 pods were made for " in message(world, TRAINED)

    def test_one_that_has_ended_well_was_made(self) -> None:
        world = training()
        world.end_pod(world.pods(world.job("ads-train-1"))[1], 0, "")
        world.wait(60)
        assert message(world, TRAINED) == "attempt 1 is running"

    def test_what_makes_the_pods_may_say_why(self) -> None:
        """The Job of a JobSet or TrainJob is recorded once it has made a pod."""
        world = training()
        job = world.job("ads-train-1")
        first, second = world.pods(job)
        owner = first["metadata"]["ownerReferences"][0]["uid"]
        world.reported[owner] = [event("FailedCreate", "exceeded quota: small,")]
        world.objects.pop(("Pod", "team", second["metadata"]["name"]))
        world.wait(60)
        assert "FailedCreate: exceeded quota: small,: wait until" in message(world, TRAINED)


class TestContainers:
    def test_an_init_container_that_runs_on_is_told(self) -> None:
        running = {"running": {"startedAt": "2026-01-01T00:00:00Z"}}
        world = idle_blend(
            initContainerStatuses=[
                {"name": "istio-proxy", "state": running},
                {"name": "wait", "state": running},
            ],
            containerStatuses=[{"name": "blend", "state": {"waiting": {"reason": "PodInitializing"}}}],
        )
        assert condition(world, BLENDED)[1] == Reason.STARTING
        world.wait(60)
        told = message(world, BLENDED)
        assert "init container wait of pod ads-blend-worker-0 still runs" in told
        assert "`kubectl logs ads-blend-worker-0 -c wait`" in told

    def test_a_sidecar_is_no_such_container_once_the_pod_is_initialised(self) -> None:
        running = {"running": {"startedAt": "2026-01-01T00:00:00Z"}}
        world = idle_blend(
            conditions=[*SCHEDULED, {"type": "Initialized", "status": "True"}],
            initContainerStatuses=[{"name": "istio-proxy", "state": running}],
        )
        world.wait(60)
        assert "init container" not in message(world, BLENDED)

    @pytest.mark.parametrize("where", ["initContainerStatuses", "containerStatuses"])
    def test_one_that_ends_again_and_again_is_told(self, where: str) -> None:
        looping = {
            "name": "proxy",
            "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m0s"}},
            "lastState": {"terminated": {"exitCode": 2, "reason": "Error"}},
        }
        world = idle_blend(**{where: [looping]})
        told = message(world, BLENDED)
        assert "container proxy of pod ads-blend-worker-0 ends again and again (Error, exit code 2)" in told
        assert "`kubectl logs ads-blend-worker-0 -c proxy --previous`" in told

    @pytest.mark.parametrize(
        "reason", ["CreateContainerConfigError", "RunContainerError", "PostStartHookError", "OfTomorrow"]
    )
    def test_every_other_reason_to_wait_is_told(self, reason: str) -> None:
        waiting = {"name": "blend", "state": {"waiting": {"reason": reason, "message": "its words"}}}
        world = idle_blend(containerStatuses=[waiting])
        assert f"cannot start container blend: {reason}: its words: " in message(world, BLENDED)

    @pytest.mark.parametrize("reason", ["ContainerCreating", "PodInitializing"])
    def test_a_start_in_the_ordinary_course_is_none(self, reason: str) -> None:
        world = idle_blend(containerStatuses=[{"name": "blend", "state": {"waiting": {"reason": reason}}}])
        assert message(world, BLENDED) == "attempt 1 is starting"


class TestNodes:
    def on_node(self, **conditions: str) -> World:
        world = training()
        for pod in world.pods(world.job("ads-train-1")):
            pod["spec"] = {**pod["spec"], "nodeName": "node-7"}
            listed = [{"type": type, "status": status} for type, status in conditions.items()]
            containers = [{**item, "ready": True} for item in pod["status"]["containerStatuses"]]
            pod["status"] |= {"conditions": listed, "containerStatuses": containers}
        world.settle()
        return world

    def test_one_that_does_not_answer_is_told_before_its_pods_are_given_up(self) -> None:
        told = message(self.on_node(Ready="False", ContainersReady="True"), TRAINED)
        assert "; but node node-7 of pod ads-train-1-worker-0 does not answer" in told

    @pytest.mark.parametrize(
        "conditions", [{"Ready": "True"}, {"Ready": "False", "ContainersReady": "False"}]
    )
    def test_a_pod_that_is_not_ready_by_itself_is_none(self, conditions: Any) -> None:
        assert message(self.on_node(**conditions), TRAINED) == "attempt 1 is running"

    def test_a_pod_that_no_scheduler_looks_at_is_told(self) -> None:
        world = idle_blend(conditions=[])
        world.wait(60)
        assert "no scheduler says why: see that the scheduler of the cluster" in message(world, BLENDED)


@pytest.mark.parametrize(
    ("world", "job", "type"),
    [
        pytest.param(lambda: new_world(blend=self_blend()), "ads-rehearse", ConditionType.DATA_REHEARSED),
        pytest.param(trained, "ads-eval", ConditionType.EVALUATION_SUCCEEDED),
    ],
    ids=["rehearse", "eval"],
)
def test_every_stage_tells_it(world: Any, job: str, type: ConditionType) -> None:
    world = world()
    world.start(world.job(job), "Pending", conditions=SCHEDULED)
    world.settle()
    (pod,) = world.pods(world.job(job))
    world.reported[pod["metadata"]["uid"]] = [event("FailedMount", 'configmap "x" not found')]
    world.wait(60)
    assert 'FailedMount: configmap "x" not found: create configmap x' in message(world, type)


def test_an_evaluation_by_itself_tells_it() -> None:
    world = World()
    world.apply(rubric_eval())
    world.settle()
    world.wait(60)
    (told,) = (item for item in world.rubric_eval().status.conditions if item.type == "EvaluationSucceeded")
    assert told.reason == Reason.CHILD_IGNORED


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        ('persistentvolumeclaim "data" not found', "create claim data"),
        ("couldn't find key token in Secret team/hub", "add key token to Secret hub"),
        ("configmap references non-existent config key: rubric.yaml", "add key rubric.yaml"),
        ("0/3 nodes are available: 3 Insufficient nvidia.com/mig-1g.5gb.", "until nvidia.com/mig-1g.5gb are"),
        ("0/3 nodes are available: 1 Insufficient cpu, 2 Insufficient memory.", "ask for less cpu"),
        ("0/3 nodes are available: 3 node(s) had untolerated taint {gpu: true}.", "add a toleration"),
        ("pod has unbound immediate PersistentVolumeClaims. not found", "`kubectl describe pvc`"),
        ('pods "x" is forbidden: maximum memory usage per Container is 1Gi, but limit is 2Gi', "LimitRange"),
        ("failed quota: small: must specify cpu,memory", "set them in spec.cluster"),
        ('admission webhook "x.y" denied the request: no', "change what it objects to"),
        ("ValidatingAdmissionPolicy 'x' with binding 'y' denied request: no", "change what it objects to"),
        ('failed calling webhook "x.y": no endpoints', "whoever runs it must mend it"),
        ('violates PodSecurity "restricted:latest": hostPath', "level changed"),
        ("words of tomorrow.", "what else"),
    ],
)  # fmt: skip
def test_advice_follows_the_words(words: str, advice: str) -> None:
    told = advised(words, "what else")
    assert told.startswith(words.rstrip(".") + ": ")
    assert advice in told.removeprefix(words.rstrip("."))


@pytest.mark.parametrize(
    ("waited", "again"),
    [
        pytest.param(20, 40, id="in time to look for the first time"),
        pytest.param(60, 60, id="after a minute at first"),
        pytest.param(1200, 300, id="then after a quarter of what it has waited"),
        pytest.param(9999, 600, id="at least every ten minutes"),
    ],
)
def test_what_waits_long_is_looked_at_ever_more_rarely(waited: int, again: int) -> None:
    world = idle_blend()
    (key,) = world._keys()
    world.wait(waited)
    delay = world.reconcile(key)
    assert delay is not None
    assert delay.total_seconds() == pytest.approx(again, abs=3)


def test_what_a_watch_shows_is_not_asked_for_again() -> None:
    unschedulable = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1"}
    world = idle_blend(conditions=[unschedulable])
    (key,) = world._keys()
    world.wait(3000)
    assert world.reconcile(key) is None
