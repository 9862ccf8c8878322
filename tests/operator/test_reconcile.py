"""What reconcile adds to the plan: adoption, conflicts, stale lists, refusals, and no write without need."""

from __future__ import annotations

import dataclasses
from datetime import timedelta

import pytest
from tests.operator.builders import blend_result, eval_result, fine_tune, train_result
from tests.operator.world import World

from blendtune_api.v1alpha1 import ConditionStatus, ConditionType, Reason, State
from blendtune_operator import names, observe, render
from blendtune_operator.cluster import Key
from blendtune_operator.conditions import find, is_true, timestamp
from blendtune_operator.kinds import KINDS
from blendtune_operator.names import Kind
from blendtune_operator.plan.children import Children
from blendtune_operator.settings import Settings


def accepted(world: World) -> tuple[ConditionStatus, str, str]:
    found = find(world.fine_tune().status.conditions, ConditionType.ACCEPTED)
    assert found is not None
    return found.status, found.reason, found.message


def finished_world() -> World:
    world = World()
    world.apply(fine_tune())
    world.settle()
    world.succeed(world.job("ads-blend"), blend_result())
    world.settle()
    world.succeed(world.job("ads-train-1"), train_result())
    world.settle()
    world.succeed(world.job("ads-eval"), eval_result())
    world.settle()
    return world


def test_a_run_that_is_gone_needs_nothing() -> None:
    assert World().reconcile(Key(Kind.BLENDED_FINE_TUNE, "team", "ads")) is None


def test_a_quiet_world_stays_quiet() -> None:
    world = finished_world()
    before, events = world.writes, len(world.events)
    for _ in range(3):
        world.wait(3600)
    assert (world.writes, len(world.events)) == (before, events)


def test_a_child_of_ours_that_is_there_already_is_adopted() -> None:
    world = World()
    world.apply(fine_tune())
    run = world.fine_tune()
    for child in render.children(run, Settings())[:2]:
        world.put(child)
    world.hidden = {"ads-run", "ads-blend"}
    world.settle()
    assert world.created == []
    assert world.fine_tune().status.state is State.BLENDING
    world.hidden = set()
    world.settle()
    assert world.created == []


def test_a_child_of_someone_else_is_a_conflict_until_it_goes() -> None:
    world = World()
    key = world.apply(fine_tune())
    stranger = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "ads-blend", "namespace": "team"},
    }
    stored = world.put(stranger)
    world.settle()
    status, reason, message = accepted(world)
    assert (status, reason) == (ConditionStatus.FALSE, Reason.NAME_CONFLICT)
    assert "Job ads-blend is there already and belongs to something else" in message
    assert world.fine_tune().status.attempts == ()
    assert world.reconcile(key) == world.settings.obstacle_interval
    world.remove(stored)
    world.settle()
    assert accepted(world)[0] is ConditionStatus.TRUE
    assert world.fine_tune().status.state is State.BLENDING


def test_a_child_that_lost_its_labels_is_a_conflict() -> None:
    world = World()
    world.apply(fine_tune())
    child = render.children(world.fine_tune(), Settings())[1]
    child["metadata"]["labels"] = {}
    world.put(child)
    world.settle()
    assert accepted(world)[1] == Reason.NAME_CONFLICT
    assert "lost its labels" in accepted(world)[2]


def test_a_child_that_the_api_server_refuses_is_said_with_its_reason() -> None:
    world = World()
    world.apply(fine_tune())
    world.refused = {"ads-blend": "exceeded quota: pods=10"}
    world.settle()
    assert accepted(world)[1] == Reason.CHILD_REFUSED
    assert world.fine_tune().status.state is State.PENDING
    assert "exceeded quota: pods=10" in accepted(world)[2]
    world.refused = {}
    world.settle()
    assert world.fine_tune().status.state is State.BLENDING


def test_a_stage_that_ended_stays_ended_when_the_next_is_refused() -> None:
    world = World()
    world.apply(fine_tune())
    world.settle()
    world.refused = {"ads-train-1": "exceeded quota: pods=10"}
    world.succeed(world.job("ads-blend"), blend_result())
    world.settle()
    status = world.fine_tune().status
    assert accepted(world)[1] == Reason.CHILD_REFUSED
    assert is_true(status.conditions, ConditionType.DATA_BLENDED)
    assert [attempt.cause for attempt in status.attempts] == ["Completed"]
    world.refused = {}
    world.settle()
    assert world.fine_tune().status.state is State.TRAINING


