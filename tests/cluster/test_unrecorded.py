"""A child that was created, but not recorded before the operator was killed, is recognised by its content.

The API server has added its defaults to it, and the labels of a Job's pods.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from tests.cluster.attacker import Attacker, NamedControllers
from tests.cluster.control_plane import ControlPlane
from tests.cluster.namespaces import namespace_of
from tests.cluster.scenario import PATIENT, Scenario, scenario
from tests.cluster.test_study import document

from blendtune_api.blend_study import BlendStudy
from blendtune_api.codec import decode_object
from blendtune_api.v1alpha1 import Cluster, Gang
from blendtune_operator.gang import BACKENDS
from blendtune_operator.names import Kind
from blendtune_operator.plan.study.points import grid, run_object


@pytest.fixture(scope="module")
def world(plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scenario]:
    folder = tmp_path_factory.mktemp("unrecorded")
    with namespace_of(plane.client, "unrecorded") as namespace:
        controllers = NamedControllers(plane.client, namespace)
        with scenario(plane, namespace, folder, PATIENT, controllers=controllers) as started:
            yield started
            assert "Traceback" not in started.operator.text()


@pytest.mark.parametrize("kinds", [(Kind.CONFIG_MAP,), (Kind.CONFIG_MAP, Kind.JOB)], ids=["one", "both"])
def test_the_first_children_of_a_run(world: Scenario, kinds: tuple[Kind, ...]) -> None:
    run = Attacker(world, world.client, f"first-{len(kinds)}")
    run.apply_suspended()
    made = [world.client.create(run.rendered(kind)) for kind in kinds]
    run.edit(suspend=False)
    run.assert_honest_end()
    for kind, child in zip(kinds, made, strict=True):
        known = world.client.get(kind, world.namespace, child["metadata"]["name"])
        assert known is not None and known["metadata"]["uid"] == child["metadata"]["uid"]
    assert world.condition("Accepted", run.name)["reason"] == "Accepted"


@pytest.mark.parametrize("gang", BACKENDS, ids=str)
def test_the_training(world: Scenario, gang: Gang) -> None:
    run = Attacker(world, world.client, f"training-{gang.lower()}")
    run.apply("blend", cluster=Cluster(nodes=2, gpus_per_node=1, gang=gang))
    run.wait_until_running("DataBlended")
    made = world.client.create(run.rendered(BACKENDS[gang].kind, "-train-1"))
    run.assert_honest_end()
    (attempt,) = [item for item in world.status(run.name)["attempts"] if item["stage"] == "train"]
    assert attempt["uid"] == made["metadata"]["uid"]


def test_a_run_of_a_study(world: Scenario) -> None:
    created = world.client.create(document(world.namespace, suspend=True))
    decoded = decode_object({**created, "kind": Kind.BLEND_STUDY.value})
    assert isinstance(decoded, BlendStudy)
    resumed = replace(decoded, spec=replace(decoded.spec, suspend=False))
    child = run_object(resumed, grid(resumed.spec)[0])
    made = world.client.create(child)
    world.client.patch(Kind.BLEND_STUDY, world.namespace, "mix", {"spec": {"suspend": False}})
    world.wait_for(
        "it is recorded", lambda: made["metadata"]["uid"] in str(world.status("mix", Kind.BLEND_STUDY))
    )
    world.client.delete({**created, "kind": Kind.BLEND_STUDY.value})
