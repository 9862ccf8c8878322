"""The operator dies right before and right after each of its writes; no run may lose or double anything."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.cluster.control_plane import ControlPlane
from tests.cluster.proxy import Exchange, Fault
from tests.cluster.scenario import Scenario, end_state, scenario


class DiesAt:
    """A rule: the operator is killed at the n-th write for one run, and started again."""

    def __init__(self, world: Scenario, run: str, n: int, when: str) -> None:
        self._world = world
        self._run = run
        self._n = n
        self._when = when
        self.seen = 0

    def __call__(self, exchange: Exchange) -> Fault | None:
        if not exchange.is_write or not (
            exchange.name == self._run or exchange.name.startswith(f"{self._run}-")
        ):
            return None
        self.seen += 1
        if self.seen != self._n:
            return None
        return Fault(before=self._die) if self._when == "before" else Fault(after=self._die)

    def _die(self) -> None:
        self._world.operator.kill()
        self._world.operator.start()


@pytest.mark.timeout(1500)
def test_a_crash_at_any_write_changes_nothing(
    plane: ControlPlane, namespace: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with scenario(plane, namespace, folder) as world:
        undisturbed = DiesAt(world, "calm", 0, "never")
        world.proxy.rule = undisturbed
        world.apply("calm")
        world.wait_for_state("Succeeded", "Failed", name="calm")
        expected, expected_creations = end_state(world, "calm"), sorted(world.creations("calm"))
        assert world.status("calm")["state"] == "Succeeded"
        points, killed = 0, 0
        for when in ("before", "after"):
            for n in range(1, undisturbed.seen + 3):
                run = f"k{n}-{when}"
                rule = DiesAt(world, run, n, when)
                world.proxy.rule = rule
                world.apply(run)
                world.wait_for_state("Succeeded", "Failed", name=run)
                assert end_state(world, run) == expected, f"killed {when} write {n}"
                assert sorted(world.creations(run)) == expected_creations, f"killed {when} write {n}"
                points += 1
                killed += rule.seen >= n
        assert killed >= 2 * (undisturbed.seen - 2)
        with capsys.disabled():
            print(
                f"\nkilled at {killed} of {points} points; an undisturbed run makes {undisturbed.seen} "
                "writes; 0 children lost, 0 doubled"
            )
