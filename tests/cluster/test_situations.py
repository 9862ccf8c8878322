"""Every situation of docs/situations.md on a real API server: what is shown, word by word."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace

import pytest
from tests.cluster.client import Client
from tests.cluster.control_plane import ControlPlane, install_crds
from tests.cluster.fake_controllers import PodOutcome, Policy
from tests.cluster.kueue_crds import workloads_served
from tests.cluster.scenario import END_SECONDS, PATIENT, Scenario, scenario
from tests.cluster.situations.situation import Peers, Situation
from tests.cluster.situations.table import situations
from tests.cluster.test_namespaces import remove_crds
from tests.e2e.waiting import until

from blendtune_api.v1alpha1 import Reason
from blendtune_operator.names import Kind

_ENVIRONMENT = {
    **PATIENT,
    "BLENDTUNE_NAMESPACES": "",
    "BLENDTUNE_LEASE_NAMESPACE": "default",
    "BLENDTUNE_PATIENCE_SECONDS": "1",
    "BLENDTUNE_BACKOFF_BASE_SECONDS": "600",  # so that an attempt that has failed can be looked at
    "BLENDTUNE_BACKOFF_CAP_SECONDS": "600",
}
_SUFFIX = re.compile(r"\b(ads-[a-z]+(?:-\d+)*)-[bcdfghjklmnpqrstvwxz2456789]{5}\b")
_TABLE = "application/json;as=Table;g=meta.k8s.io;v=v1"


@dataclass
class Operators:
    """One operator at a time, for all situations with the same peers: it looks up once what is served."""

    plane: ControlPlane
    folders: pytest.TempPathFactory
    _running: ExitStack = field(default_factory=ExitStack)
    _scenario: Scenario | None = None
    _peers: Peers | None = None

    def beside(self, peers: Peers) -> Scenario:
        if self._scenario is None or peers is not self._peers:
            self.stop()
            self._scenario, self._peers = self._running.enter_context(self._started(peers)), peers
        return self._scenario

    def stop(self) -> None:
        self._scenario = None
        self._running.close()

    @contextmanager
    def _started(self, peers: Peers) -> Iterator[Scenario]:
        client = self.plane.client
        with ExitStack() as stack:
            if peers is Peers.NO_TRAINING_OPERATOR:
                stack.callback(install_crds, client)
                remove_crds(client, "pytorchjobs.kubeflow.org")
            stack.enter_context(workloads_served(client, peers is Peers.KUEUE))
            folder = self.folders.mktemp("operator")
            started = stack.enter_context(scenario(self.plane, "default", folder, _ENVIRONMENT))
            yield started
            assert "Traceback" not in started.operator.text()


@pytest.fixture(scope="module")
def operators(plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operators]:
    found = Operators(plane, tmp_path_factory)
    yield found
    found.stop()


def test_there_are_many() -> None:
    titles = [situation.title for situation in situations()]
    assert len(titles) == len(set(titles)) >= 30


@pytest.mark.parametrize(
    "situation", sorted(situations(), key=lambda item: item.peers.name), ids=lambda item: item.title
)
def test_what_is_shown(operators: Operators, situation: Situation, namespace: str) -> None:
    world = replace(operators.beside(situation.peers), namespace=namespace)
    controllers = world.controllers
    controllers.policy, controllers.namespace, controllers.gangs = (
        leaving(situation.stage),
        namespace,
        situation.gangs,
    )
    for step in situation.before:
        step(world)
    world.apply(**situation.spec)
    for step in situation.then:
        step(world)
    expected = (situation.shown.value, situation.reason.value, situation.message)
    seen: list[tuple[str, str, str]] = []

    def is_shown() -> bool:
        seen[:] = [shown(world, situation)]
        return seen == [expected]

    try:
        until("it is shown", is_shown, seconds=END_SECONDS, every=0.1)
    except TimeoutError as error:
        raise AssertionError(f"shown is\n{seen[0]}\nand not\n{expected}") from error


@pytest.mark.parametrize("situation", list(situations()), ids=lambda item: item.title)
def test_the_message_says_why(situation: Situation) -> None:
    """Nothing only starts or runs."""
    if situation.reason in (Reason.STARTING, Reason.RUNNING):
        assert len(situation.message) > len("attempt 1 is starting; but ")
    assert ": " in situation.message or "; " in situation.message


def leaving(stage: str) -> Policy:
    """The pods of this stage are the test's; all others succeed."""
    return lambda played, _: None if played == stage else PodOutcome()


def shown(world: Scenario, situation: Situation) -> tuple[str, str, str]:
    """State as `kubectl get` prints it; reason and message of the condition as `kubectl describe` does."""
    found = world.condition(situation.condition)
    message = found.get("message", "").replace(world.namespace, "team")
    return (
        printed_state(world.client, world.namespace),
        found.get("reason", ""),
        _SUFFIX.sub(r"\1-abcde", message),
    )


def printed_state(client: Client, namespace: str) -> str:
    """The cell of the column State in the table that the API server makes for kubectl."""
    table = client.call("GET", Kind.BLENDED_FINE_TUNE.path(namespace, "ads"), accept=_TABLE)
    names = [column["name"] for column in table["columnDefinitions"]]
    return str(table["rows"][0]["cells"][names.index("State")])
