"""The operator is killed between any two of its writes; no run may lose or double anything."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.cluster.control_plane import ControlPlane
from tests.cluster.fault_proxy import Exchange, Fault
from tests.cluster.scenario import Scenario, end_state, scenario
from tests.operator.builders import self_blend

from blendtune_api.v1alpha1 import Gang
from blendtune_operator.gang import BACKENDS


class CrashAfter:
    """A rule: the operator is killed once, after `n` writes for one run, and started again.

    It gets no answer to the last of them. To the API server a crash before the next write is the same.
    """

    def __init__(self, world: Scenario, run: str, n: int | None = None) -> None:
        self._world = world
        self._run = run
        self._n = n
        self.writes = 0
        self.written: list[str] = []  # names of what was written
        self.killed = False

    def __call__(self, exchange: Exchange) -> Fault | None:
        if not exchange.is_write or not (
            exchange.name == self._run or exchange.name.startswith(f"{self._run}-")
        ):
            return None
        self.writes += 1
        self.written.append(exchange.name)
        if self.writes == 1 and self._n == 0:
            return Fault(before=self._restart)
        return Fault(after=self._restart) if self.writes == self._n else None

    def _restart(self) -> None:
        self.killed = True
        self._world.operator.kill()
        self._world.operator.start()


@pytest.mark.timeout(900)
@pytest.mark.parametrize("first", [0, 1], ids=["after even numbers of writes", "after odd numbers of writes"])
def test_a_crash_between_any_two_writes_changes_nothing(
    first: int, plane: ControlPlane, namespace: str, folder: Path
) -> None:
    with scenario(plane, namespace, folder) as world:
        undisturbed = CrashAfter(world, "calm")
        world.proxy.rule = undisturbed
        world.apply("calm", blend=self_blend())
        world.wait_for_state("Succeeded", "Failed", name="calm")
        expected, expected_creations = end_state(world, "calm"), sorted(world.creations("calm"))
        assert world.status("calm")["state"] == "Succeeded"
        points = range(first, undisturbed.writes + 4, 2)  # the last is never reached: the operator is up then
        killed = 0
        for n in points:
            run = f"killed{n}"
            rule = CrashAfter(world, run, n)
            world.proxy.rule = rule
            world.apply(run, blend=self_blend())
            world.wait_for_state("Succeeded", "Failed", name=run)
            assert end_state(world, run) == expected, f"killed after {n} writes"
            assert sorted(world.creations(run)) == expected_creations, f"killed after {n} writes"
            killed += rule.killed
        assert killed >= len(points) - 3


@pytest.mark.timeout(900)
@pytest.mark.parametrize("gang", [gang for gang in BACKENDS if gang is not Gang.PYTORCH_JOB], ids=str)
def test_a_crash_between_any_two_writes_of_a_training_changes_nothing(
    gang: Gang, plane: ControlPlane, namespace: str, folder: Path
) -> None:
    """What differs by gang: from the status before its first object to that after its end."""
    with scenario(plane, namespace, folder, gang=gang) as world:
        undisturbed = CrashAfter(world, "calm")
        world.proxy.rule = undisturbed
        world.apply("calm")
        world.wait_for_state("Succeeded", "Failed", name="calm")
        expected, expected_creations = end_state(world, "calm"), sorted(world.creations("calm"))
        assert world.status("calm")["state"] == "Succeeded"
        made = [n for n, name in enumerate(undisturbed.written, 1) if name.startswith("calm-train")]
        for n in range(made[0] - 1, made[-1] + 3):
            run = f"killed{n}"
            world.proxy.rule = rule = CrashAfter(world, run, n)
            world.apply(run)
            world.wait_for_state("Succeeded", "Failed", name=run)
            assert rule.killed, f"not killed after {n} writes"
            assert end_state(world, run) == expected, f"killed after {n} writes"
            assert sorted(world.creations(run)) == expected_creations, f"killed after {n} writes"
