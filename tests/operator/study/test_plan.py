"""A study from its creation to its recommendation, with runs that the tests end themselves."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.operator.study.studies import StudyWorld, study, template, world_of

from blendtune_api.blend_study import (
    Axes,
    Bound,
    Objective,
    RecommendationVerdict,
    Search,
    SearchKind,
    Stopping,
    StudyRunState,
    StudyState,
)
from blendtune_api.v1alpha1 import (
    Cluster,
    ConditionStatus,
    ConditionType,
    Evaluation,
    Metric,
    Reason,
    RehearsePod,
    Retention,
)
from blendtune_operator.cli.study_page import study_page
from blendtune_operator.conditions import find
from blendtune_operator.names import Kind, Object


def condition(world: StudyWorld, type: ConditionType) -> tuple[ConditionStatus, str]:
    found = find(world.study.status.conditions, type)
    assert found is not None
    return found.status, found.reason


def child(world: StudyWorld, name: str) -> Object:
    return world.objects[Kind.BLENDED_FINE_TUNE, "team", name]


@pytest.mark.parametrize("parallelism", [1, 2, 4, 100])
def test_it_runs_all_and_never_more_at_a_time_than_it_may(parallelism: int) -> None:
    world = world_of(study(parallelism=parallelism))
    most = 0
    while active := world.active():
        most = max(most, len(active))
        world.finish(active[-1])
    assert most == min(parallelism, 6)
    status = world.study.status
    assert status.state is StudyState.SUCCEEDED
    assert status.counts is not None
    assert (status.counts.total, status.counts.succeeded) == (6, 6)
    assert all(kind == Kind.BLENDED_FINE_TUNE for kind, _ in world.created)
    assert len(world.created) == len(set(world.created)) == 6


def test_it_ends_in_a_recommendation() -> None:
    world = world_of(study(parallelism=6))
    world.finish_all()
    found = world.study.status.recommendation
    assert found is not None and found.setting is not None
    assert found.verdict is RecommendationVerdict.RECOMMENDED
    assert found.setting.in_domain_share == 0.5
    assert found.message.startswith("Use share 0.5. It scores 0.900 in inDomain")
    assert condition(world, ConditionType.RECOMMENDED) == (ConditionStatus.TRUE, Reason.RECOMMENDED)
    assert {point.in_domain_share for point in world.study.status.pareto_front} == {0.5}


def test_the_objective_says_what_is_looked_for() -> None:
    bound = Bound(metric=Metric.IN_DOMAIN, max_drop=0.1)
    world = world_of(study(parallelism=6, objective=Objective(maximize=Metric.GENERAL, subject_to=bound)))
    world.finish_all()
    found = world.study.status.recommendation
    assert found is not None and found.setting is not None
    assert (found.setting.in_domain_share, found.setting.objective) == (0.25, 0.75)
    assert found.tied == ("share 0.5",)


RETENTION = Bound(metric=Metric.RETENTION, max_rise=0.1)
BENCHMARK = Bound(metric=Metric.BENCHMARK, name="gsm8k", max_drop=0.1)


@pytest.mark.parametrize(
    ("bound", "words"),
    [
        pytest.param(RETENTION, "changes retention by +0.000 (-0.010 to +0.010)", id="retention"),
        pytest.param(BENCHMARK, "changes benchmark gsm8k by +0.000", id="benchmark"),
    ],
)
def test_retention_or_a_benchmark_bounds_what_may_be_lost(bound: Bound, words: str) -> None:
    gated = template(evaluation=Evaluation(benchmarks=("gsm8k",)))
    objective = Objective(maximize=Metric.IN_DOMAIN, subject_to=bound)
    world = world_of(study(parallelism=6, template=gated, objective=objective))
    world.finish_all()
    found = world.study.status.recommendation
    assert found is not None and found.setting is not None
    assert found.verdict is RecommendationVerdict.RECOMMENDED
    assert (found.setting.in_domain_share, found.setting.constrained) == (0.5, 0.0)
    assert words in found.message
    assert f"losing more than 0.1 in {bound.subject}: share 1" in found.message
    page = study_page(world.study)
    assert "One over the other" not in page
    assert f"{bound.metric} -0.500" in page


@pytest.mark.parametrize(
    ("bound", "evaluation", "words"),
    [
        pytest.param(BENCHMARK, Evaluation(benchmarks=("mmlu",)), "names mmlu", id="not run"),
        pytest.param(RETENTION, Evaluation(retention=Retention(rows=0)), "rows is 0", id="not measured"),
    ],
)
def test_what_is_bounded_must_be_measured(bound: Bound, evaluation: Evaluation, words: str) -> None:
    objective = Objective(maximize=Metric.IN_DOMAIN, subject_to=bound)
    world = world_of(study(template=template(evaluation=evaluation), objective=objective))
    assert world.runs() == {}
    accepted = next(each for each in world.study.status.conditions if each.type == ConditionType.ACCEPTED)
    assert words in accepted.message


def test_a_finished_study_is_quiet() -> None:
    world = world_of(study(parallelism=3))
    world.finish_all()
    writes = world.writes
    world.wait(3600)
    assert world.writes == writes


def test_a_value_added_to_a_finished_study_runs_only_what_is_new() -> None:
    world = world_of(study(parallelism=3))
    world.finish_all()
    before = world.study.status.runs
    axes = Axes(in_domain_share=(0.25, 0.5, 0.75, 1.0), seeds=(1, 2))
    world.apply(study(axes, parallelism=3))
    world.settle()
    assert world.study.status.state is StudyState.RUNNING
    assert world.study.status.recommendation is None
    assert world.finish_all() == 2
    after = {run.name: run for run in world.study.status.runs}
    assert all(after[run.name] == run for run in before)
    assert world.study.status.state is StudyState.SUCCEEDED


def test_a_share_that_is_taken_out_before_its_run_began_is_not_run() -> None:
    world = world_of(study(parallelism=1))
    runs = len(world.study.status.runs)
    world.apply(study(Axes(in_domain_share=(0.25, 0.5), seeds=(1, 2)), parallelism=1))
    world.settle()
    world.finish_all()
    assert {run.in_domain_share for run in world.study.status.runs} == {0.25, 0.5}
    assert len(world.study.status.runs) < runs


def test_a_rehearsal_holds_its_gpus_too() -> None:
    world = world_of(study(parallelism=1, template=template(cluster=Cluster(rehearse=RehearsePod(gpus=2)))))
    (first,) = world.active()
    child(world, first)["status"] = {"trainingSeconds": 1800, "rehearsalSeconds": 900}
    world.settle()
    (run,) = (run for run in world.study.status.runs if run.name == first)
    gpus = Cluster().nodes * Cluster().gpus_per_node
    assert run.gpu_hours == pytest.approx(0.5 * gpus + 0.25 * 2)


def test_a_run_that_is_removed_before_its_end_is_run_again_and_what_it_spent_stays_spent() -> None:
    world = world_of(study(parallelism=2))
    first = world.active()[0]
    child(world, first)["status"] = {"trainingSeconds": 1800}
    world.settle()
    world.remove(child(world, first))
    world.settle()
    assert first in world.active()
    world.finish_all(hours=1.0)
    run = next(run for run in world.study.status.runs if run.name == first)
    assert run.state is StudyRunState.SUCCEEDED
    assert run.gpu_hours == pytest.approx(1.0 + 0.5 * 8)


def test_a_run_that_is_removed_after_its_end_stays_known() -> None:
    world = world_of(study(parallelism=6))
    names = world.active()
    world.finish_all()
    before = world.study.status
    for name in names:
        world.remove(child(world, name))
    world.settle()
    assert world.study.status == before
    assert not world.runs()


def test_a_failed_run_is_reported_and_the_others_go_on() -> None:
    world = world_of(study(parallelism=1))
    failed = world.active()[0]
    world.fail_run(failed)
    assert world.finish_all() == 5
    status = world.study.status
    assert status.state is StudyState.SUCCEEDED
    run = next(run for run in status.runs if run.name == failed)
    assert (run.state, run.message) == (StudyRunState.FAILED, "StageFailed: row 7 is no JSON")
    succeeded = find(status.conditions, ConditionType.SUCCEEDED)
    assert succeeded is not None and failed in succeeded.message


def test_too_many_failed_runs_end_it_once_those_under_way_have_ended() -> None:
    world = world_of(study(parallelism=3, stopping=Stopping(failed_runs=2)))
    first, second, third = world.active()
    world.fail_run(first)
    world.fail_run(second)
    assert third in world.active() and len(world.active()) == 2
    world.finish_all()
    assert len(world.created) == 4
    assert world.study.status.state is StudyState.FAILED
    assert condition(world, ConditionType.FAILED) == (ConditionStatus.TRUE, Reason.TOO_MANY_FAILED_RUNS)


def test_without_any_success_it_fails() -> None:
    world = world_of(study(parallelism=6))
    for name in world.active():
        world.fail_run(name)
    assert condition(world, ConditionType.FAILED) == (ConditionStatus.TRUE, Reason.NO_RUN_SUCCEEDED)


@pytest.mark.parametrize(("budget", "runs"), [(0.5, 1), (1.0, 1), (2.5, 2), (5.0, 5), (6.0, 6), (99.0, 6)])
def test_it_never_passes_its_budget(budget: float, runs: int) -> None:
    world = world_of(study(parallelism=4, stopping=Stopping(gpu_hours=budget)))
    assert len(world.active()) == 1, "the first shows how long one takes"
    world.finish_all(hours=min(1.0, budget))
    status = world.study.status
    assert status.gpu_hours is not None
    assert status.gpu_hours.spent <= budget
    assert len(world.created) == runs
    reason = Reason.COMPLETED if runs == 6 else Reason.GPU_HOURS_SPENT
    assert condition(world, ConditionType.SUCCEEDED) == (ConditionStatus.TRUE, reason)


def test_the_budget_is_the_deadline_of_a_run() -> None:
    world = world_of(
        study(stopping=Stopping(gpu_hours=4), template=template(cluster=Cluster(nodes=2, gpus_per_node=4)))
    )
    (run,) = world.runs().values()
    assert run.spec.cluster.active_deadline_seconds == 4 * 3600 / 8


def most_hours(world: StudyWorld, name: str) -> float:
    """GPU hours that a run may take until its deadline."""
    cluster = world.runs()[name].spec.cluster
    assert cluster.active_deadline_seconds is not None
    return cluster.active_deadline_seconds * cluster.nodes * cluster.gpus_per_node / 3600


@pytest.mark.parametrize("parallelism", [1, 2, 4])
@pytest.mark.parametrize("slow", [1, 2, 3, 4])
def test_runs_that_take_all_they_may_do_not_pass_it_either(parallelism: int, slow: int) -> None:
    budget = 12.0
    world = world_of(study(parallelism=parallelism, stopping=Stopping(gpu_hours=budget)))
    ended = 0
    while active := world.active():
        may = most_hours(world, active[0])
        ended += 1
        world.finish(active[0], hours=may if ended >= slow else min(1.0, may))
    hours = world.study.status.gpu_hours
    assert hours is not None
    assert hours.spent <= budget
    assert ended >= slow


def test_a_run_that_is_run_again_may_take_its_hours_without_passing_the_budget() -> None:
    budget = 20.0
    world = world_of(study(parallelism=3, stopping=Stopping(gpu_hours=budget)))
    world.finish(world.active()[0])
    again = world.active()[0]
    child(world, again)["status"] = {"trainingSeconds": 1800}
    world.settle()
    world.remove(child(world, again))
    world.settle()
    assert again in world.active()
    world.finish(next(name for name in world.active() if name != again))  # so that another one starts
    while active := world.active():
        world.finish(active[0], hours=most_hours(world, active[0]))
    hours = world.study.status.gpu_hours
    assert hours is not None
    assert hours.spent <= budget


def test_a_raised_budget_goes_on() -> None:
    world = world_of(study(stopping=Stopping(gpu_hours=2)))
    world.finish_all()
    assert world.study.status.completion_time is not None
    world.apply(study(stopping=Stopping(gpu_hours=6)))
    world.settle()
    assert world.study.status.completion_time is None
    world.finish_all()
    assert len(world.created) == 6


def test_what_is_expected_is_known_once_a_run_has_ended() -> None:
    world = world_of(study())
    hours = world.study.status.gpu_hours
    assert hours is not None and hours.expected is None
    world.finish(world.active()[0], hours=2.0)
    hours = world.study.status.gpu_hours
    assert hours is not None and (hours.spent, hours.expected) == (2.0, 12.0)


def test_suspend_suspends_every_run_and_starts_none() -> None:
    world = world_of(study(parallelism=2))
    world.apply(study(parallelism=2, suspend=True))
    world.settle()
    assert world.study.status.state is StudyState.SUSPENDED
    assert all(run.spec.suspend for run in world.runs().values())
    world.finish(world.active()[0])
    assert len(world.created) == 2
    world.apply(study(parallelism=2))
    world.settle()
    assert not any(run.spec.suspend for run in world.runs().values() if run.status.completion_time is None)
    world.finish_all()
    assert world.study.status.state is StudyState.SUCCEEDED


def test_a_run_that_someone_else_suspended_stays_so() -> None:
    world = world_of(study(parallelism=2))
    child(world, world.active()[0])["spec"]["suspend"] = True
    world.settle()
    assert [run.spec.suspend for run in world.runs().values()] == [True, False]


def test_bisect_looks_closer_where_the_bound_breaks() -> None:
    search = Search(kind=SearchKind.BISECT, max_runs=14)
    axes = Axes(in_domain_share=(0, 0.5, 1.0), seeds=(1, 2))

    def scores(share: float) -> tuple[float, float]:
        return share, max(0.0, share - 0.6)

    world = world_of(study(axes, search=search, parallelism=6))
    assert world.finish_all(scores) == 12
    shares = sorted({run.in_domain_share for run in world.study.status.runs})
    assert shares == [0.0, 0.5, 0.625, 0.6875, 0.75, 1.0]
    assert world.study.status.state is StudyState.SUCCEEDED


@pytest.mark.parametrize(("most", "runs"), [(6, 6), (7, 6), (8, 8), (11, 10)])
def test_bisect_keeps_to_its_most_runs(most: int, runs: int) -> None:
    search = Search(kind=SearchKind.BISECT, max_runs=most)
    axes = Axes(in_domain_share=(0, 0.5, 1.0), seeds=(1, 2))
    world = world_of(study(axes, search=search, parallelism=6))
    assert world.finish_all(lambda share: (share, max(0.0, share - 0.6))) == runs


def test_bisect_ends_where_shares_are_too_close_to_tell_apart() -> None:
    search = Search(kind=SearchKind.BISECT)
    world = world_of(study(Axes(in_domain_share=(0.5, 0.6), seeds=(1, 2)), search=search))
    world.finish_all()
    assert len({run.in_domain_share for run in world.study.status.runs}) <= 3


def test_a_refused_study_runs_nothing_and_says_why() -> None:
    world = world_of(study(search=Search(max_runs=3)))
    assert not world.created
    assert world.study.status.state is StudyState.FAILED
    accepted = find(world.study.status.conditions, ConditionType.ACCEPTED)
    assert accepted is not None and accepted.message.startswith("spec.search.maxRuns: the axes make 6 runs")


def test_an_unreadable_study_says_why() -> None:
    world = StudyWorld()
    key = world.apply(study())
    world.objects[key.kind, key.namespace, key.name]["spec"]["axes"]["seeds"] = ["one"]
    world.settle()
    obj = world.objects[key.kind, key.namespace, key.name]
    (accepted,) = [item for item in obj["status"]["conditions"] if item["type"] == "Accepted"]
    assert (accepted["reason"], "spec.axes.seeds[0]" in accepted["message"]) == ("InvalidSpec", True)


def test_a_child_of_something_else_stands_in_the_way_and_is_left_alone() -> None:
    other = world_of(study())
    name = other.active()[0]
    world = StudyWorld()
    foreign = child(other, name)
    foreign["metadata"]["ownerReferences"] = []
    world.put(foreign)
    world.apply(study())
    world.settle()
    assert condition(world, ConditionType.ACCEPTED) == (ConditionStatus.FALSE, Reason.NAME_CONFLICT)


def test_a_stale_view_starts_nothing_twice() -> None:
    world = world_of(study(parallelism=1))
    name = world.active()[0]
    world.hidden = {name}
    world.settle()
    assert world.active() == [name]


@pytest.mark.parametrize("conflicts", [1, 3])
def test_a_lost_status_write_changes_nothing(conflicts: int) -> None:
    world = StudyWorld()
    world.apply(study(parallelism=2))
    world.conflicts = conflicts
    world.settle()
    assert len(world.created) == 2


def test_a_deleted_study_is_left_alone() -> None:
    world = world_of(study())
    key: Any = (Kind.BLEND_STUDY, "team", "mix")
    world.objects[key]["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    world.remove(child(world, world.active()[0]))
    world.settle()
    assert len(world.created) == 1


def test_shares_may_be_edited_into_any_order() -> None:
    world = world_of(study(parallelism=6))
    world.finish_all()
    axes = study().spec.axes
    world.apply(study(replace(axes, in_domain_share=tuple(reversed(axes.in_domain_share))), parallelism=6))
    world.settle()
    assert len(world.created) == 6
