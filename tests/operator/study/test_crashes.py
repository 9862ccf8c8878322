"""The operator is killed before and after each write of a study; no run is lost, doubled or started early."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.operator.study.studies import StudyWorld, kneed, study

from blendtune_api.blend_study import Axes, BlendStudy, Stopping, StudyRunState, StudyState
from blendtune_operator.names import Kind, Object

PARALLELISM = 2


class Killed(BaseException):
    """Ends the operator's process: a BaseException, which the operator does not catch."""


class KilledWorld(StudyWorld):
    """A world whose operator is killed at its n-th write, and then started again.

    `meanwhile` is called while it is down.
    """

    def __init__(
        self, n: int, *, after: bool, meanwhile: Callable[[KilledWorld], None] = lambda _: None
    ) -> None:
        super().__init__()
        self._n = n
        self._after = after
        self._meanwhile = meanwhile
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
            self._meanwhile(self)
            super().settle()
        assert len(self.active()) <= PARALLELISM
        recorded = {run.uid for run in self.study.status.runs}
        assert {run.metadata.uid for run in self.runs().values()} <= recorded, "every run is known"


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


def the_oldest_ends(world: KilledWorld) -> None:
    if world.active():
        world.finish(world.active()[0])


def all_end(world: KilledWorld) -> None:
    world.finish_all()


@pytest.mark.parametrize("meanwhile", [the_oldest_ends, all_end])
def test_runs_that_end_while_it_is_down_do_not_make_it_forget_what_it_has_started(
    meanwhile: Callable[[KilledWorld], None],
) -> None:
    """The first run of three epochs runs alone: once nothing else does, it comes before any other."""
    axes = Axes(in_domain_share=(0.25, 1.0), epochs=(1, 3), seeds=(1, 2))
    value = study(axes, parallelism=PARALLELISM, stopping=Stopping(gpu_hours=1000))

    def ended(world: KilledWorld) -> KilledWorld:
        world.apply(value)
        world.settle()
        world.finish_all(kneed)
        return world

    undisturbed = ended(KilledWorld(0, after=False))
    for n in range(1, undisturbed.seen + 1):
        world = ended(KilledWorld(n, after=True, meanwhile=meanwhile))
        assert world.study.status.state is StudyState.SUCCEEDED, n
        assert {run.state for run in world.study.status.runs} == {StudyRunState.SUCCEEDED}, n
        assert sorted(world.created) == sorted(undisturbed.created), n


def test_a_run_that_it_has_started_and_not_recorded_is_suspended_with_its_study() -> None:
    """The run is the operator's first write."""
    world = KilledWorld(
        1, after=True, meanwhile=lambda world: world.apply(study(parallelism=PARALLELISM, suspend=True))
    )
    world.apply(study(parallelism=PARALLELISM))
    world.settle()
    assert [run.spec.suspend for run in world.runs().values()] == [True]
