"""The operator is killed before and after each write of a study; no run is lost, doubled or started early."""

from __future__ import annotations

import pytest
from tests.operator.study.studies import StudyWorld, kneed, study

from blendtune_api.blend_study import Axes, BlendStudy, Stopping, StudyState
from blendtune_operator.names import Kind, Object

PARALLELISM = 2


class Killed(BaseException):
    """Ends the operator's process: a BaseException, which the operator does not catch."""


class KilledWorld(StudyWorld):
    """A world whose operator is killed at its n-th write, and then started again."""

    def __init__(self, n: int, *, after: bool) -> None:
        super().__init__()
        self._n = n
        self._after = after
        self.seen = 0

    async def create(self, obj: Object) -> Object:
        self._kill(before=True)
        created = await super().create(obj)
        self._kill(before=False)
        return created

    async def write_status(self, obj: Object, status: Object) -> None:
        self._kill(before=True)
        await super().write_status(obj, status)
        self._kill(before=False)

    def _kill(self, *, before: bool) -> None:
        self.seen += before
        if self.seen == self._n and before is not self._after:
            self._n = 0
            self.made.clear()  # another process knows nothing of what this one has created
            raise Killed

    def settle(self) -> None:
        try:
            super().settle()
        except Killed:
            super().settle()
        assert len(self.active()) <= PARALLELISM


def run_study(world: KilledWorld, stopping: Stopping) -> BlendStudy:
    axes = Axes(in_domain_share=(0.25, 1.0), seeds=(1, 2))
    world.apply(study(axes, parallelism=PARALLELISM, stopping=stopping))
    world.settle()
    removed = world.active()[0]
    world.remove(world.objects[Kind.BLENDED_FINE_TUNE, "team", removed])
    world.settle()
    world.finish_all(kneed)
    return world.study


@pytest.mark.parametrize("stopping", [Stopping(), Stopping(gpu_hours=1000)], ids=["no budget", "a budget"])
def test_a_crash_at_any_write_changes_nothing(stopping: Stopping) -> None:
    undisturbed = KilledWorld(0, after=False)
    expected = run_study(undisturbed, stopping)
    assert expected.status.state is StudyState.SUCCEEDED
    assert undisturbed.seen > 10
    for n in range(1, undisturbed.seen + 1):
        for after in (False, True):
            world = KilledWorld(n, after=after)
            found = run_study(world, stopping)
            where = f"killed {'after' if after else 'before'} write {n}"
            assert found.status.recommendation == expected.status.recommendation, where
            assert [run.state for run in found.status.runs] == [run.state for run in expected.status.runs], (
                where
            )
            assert sorted(world.created) == sorted(undisturbed.created), where


@pytest.mark.parametrize("n", [0, 1, 5])
def test_the_operator_is_killed_at_the_write_that_the_test_names(n: int) -> None:
    world = KilledWorld(n, after=False)
    run_study(world, Stopping())
    assert world.seen >= n
