"""Deadlines are reckoned by the API server's clock, whatever the clock of the operator's machine says."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.cluster.control_plane import ControlPlane
from tests.cluster.fake_controllers import PodOutcome
from tests.cluster.scenario import PATIENT, scenario

from blendtune_api.v1alpha1 import Cluster
from blendtune_operator.conditions import moment
from blendtune_operator.names import Kind

RELISTS = 3  # each is followed by a reconcile of every run


@pytest.mark.parametrize("minutes", [30, -30], ids=["ahead", "behind"])
def test_a_wrong_clock_runs_out_no_deadline_and_keeps_none_open(
    minutes: int, plane: ControlPlane, namespace: str, folder: Path
) -> None:
    program = ("tests.cluster.shifted_operator", str(minutes))
    with scenario(plane, namespace, folder, PATIENT, program=program) as world:
        world.controllers.policy = lambda stage, _: PodOutcome(exit_code=None if stage == "train" else 0)
        for name, seconds in (("long", 1500), ("short", 2)):
            world.apply(name, cluster=Cluster(nodes=1, gpus_per_node=1, active_deadline_seconds=seconds))
        world.wait_for_state("Failed", name="short")
        assert world.condition("Failed", "short")["reason"] == "DeadlineExceeded"
        world.wait_for(
            "the long one runs",
            lambda: world.condition("TrainingSucceeded", "long").get("reason") == "Running",
        )
        world.wait_for_relists(RELISTS)
        assert world.status("long")["state"] == "Training"
        run = world.client.get(Kind.BLENDED_FINE_TUNE, namespace, "long")
        assert run is not None
        created, started = run["metadata"]["creationTimestamp"], run["status"]["startTime"]
        assert abs((moment(started) - moment(created)).total_seconds()) < 600, "stamps are the API server's"
        events = world.client.call("GET", f"/api/v1/namespaces/{namespace}/events")["items"]
        own = [item for item in events if item["involvedObject"]["name"] == "long"]
        assert own and all(
            abs((moment(item["firstTimestamp"]) - moment(created)).total_seconds()) < 600 for item in own
        )
