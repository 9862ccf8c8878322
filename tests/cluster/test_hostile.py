"""A bounded number of what hypothesis makes up, on a real API server: it is run or refused by name."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from tests.cluster.client import Refused
from tests.cluster.control_plane import ControlPlane
from tests.cluster.namespaces import namespace_of
from tests.cluster.scenario import PATIENT, Scenario, scenario
from tests.operator.test_hostile import LABELS, TEMPLATES

from blendtune_api.v1alpha1 import Cluster, StagePod
from blendtune_operator.names import Kind

NAMESPACE = "hostile"
EXAMPLES = settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def world(plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scenario]:
    folder = tmp_path_factory.mktemp("hostile")
    with namespace_of(plane.client, NAMESPACE), scenario(plane, NAMESPACE, folder, PATIENT) as started:
        started.controllers.namespace = "none"  # it plays no pods: their labels may say anything
        yield started
        assert "Traceback" not in started.operator.text()


def accepted(world: Scenario, name: str) -> Any:
    """The condition, once the operator has looked at the run."""
    return world.wait_for(
        f"{name} was looked at",
        lambda: (found := world.condition("Accepted", name)).get("status") not in (None, "Unknown") and found,
    )


@EXAMPLES
@given(TEMPLATES)
def test_any_pod_template_is_run_or_refused(world: Scenario, template: dict[str, Any]) -> None:
    name = f"template-{next(_numbers)}"
    try:
        world.apply(name, cluster=replace(Cluster(nodes=1), blend=StagePod(pod_template=template)))
    except Refused:
        return  # by the API server, with its words
    condition = accepted(world, name)
    assert condition["reason"] in ("Accepted", "InvalidSpec", "ChildRefused", "ServiceAccountNotAllowed")
    assert condition["message"]


@EXAMPLES
@given(LABELS)
def test_any_labels_of_children(world: Scenario, labels: dict[str, str]) -> None:
    """Of those that the API server takes; the run is looked at again each time."""
    if world.client.get(Kind.BLENDED_FINE_TUNE, NAMESPACE, "labels") is None:
        world.apply("labels")
    accepted(world, "labels")
    world.wait_for("the Job", lambda: world.client.get(Kind.JOB, NAMESPACE, "labels-blend"))
    for kind, name in ((Kind.JOB, "labels-blend"), (Kind.CONFIG_MAP, "labels-run")):
        try:
            world.client.patch(kind, NAMESPACE, name, {"metadata": {"labels": labels}})
        except Refused as error:
            assert error.status == 422
    assert accepted(world, "labels")["reason"] == "Accepted"
