"""Whatever happens to a run, in whatever order, its invariants hold and it can still succeed."""

from __future__ import annotations

from dataclasses import replace
from enum import Enum, auto

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.operator.builders import GATES, fine_tune, result_of, self_blend
from tests.operator.gangs import policy
from tests.operator.world import World

from blendtune_api import codec
from blendtune_api.v1alpha1 import (
    BlendedFineTuneStatus,
    Cluster,
    ConditionType,
    Gang,
    State,
)
from blendtune_operator.conditions import is_finished, is_true
from blendtune_operator.gang import BACKENDS
from blendtune_operator.names import STAGE, Kind, Object
from blendtune_operator.plan import fine_tune as fine_tune_plan
from blendtune_operator.plan.children import Children
from blendtune_operator.settings import Settings

LATCHES = {
    ConditionType.DATA_REHEARSED: "rehearse",
    ConditionType.DATA_BLENDED: "blend",
    ConditionType.TRAINING_SUCCEEDED: "train",
    ConditionType.EVALUATION_SUCCEEDED: "eval",
}


class Happening(Enum):
    PODS_START = auto()
    JOB_SUCCEEDS = auto()
    JOB_SUCCEEDS_WITHOUT_RESULT = auto()
    JOB_CRASHES = auto()
    JOB_FAILS_PERMANENTLY = auto()
    JOB_IS_PREEMPTED = auto()
    JOB_IS_REMOVED = auto()
    PODS_LET_GO = auto()
    QUEUE_HOLDS = auto()
    QUEUE_RELEASES = auto()
    USER_SUSPENDS = auto()
    USER_RESUMES = auto()
    USER_RETRIES = auto()
    USER_EDITS_THE_CLUSTER = auto()
    STATUS_WRITE_CONFLICTS = auto()
    LIST_IS_STALE = auto()
    LIST_IS_FRESH = auto()
    TIME_PASSES = auto()
    A_DAY_PASSES = auto()


def happen(world: World, happening: Happening) -> None:
    jobs = world.active_jobs()
    job = jobs[0] if jobs else None
    match happening, job:
        case (Happening.PODS_START, job) if job is not None and not _held(job):
            world.start(job)
        case (Happening.JOB_SUCCEEDS, job) if job is not None and not _held(job):
            world.succeed(job, result_of(job["metadata"]["labels"][STAGE]))
        case (Happening.JOB_SUCCEEDS_WITHOUT_RESULT, job) if job is not None and not _held(job):
            world.succeed(job, None)
        case (Happening.JOB_CRASHES, job) if job is not None and not _held(job):
            world.fail(job, 1)
        case (Happening.JOB_FAILS_PERMANENTLY, job) if job is not None and not _held(job):
            world.fail(job, 65)
        case (Happening.JOB_IS_PREEMPTED, job) if job is not None and not _held(job):
            world.preempt(job)
        case (Happening.JOB_IS_REMOVED, job) if job is not None:
            world.remove(job)
        case (Happening.QUEUE_HOLDS, job) if job is not None and not world.live_pods(job):
            world.hold(job)
        case (Happening.QUEUE_RELEASES, job) if job is not None:
            world.hold(job, False)
        case (Happening.PODS_LET_GO, _):
            world.let_go()
        case (Happening.USER_SUSPENDS, _):
            _edit(world, suspend=True)
        case (Happening.USER_RESUMES, _):
            _edit(world, suspend=False)
        case (Happening.USER_RETRIES, _):
            _edit(world, retry=world.fine_tune().spec.retry + 1)
        case (Happening.USER_EDITS_THE_CLUSTER, _):
            cluster = world.fine_tune().spec.cluster
            _edit(world, cluster=replace(cluster, nodes=cluster.nodes % 3 + 1))
        case (Happening.STATUS_WRITE_CONFLICTS, _):
            world.conflicts = 1
        case (Happening.LIST_IS_STALE, job) if job is not None:
            world.hidden = {job["metadata"]["name"]}
        case (Happening.LIST_IS_FRESH, _):
            world.hidden = set()
        case (Happening.TIME_PASSES, _):
            world.wait(30)
        case (Happening.A_DAY_PASSES, _):
            world.wait(86_400)


def _edit(world: World, **spec: object) -> None:
    run = world.fine_tune()
    world.apply(replace(run, spec=replace(run.spec, **spec)))  # type: ignore[arg-type]


def _held(job: Object) -> bool:
    return bool(policy(job).get("suspend"))


def check(world: World, before: BlendedFineTuneStatus, created_before: int) -> None:
    run = world.fine_tune()
    status = run.status
    new = world.created[created_before:]
    jobs = [name for kind, name in world.created if kind != Kind.RUBRIC_EVAL and "-eval" not in name]
    assert len(jobs) == len(set(jobs)), "a child was created twice"
    for latch, stage in LATCHES.items():
        if is_true(before.conditions, latch):
            assert is_true(status.conditions, latch), f"{latch} was forgotten"
            assert not any(f"-{stage}" in name for _, name in new), f"{stage} ran again"
    for stage in ("rehearse", "blend", "train"):
        running = [
            job for job in world.jobs() if f"-{stage}" in job["metadata"]["name"] and world.live_pods(job)
        ]
        assert len(running) <= 1, "two attempts of a stage ran at once"
    if is_finished(before.conditions) and run.spec.retry == before.retry:
        assert not new, "a finished run created something"
    assert status.failures <= run.spec.cluster.backoff_limit + 1
    encoded = codec.encode(status)
    assert codec.decode(BlendedFineTuneStatus, encoded) == status, "the status breaks its own bounds"
    children = Children.of(run, list(world))
    plans = [fine_tune_plan.plan(run, children, world.now, world.settings) for _ in range(2)]
    assert plans[0] == plans[1], "the plan is not a function of the world"
    if not world.hidden:
        assert plans[0].create == () and codec.encode(plans[0].status) == encoded, "not settled"


def finish(world: World) -> None:
    """Lets everything succeed from now on."""
    world.hidden, world.conflicts = set(), 0
    _edit(world, suspend=False)
    world.settle()
    if world.fine_tune().status.state is State.FAILED:
        _edit(world, retry=world.fine_tune().spec.retry + 1)
    for _ in range(12):
        world.let_go()
        world.wait(3600)
        for job in world.active_jobs():
            world.hold(job, False)
            happen(world, Happening.JOB_SUCCEEDS)
        world.settle()
        if is_finished(world.fine_tune().status.conditions):
            return


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.sampled_from(list(BACKENDS)), st.booleans(), st.lists(st.sampled_from(Happening), max_size=25))
def test_invariants_hold_whatever_happens_and_the_run_can_succeed(
    gang: Gang, rehearses: bool, happenings: list[Happening]
) -> None:
    world = World(Settings(gang=gang))
    evaluation = replace(fine_tune().spec.evaluation, gates=GATES)
    blend = {"blend": self_blend()} if rehearses else {}
    world.apply(fine_tune(evaluation=evaluation, cluster=Cluster(nodes=2, backoff_limit=2), **blend))
    world.settle()
    for happening in happenings:
        before, created = world.fine_tune().status, len(world.created)
        happen(world, happening)
        world.settle()
        check(world, before, created)
    finish(world)
    assert world.fine_tune().status.state is State.SUCCEEDED
    assert is_true(world.fine_tune().status.conditions, ConditionType.GATES_PASSED)
    writes = world.writes
    world.wait(3600)
    assert world.writes == writes
