"""A study on a real API server: its rules, its runs under crashes, and its quiet end."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.cluster.client import Client, Refused
from tests.cluster.control_plane import ControlPlane
from tests.cluster.fault_proxy import Exchange, Fault
from tests.cluster.scenario import Scenario, scenario
from tests.operator.builders import train_result
from tests.operator.study.studies import study

from blendtune_api import codec
from blendtune_api.blend_study import Axes, Stopping
from blendtune_operator.names import Kind, Object

PARALLELISM = 2
RUN_HOURS = train_result().gpu_seconds / 3600  # of a fake run
GRID = Axes(in_domain_share=(0, 0.5, 1), epochs=(1, 3), seeds=(1, 2))
AFFORDED = 8  # of its 12 runs
GPU_HOURS = (AFFORDED + 0.5) * RUN_HOURS
ENDED = ("Succeeded", "Failed")
AXES = Axes(in_domain_share=(0.25, 0.5, 0.75))


def document(namespace: str, name: str = "mix", **spec: Any) -> Object:
    value = study(**{"axes": AXES, "parallelism": PARALLELISM, **spec})
    value = replace(value, metadata=replace(value.metadata, name=name, namespace=namespace))
    encoded = codec.encode_object(value)
    encoded["metadata"] = {"name": name, "namespace": namespace}
    encoded.pop("status", None)
    return encoded


class CrashAfterEveryWrite:
    """A rule: the operator is killed after each write of the study, and gets no answer to it."""

    def __init__(self, world: Scenario) -> None:
        self._world = world
        self.crashes = 0

    def __call__(self, exchange: Exchange) -> Fault | None:
        is_study = "/blendstudies/" in exchange.path
        is_run = exchange.method == "POST" and exchange.path.endswith("/blendedfinetunes")
        if not exchange.is_write or not (is_study or is_run):
            return None
        self.crashes += 1
        return Fault(after=self._restart)

    def _restart(self) -> None:
        self._world.operator.kill()
        self._world.operator.start()


def active_runs(world: Scenario) -> list[Object]:
    runs = world.client.list(Kind.BLENDED_FINE_TUNE, world.namespace)
    return [run for run in runs if (run.get("status") or {}).get("state") not in ENDED]


def finished_runs(world: Scenario) -> list[Object]:
    """The runs whose end the study has recorded."""
    known = {
        run["name"] for run in world.status("mix", Kind.BLEND_STUDY).get("runs", ()) if run["state"] in ENDED
    }
    runs = world.client.list(Kind.BLENDED_FINE_TUNE, world.namespace)
    return [run for run in runs if run["metadata"]["name"] in known]


@pytest.mark.timeout(900)
def test_it_survives_crashes_after_every_write_and_the_removal_of_runs(
    plane: ControlPlane, namespace: str, folder: Path
) -> None:
    with scenario(plane, namespace, folder) as world:
        rule = CrashAfterEveryWrite(world)
        world.proxy.rule = rule
        created = world.client.create(
            document(namespace, axes=GRID, stopping=Stopping(gpu_hours=GPU_HOURS, failed_runs=2))
        )
        world.client.delete(world.wait_for("a run starts", lambda: active_runs(world))[0])
        most, is_removed = 0, False

        def has_ended() -> bool:
            nonlocal most, is_removed
            most = max(most, len(active_runs(world)))
            status = world.status("mix", Kind.BLEND_STUDY)
            if not is_removed and (ended := finished_runs(world)) and status["counts"]["succeeded"]:
                is_removed = True
                world.client.delete(ended[0])
            return status.get("state") in ("Succeeded", "Failed")

        world.wait_for("the study has ended", has_ended, seconds=800)
        world.proxy.rule = lambda _: None
        status = world.status("mix", Kind.BLEND_STUDY)
        assert status["state"] == "Succeeded"
        assert {key: status["counts"][key] for key in ("running", "succeeded", "failed")} == {
            "running": 0,
            "succeeded": AFFORDED,
            "failed": 0,
        }
        assert most <= PARALLELISM
        assert is_removed
        assert rule.crashes >= 2 * AFFORDED
        assert status["gpuHours"]["spent"] <= GPU_HOURS
        present = {run["metadata"]["name"] for run in world.client.list(Kind.BLENDED_FINE_TUNE, namespace)}
        known = {run["name"] for run in status["runs"] if run["state"] == "Succeeded"}
        assert present < known and len(known - present) == 1, "all but the one that was removed after its end"
        _stays_quiet(world)
        world.client.delete(created)
        world.wait_for(
            "its runs go with it", lambda: not world.client.list(Kind.BLENDED_FINE_TUNE, namespace)
        )


def _stays_quiet(world: Scenario) -> None:
    """Nothing is written through re-lists, each of which is followed by a reconcile of every run."""
    world.wait_for_relists(1)
    known = len(world.proxy.writes)
    world.wait_for_relists(1)
    assert world.proxy.writes[known:] == []


def too_many(spec: Any) -> None:
    spec["axes"]["seeds"] = list(range(20))
    spec["axes"]["inDomainShare"] = [0, 0.2, 0.4, 0.5, 0.6, 1]


def one_metric(spec: Any) -> None:
    spec["objective"] = {"maximize": "general", "subjectTo": {"metric": "general", "maxDrop": 0.1}}


def no_share(spec: Any) -> None:
    spec["axes"]["inDomainShare"] = []


def bad_template(spec: Any) -> None:
    spec["template"]["spec"]["training"]["batchTokens"] = 3000


def stopping(spec: Any) -> None:
    gates = [{"metric": "general", "maxDrop": 0.1}]
    spec["template"]["spec"]["evaluation"] = {"stopWhenDecided": True, "gates": gates}


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        pytest.param(too_many, "at most 100 runs", id="too many runs"),
        pytest.param(one_metric, "must differ", id="one metric"),
        pytest.param(no_share, "inDomainShare", id="no share"),
        pytest.param(stopping, "a study compares scores", id="runs that stop early"),
        pytest.param(bad_template, "multiple of sequenceLength", id="bad template"),
    ],
)
def test_the_api_server_refuses(client: Client, namespace: str, spoil: Any, words: str) -> None:
    bad = document(namespace)
    spoil(bad["spec"])
    with pytest.raises(Refused, match=words):
        client.create(bad)


def test_a_long_name_is_refused(client: Client, namespace: str) -> None:
    with pytest.raises(Refused, match="at most 27 characters"):
        client.create(document(namespace, name="a" * 28))


def test_the_template_is_fixed_once_the_study_has_started_and_the_axes_may_grow(
    client: Client, namespace: str
) -> None:
    created = client.create(document(namespace))
    client.set_status(created, {"startTime": "2026-01-01T00:00:00Z"})
    change: dict[str, Any] = {"spec": {"template": {"spec": {"training": {"learningRate": 1e-3}}}}}
    with pytest.raises(Refused, match="fixed once the study has started"):
        client.patch(Kind.BLEND_STUDY, namespace, "mix", change)
    weights: dict[str, Any] = {"spec": {"axes": {"interpolation": [0.5]}}}
    with pytest.raises(Refused, match="fixed once the study has started"):
        client.patch(Kind.BLEND_STUDY, namespace, "mix", weights)
    client.patch(Kind.BLEND_STUDY, namespace, "mix", {"spec": {"axes": {"inDomainShare": [0.25, 0.5, 0.75]}}})
