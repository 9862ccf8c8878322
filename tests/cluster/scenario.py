"""An operator behind a fault proxy, fake controllers beside it, and what tests ask about the runs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.cluster.client import Client
from tests.cluster.control_plane import ControlPlane
from tests.cluster.fake_controllers import FakeControllers, running
from tests.cluster.fault_proxy import FaultProxy, fault_proxy
from tests.cluster.operator_process import OperatorProcess
from tests.e2e.waiting import until
from tests.operator.builders import GATES, fine_tune

from blendtune_api import codec
from blendtune_api.v1alpha1 import Evaluation, Gang
from blendtune_operator.names import CHILD_KINDS, PARENT_KINDS, Kind, Object

PATIENT = {"BLENDTUNE_LEASE_DURATION_SECONDS": "30"}  # of an operator that is never killed
END_SECONDS = 120  # a run takes some seconds; a busy machine is slow


@dataclass(frozen=True)
class Scenario:
    client: Client
    namespace: str
    proxy: FaultProxy
    operator: OperatorProcess
    controllers: FakeControllers
    gang: Gang = Gang.AUTO  # of the runs

    def apply(self, name: str = "ads", **spec: Any) -> Object:
        """Creates a BlendedFineTune of two nodes with gates."""
        run = fine_tune(**{"evaluation": Evaluation(gates=GATES), **spec})
        if run.spec.cluster.gang is Gang.AUTO:
            cluster = replace(run.spec.cluster, gang=self.gang)
            run = replace(run, spec=replace(run.spec, cluster=cluster))
        run = replace(run, metadata=replace(run.metadata, name=name, namespace=self.namespace))
        document = codec.encode_object(run)
        document["metadata"] = {"name": name, "namespace": self.namespace}
        document.pop("status", None)
        return self.client.create(document)

    def status(self, name: str = "ads", kind: Kind = Kind.BLENDED_FINE_TUNE) -> Any:
        return (self.client.get(kind, self.namespace, name) or {}).get("status") or {}

    def condition(self, type: str, name: str = "ads") -> Any:
        conditions = self.status(name).get("conditions") or []
        return next((item for item in conditions if item["type"] == type), {})

    def wait_for(
        self, what: str, holds: Callable[[], Any], seconds: float = END_SECONDS, every: float = 0.05
    ) -> Any:
        try:
            return until(what, holds, seconds, every)
        except TimeoutError as error:
            runs = self.client.list(Kind.BLENDED_FINE_TUNE, self.namespace)
            shown = json.dumps([run.get("status") for run in runs[:3]], indent=1)
            log = self.operator.text()[-3000:]
            raise AssertionError(f"{error}; the runs are:\n{shown}\nthe operator said:\n{log}") from error

    def wait_for_state(self, *states: str, name: str = "ads") -> None:
        self.wait_for(f"{name} is {states}", lambda: self.status(name).get("state") in states)

    def wait_for_relists(self, count: int) -> None:
        """Waits until the operator has re-listed the cluster `count` times, and begun to do so again."""
        end = self.proxy.reads["configmaps"] + count + 1  # nothing but a re-list lists them
        self.wait_for("the cluster is re-listed", lambda: self.proxy.reads["configmaps"] >= end)

    def children(self, name: str = "ads") -> list[tuple[str, str]]:
        """What was created for the run, with the run's name taken out."""
        kinds = (*(kind for kind in CHILD_KINDS if kind not in PARENT_KINDS), Kind.RUBRIC_EVAL)
        found = [
            (kind, obj["metadata"]["name"])
            for kind in kinds
            for obj in self.client.list(kind, self.namespace)
        ]
        mine = [(kind, child) for kind, child in found if child == name or child.startswith(f"{name}-")]
        return sorted((kind.value, child.replace(name, "RUN")) for kind, child in mine)

    def creations(self, name: str) -> list[str]:
        """The paths of the creations for a run that the API server carried out."""
        return [
            path.rsplit("/", 1)[1].replace(name, "RUN") + " " + path.rsplit("/", 2)[1]
            for method, path, status in self.proxy.writes
            if method == "POST" and status == 201 and path.rsplit("/", 1)[1].startswith(name)
        ]


@contextmanager
def scenario(
    plane: ControlPlane,
    namespace: str,
    folder: Path,
    environment: Mapping[str, str] | None = None,
    token: str | None = None,
    program: Sequence[str] = (),
    controllers: FakeControllers | None = None,
    gang: Gang = Gang.AUTO,
) -> Iterator[Scenario]:
    """An operator for one namespace, with the rights of `token`. It must end by SIGTERM, with exit code 0."""
    with ExitStack() as stack:
        proxy = stack.enter_context(fault_proxy(plane.server))
        controllers = stack.enter_context(running(controllers or FakeControllers(plane.client, namespace)))
        served = {"BLENDTUNE_NAMESPACES": namespace, "BLENDTUNE_LEASE_NAMESPACE": namespace}
        operator = OperatorProcess(
            plane.kubeconfig(proxy.url, token),
            folder / "operator.log",
            {**served, **(environment or {})},
            program,
        )
        operator.start()
        stack.callback(_stop, operator)
        client = plane.client
        until("there is a service account", lambda: client.find(
            f"/api/v1/namespaces/{namespace}/serviceaccounts/default"), every=0.05)  # fmt: skip
        yield Scenario(client, namespace, proxy, operator, controllers, gang)


def _stop(operator: OperatorProcess) -> None:
    """Fails where the operator had died by itself, even if all runs had ended by then."""
    code = operator.stop()
    assert code == 0, f"the operator ended with {code}:\n{operator.text()[-3000:]}"


def end_state(scenario: Scenario, name: str) -> Any:
    """All that a finished run leaves behind, without times and UIDs, and with its name taken out."""
    kinds = (Kind.BLENDED_FINE_TUNE, Kind.RUBRIC_EVAL)
    return _without_times([scenario.status(name, kind) for kind in kinds], name), scenario.children(name)


def _without_times(value: Any, name: str) -> Any:
    if isinstance(value, dict):
        skipped = ("startTime", "endTime", "completionTime", "lastTransitionTime", "lastUpdatedTime",
                   "trainingSeconds", "rehearsalSeconds", "trainerStatus", "uid", "jobUid",
                   "pinned")  # fmt: skip
        return {key: _without_times(item, name) for key, item in value.items() if key not in skipped}
    if isinstance(value, list):
        return [_without_times(item, name) for item in value]
    return value.replace(name, "RUN") if isinstance(value, str) else value
