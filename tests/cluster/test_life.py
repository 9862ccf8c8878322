"""The life of a run on a real API server: what people and clusters do to it, and how it ends."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.cluster.client import Refused
from tests.cluster.control_plane import ControlPlane
from tests.cluster.fake_controllers import PodOutcome
from tests.cluster.fault_proxy import Fault
from tests.cluster.scenario import Scenario, scenario
from tests.cluster.steps import BFT, edit, hold, live_pods, release, running
from tests.operator.builders import self_blend

from blendtune_api.contract import ExitCode, Failure, encode_message
from blendtune_api.v1alpha1 import Cluster, Reason
from blendtune_operator.names import Kind


@pytest.fixture
def world(plane: ControlPlane, namespace: str, folder: Path) -> Iterator[Scenario]:
    with scenario(plane, namespace, folder) as started:
        yield started
        assert "Traceback" not in started.operator.text()


def reaching(stage: str) -> dict[str, Any]:
    """The spec of a run that has this stage."""
    return {"blend": self_blend()} if stage == "rehearse" else {}


def test_from_apply_to_scores(world: Scenario) -> None:
    world.apply()
    world.wait_for_state("Succeeded")
    status = world.status()
    assert status["evaluation"]["inDomain"]["delta"] == 0.5
    assert {item["type"]: item["status"] for item in status["conditions"]}["GatesPassed"] == "True"
    assert status["blend"]["sources"][0]["achievedShare"] == 0.5
    events = world.client.call("GET", f"/api/v1/namespaces/{world.namespace}/events")["items"]
    reasons = {item["reason"] for item in events if item["involvedObject"]["kind"] == BFT}
    assert {"Accepted", "Completed", "Starting"} <= reasons
    run = world.client.get(BFT, world.namespace, "ads")
    assert run is not None
    assert "finalizers" not in run["metadata"]
    assert "annotations" not in run["metadata"]


@pytest.mark.parametrize(
    ("stage", "condition"),
    [
        ("rehearse", "DataRehearsed"),
        ("blend", "DataBlended"),
        ("eval", "EvaluationSucceeded"),
    ],
)
def test_suspend_and_resume(world: Scenario, stage: str, condition: str) -> None:
    hold(world, stage)
    world.apply(**reaching(stage))
    running(world, condition)
    edit(world, {"suspend": True})
    world.wait_for_state("Suspended")
    world.wait_for("no pod is left", lambda: not live_pods(world))
    release(world)
    edit(world, {"suspend": False})
    world.wait_for_state("Succeeded")


def test_a_finished_stage_is_not_run_again_when_its_children_go(world: Scenario) -> None:
    hold(world, "eval")
    world.apply()
    running(world, "EvaluationSucceeded")
    for kind in (Kind.JOB, Kind.PYTORCH_JOB):
        for child in world.client.list(kind, world.namespace, "blendtune.io/stage!=eval"):
            world.client.delete(child)
    release(world)
    world.wait_for_state("Succeeded")
    assert not [name for kind, name in world.children() if kind == "PyTorchJob"]


def test_children_go_after_their_time_and_the_run_stays(world: Scenario) -> None:
    world.apply(ttl_seconds_after_finished=1)
    world.wait_for_state("Succeeded")
    world.wait_for("the children are gone", lambda: not world.children())
    assert world.status()["state"] == "Succeeded"


def test_a_model_that_does_not_fit_never_gets_a_gpu(world: Scenario) -> None:
    failure = Failure(reason=Reason.DOES_NOT_FIT, message="33B needs 98 GiB of 80 GiB")
    refused = PodOutcome(exit_code=ExitCode.DOES_NOT_FIT, message=encode_message(failure))
    world.controllers.policy = lambda stage, _: refused if stage == "blend" else PodOutcome()
    world.apply()
    world.wait_for_state("Failed")
    assert world.condition("Sized")["reason"] == "DoesNotFit"
    assert "98 GiB" in world.condition("Sized")["message"]
    assert not world.client.list(Kind.PYTORCH_JOB, world.namespace)


@pytest.mark.parametrize("stage", ["rehearse", "blend", "eval"])
def test_a_deleted_run_leaves_nothing_behind(world: Scenario, stage: str) -> None:
    conditions = {
        "rehearse": "DataRehearsed",
        "blend": "DataBlended",
        "eval": "EvaluationSucceeded",
    }
    hold(world, stage)
    run = world.apply(**reaching(stage))
    running(world, conditions[stage])
    world.client.delete(run)
    world.wait_for("all is gone", lambda: not world.children() and not live_pods(world))


def test_delete_and_apply_again(world: Scenario) -> None:
    run = world.apply()
    world.wait_for_state("Succeeded")
    world.client.delete(run)
    again = world.apply()
    assert again["metadata"]["uid"] != run["metadata"]["uid"]
    world.wait_for_state("Succeeded")


def test_what_has_started_is_frozen_and_the_message_says_so(world: Scenario) -> None:
    hold(world, "train")
    world.apply()
    running(world, "TrainingSucceeded")
    with pytest.raises(Refused, match="fixed once the run has started"):
        edit(world, {"training": {"learningRate": 0.1}})
    edit(world, {"retry": 2})
    with pytest.raises(Refused, match="may only grow"):
        edit(world, {"retry": 1})
    release(world)
    world.wait_for_state("Succeeded")


def test_the_base_model_rehearses_before_the_blend(world: Scenario) -> None:
    """Attempts that are lost, then the rows; the run goes on to its end and each child is made once."""
    killed = PodOutcome(exit_code=137, message="", reason="OOMKilled")
    world.controllers.policy = lambda stage, attempt: (
        killed if (stage, attempt) == ("rehearse", 1) else PodOutcome()
    )
    world.apply(blend=self_blend())
    world.wait_for_state("Succeeded")
    status = world.status()
    stages = [(attempt["stage"], attempt["number"]) for attempt in status["attempts"]]
    assert stages == [("rehearse", 1), ("rehearse", 2), ("blend", 1), ("train", 1)]
    assert status["rehearsal"]["sources"][0]["rejected"][0] == {"reason": "Unfinished", "rows": 20}
    assert world.condition("DataRehearsed")["status"] == "True"


def test_a_training_that_takes_too_long_is_stopped(world: Scenario) -> None:
    hold(world, "train")
    world.apply(cluster=Cluster(nodes=2, gpus_per_node=1, active_deadline_seconds=2))
    world.wait_for_state("Failed")
    assert world.condition("Failed")["reason"] == "DeadlineExceeded"
    world.wait_for("its pods are gone", lambda: not live_pods(world))


def test_an_operator_that_was_away_goes_on_where_the_run_is(world: Scenario) -> None:
    hold(world, "train")
    world.apply()
    running(world, "TrainingSucceeded")
    assert world.operator.stop() == 0
    release(world)
    world.wait_for("the training ended without it", lambda: not live_pods(world))
    world.operator.start()
    world.wait_for_state("Succeeded")
    assert world.status()["training"]["restarts"] == 0


def test_it_ends_in_peace_while_it_cannot_list_the_cluster(world: Scenario) -> None:
    world.operator.kill()
    world.proxy.rule = lambda _: Fault(status=500)
    world.operator.start()
    world.wait_for("it tries", lambda: "could not be listed yet" in world.operator.text())
    assert world.operator.stop() == 0
