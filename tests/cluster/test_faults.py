"""Faults between operator and API server: each run ends as an undisturbed one, and nothing is doubled."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cluster.control_plane import ControlPlane
from tests.cluster.fault_proxy import Exchange, Fault
from tests.cluster.operator_process import OperatorProcess
from tests.cluster.scenario import Scenario, end_state, scenario

from blendtune_api.v1alpha1 import Gang
from blendtune_operator.gang import BACKENDS
from blendtune_operator.names import CHILD_KINDS, PARENT_KINDS, Kind

Rule = Callable[[Exchange], Fault | None]
_CHILDREN = {kind.plural for kind in (*CHILD_KINDS, Kind.POD) if kind not in PARENT_KINDS}


def every(period: int, fault: Fault, *, reads: bool = False, writes: bool = False) -> Rule:
    """The fault at every n-th read or write."""
    counter = itertools.count(1)

    def rule(exchange: Exchange) -> Fault | None:
        wanted = writes if exchange.is_write else reads
        return fault if wanted and next(counter) % period == 0 else None

    return rule


def stale_lists(reads: int) -> Rule:
    """So many lists of children are answered as the first time, when there were none."""
    left = itertools.count(1)

    def rule(exchange: Exchange) -> Fault | None:
        is_list = not exchange.is_write and exchange.name in _CHILDREN
        return Fault(stale=True) if is_list and next(left) <= reads else None

    return rule


RULES = {
    "409 to every third write": every(3, Fault(status=409), writes=True),
    "429 to every fourth request": every(4, Fault(status=429, retry_after=1), reads=True, writes=True),
    "500 to every fourth request": every(4, Fault(status=500), reads=True, writes=True),
    "every second answer to a write lost": every(2, Fault(lost=True), writes=True),
    "twenty stale lists": stale_lists(20),
    "stale reads now and then": every(4, Fault(stale=True), reads=True),
}
_dropped = itertools.count(1)
WATCH_RULES: dict[str, Callable[[bytes], list[bytes]]] = {
    "every event twice": lambda line: [line, line],
    "every third event dropped": lambda line: [] if next(_dropped) % 3 == 0 else [line],
    "every fifth event answered with 410 Gone": lambda line: (
        [b'{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired"}}\n']
        if next(_dropped) % 5 == 0
        else [line]
    ),
}


def finish(world: Scenario, name: str) -> None:
    world.apply(name)
    world.wait_for_state("Succeeded", "Failed", name=name)


def check(world: Scenario, name: str, case: str) -> None:
    """The run ended as the calm one did, each child created once."""
    assert end_state(world, name) == end_state(world, "calm"), case
    created = world.creations(name)
    assert len(created) == len(set(created))
    assert set(created) <= set(world.creations("calm"))


@pytest.mark.parametrize("gang", BACKENDS, ids=str)
def test_bad_answers(gang: Gang, plane: ControlPlane, namespace: str, folder: Path) -> None:
    with scenario(plane, namespace, folder, gang=gang) as world:
        finish(world, "calm")
        for number, (case, rule) in enumerate(RULES.items()):
            world.proxy.rule = rule
            finish(world, f"rough{number}")
            world.proxy.rule = lambda _: None
            check(world, f"rough{number}", case)
        assert "Traceback" not in world.operator.text()


def test_bad_watches(plane: ControlPlane, namespace: str, folder: Path) -> None:
    with scenario(plane, namespace, folder) as world:
        finish(world, "calm")
        for number, (case, rule) in enumerate(WATCH_RULES.items()):
            world.proxy.watch_rule = rule
            finish(world, f"rough{number}")
            check(world, f"rough{number}", case)
        world.proxy.watch_rule = lambda line: [line]
        world.proxy.watch_delay = 0.5
        finish(world, "late")
        world.proxy.watch_delay = 0.0
        check(world, "late", "every event half a second late")
        world.apply("cut")
        refusals = itertools.cycle((429, 500, 0))
        world.proxy.open_rule = lambda: next(refusals)
        while world.status("cut").get("state") not in ("Succeeded", "Failed"):
            world.proxy.cut_watches()
            seen = world.status("cut").get("conditions")
            world.wait_for("something moved", lambda seen=seen: world.status("cut").get("conditions") != seen)
        check(world, "cut", "watches cut, and two of three attempts to open one refused")


def test_a_watch_that_is_silent_but_alive_is_opened_anew(
    plane: ControlPlane, namespace: str, folder: Path
) -> None:
    """No re-list would find what it does not bring in time."""
    environment = {"BLENDTUNE_RESYNC_SECONDS": "3600", "BLENDTUNE_WATCH_SILENCE_SECONDS": "2"}
    with scenario(plane, namespace, folder, environment) as world:
        finish(world, "calm")
        world.proxy.mute_watches()
        finish(world, "unheard")
        check(world, "unheard", "all watches silent")


def test_a_stale_reader_never_erases_a_latched_stage(
    plane: ControlPlane, namespace: str, folder: Path
) -> None:
    """A restarted operator reads only how the run was before it began, and gets no watch events."""
    with scenario(plane, namespace, folder) as world:
        world.operator.stop()
        world.apply("calm")
        world.proxy.forget_answers()
        world.operator.start()
        world.wait_for_state("Succeeded", name="calm")
        known, children = world.status("calm"), world.children("calm")
        written = len(world.proxy.writes)

        def rule(exchange: Exchange) -> Fault | None:
            is_read = not exchange.is_write and "/blendedfinetunes" in exchange.path
            return Fault(stale=True) if is_read else None

        world.operator.stop()
        world.proxy.rule = rule
        world.proxy.watch_rule = lambda _: []
        world.operator.start()

        def answered() -> list[int]:
            return [status for _, path, status in world.proxy.writes[written:] if "calm" in path and status]

        world.wait_for("it tried often", lambda: len(answered()) > 5)
        assert set(answered()) == {409}
        assert world.status("calm") == known
        assert world.children("calm") == children


def test_two_operators_at_once(plane: ControlPlane, namespace: str, folder: Path) -> None:
    """Each holds a Lease of its own: names and resource versions alone keep them apart."""
    with scenario(plane, namespace, folder) as world:
        environment = {"BLENDTUNE_NAMESPACES": namespace, "BLENDTUNE_LEASE_NAMESPACE": "default"}
        second = OperatorProcess(plane.kubeconfig(world.proxy.url), folder / "second.log", environment)
        second.start()
        try:
            world.wait_for("both work", lambda: "holding the Lease" in second.text())
            for number in range(5):
                world.apply(f"run{number}")
            for number in range(5):
                world.wait_for_state("Succeeded", "Failed", name=f"run{number}")
                created = world.creations(f"run{number}")
                assert len(created) == len(set(created)) == 6
                assert world.status(f"run{number}")["state"] == "Succeeded"
        finally:
            second.stop()
        assert "Traceback" not in second.text() + world.operator.text()