def test_a_conflict_is_looked_at_again_at_once_and_creates_nothing_twice() -> None:
    world = World()
    key = world.apply(fine_tune())
    world.conflicts = 1
    assert world.reconcile(key) == timedelta()
    assert world.fine_tune().status.attempts == ()
    assert world.events == []
    world.settle()
    assert world.created == [("ConfigMap", "ads-run"), ("Job", "ads-blend")]
    assert len(world.fine_tune().status.attempts) == 1


def test_a_stale_list_does_not_end_a_running_attempt() -> None:
    world = World()
    world.apply(fine_tune())
    world.settle()
    world.hidden = {"ads-blend"}
    world.wait(600)
    world.hidden = set()
    world.settle()
    assert [attempt.end_time for attempt in world.fine_tune().status.attempts] == [None]
    assert world.created.count(("Job", "ads-blend")) == 1


@pytest.fixture
def plans(monkeypatch: pytest.MonkeyPatch) -> list[Children]:
    """Collects what each plan of a BlendedFineTune was made from."""
    made: list[Children] = []
    entry = KINDS[Kind.BLENDED_FINE_TUNE]

    def plan(run: object, children: Children, *rest: object) -> object:
        made.append(children)
        return entry.plan(run, children, *rest)

    changed = {**KINDS, Kind.BLENDED_FINE_TUNE: dataclasses.replace(entry, plan=plan)}
    monkeypatch.setattr(observe, "KINDS", changed)
    return made


def test_a_reconcile_without_work_plans_once(plans: list[Children]) -> None:
    world = World()
    key = world.apply(fine_tune())
    world.settle()
    plans.clear()
    world.reconcile(key)
    assert len(plans) == 1


def test_a_reconcile_with_work_plans_once_from_the_cache_and_once_from_the_api_server(
    plans: list[Children],
) -> None:
    world = World()
    key = world.apply(fine_tune())
    world.reconcile(key)
    assert world.created == [("ConfigMap", "ads-run"), ("Job", "ads-blend")]
    assert len(plans) == 2


@pytest.mark.parametrize(
    ("hidden", "planned"),
    [pytest.param(False, 2, id="pods that were known"), pytest.param(True, 3, id="pods that were not")],
)
def test_a_failed_attempt_is_planned_again_with_pods_that_were_not_known(
    hidden: bool, planned: int, plans: list[Children]
) -> None:
    world = World()
    key = world.apply(fine_tune())
    world.settle()
    job = world.job("ads-blend")
    world.fail(job, 65)
    job["status"]["conditions"][0]["lastTransitionTime"] = timestamp(world.now - timedelta(hours=1))
    if hidden:
        world.hidden = {pod["metadata"]["name"] for pod in world.pods(job)}
    plans.clear()
    world.reconcile(key)
    assert len(plans) == planned
    (attempt,) = world.fine_tune().status.attempts
    assert attempt.exit_code == 65


def test_pods_of_the_evaluation_are_not_taken_for_the_runs_own() -> None:
    world = finished_world()
    uids = {pod["metadata"]["labels"][names.OWNER_UID] for pod in world.pods()}
    assert uids == {world.fine_tune().metadata.uid, world.rubric_eval().metadata.uid}


def test_each_transition_is_told_once() -> None:
    world = finished_world()
    reasons = [(event.type, event.message.split(":")[0], event.reason) for event in world.events]
    assert reasons.count(("Normal", "DataBlended", "Completed")) == 1
    assert reasons.count(("Normal", "TrainingSucceeded", "Completed")) == 1
    assert ("Normal", "Succeeded", "Completed") in reasons
    assert not any(kind == "Warning" for kind, _, _ in reasons)


def test_a_failure_is_a_warning() -> None:
    world = World()
    world.apply(fine_tune())
    world.settle()
    world.fail(world.job("ads-blend"), 65)
    world.settle()
    assert ("Warning", "StageFailed") in {(event.type, event.reason) for event in world.events}
