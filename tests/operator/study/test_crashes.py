"""The operator dies right before and right after each write of a study; no run is lost, doubled or early."""

from __future__ import annotations

import pytest
from tests.operator.study.studies import StudyWorld, kneed, study

from blendtune_api.blend_study import Axes, BlendStudy, StudyState
from blendtune_operator.names import Kind, Object

PARALLELISM = 2


class Killed(BaseException):
    """The end of the operator's process: nothing catches it."""


class MortalWorld(StudyWorld):
    """A world whose operator dies at its n-th write, and is started again."""

    def __init__(self, n: int, *, after: bool) -> None:
        super().__init__()
        self._n = n
        self._after = after
        self.seen = 0

    async def create(self, obj: Object) -> Object:
        self._die(before=True)
        created = await super().create(obj)
        self._die(before=False)
        return created

    async def write_status(self, obj: Object, status: Object) -> None:
        self._die(before=True)
        await super().write_status(obj, status)
        self._die(before=False)

    def _die(self, *, before: bool) -> None:
        self.seen += before
        if self.seen == self._n and before is not self._after:
            self._n = 0
            raise Killed

    def settle(self) -> None:
        try:
            super().settle()
        except Killed:
            super().settle()
        assert len(self.active()) <= PARALLELISM


def life(world: MortalWorld) -> BlendStudy:
    world.apply(study(Axes(in_domain_share=(0.25, 1.0), seeds=(1, 2)), parallelism=PARALLELISM))
    world.settle()
    removed = world.active()[0]
    world.remove(world.objects[Kind.BLENDED_FINE_TUNE, "team", removed])
    world.settle()
    world.finish_all(kneed)
    return world.study


def test_a_crash_at_any_write_changes_nothing() -> None:
    calm = MortalWorld(0, after=False)
    expected = life(calm)
    assert expected.status.state is StudyState.SUCCEEDED
    assert calm.seen > 10
    for n in range(1, calm.seen + 1):
        for after in (False, True):
            world = MortalWorld(n, after=after)
            found = life(world)
            where = f"killed {'after' if after else 'before'} write {n}"
            assert found.status.recommendation == expected.status.recommendation, where
            assert [run.state for run in found.status.runs] == [run.state for run in expected.status.runs], (
                where
            )
            assert sorted(world.created) == sorted(calm.created), where


@pytest.mark.parametrize("n", [0, 1, 5])
def test_a_dead_operator_is_noticed(n: int) -> None:
    world = MortalWorld(n, after=False)
    life(world)
    assert world.seen >= n
