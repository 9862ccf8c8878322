"""A RubricEval without a BlendedFineTune, from its creation to its end."""

from __future__ import annotations

from dataclasses import replace

from tests.operator.builders import GATES, eval_result
from tests.operator.scenarios import new_evaluation
from tests.operator.world import World

from blendtune_api.contract import ExitCode, Failure, encode_message
from blendtune_api.v1alpha1 import (
    ConditionStatus,
    ConditionType,
    Gate,
    Metric,
    Reason,
    RubricEvalCluster,
    RubricEvalStatus,
    State,
)
from blendtune_operator.conditions import RUBRIC_EVAL_CONDITIONS, find
from blendtune_operator.names import Kind


def status(world: World) -> RubricEvalStatus:
    return world.rubric_eval().status


def condition(world: World, type: ConditionType) -> tuple[ConditionStatus, str]:
    found = find(status(world).conditions, type)
    assert found is not None
    return found.status, found.reason


def edit(world: World, **spec: object) -> None:
    run = world.rubric_eval()
    world.apply(replace(run, spec=replace(run.spec, **spec)))  # type: ignore[arg-type]
    world.settle()


def test_it_pins_then_evaluates() -> None:
    world = new_evaluation()
    assert world.created == [("ConfigMap", "ads-eval"), ("Job", "ads-eval")]
    assert status(world).state is State.EVALUATING
    assert {item.type for item in status(world).conditions} == set(RUBRIC_EVAL_CONDITIONS)


def test_scores_come_into_status() -> None:
    world = new_evaluation(gates=GATES)
    world.succeed(world.job("ads-eval"), eval_result(general=-0.3))
    world.settle()
    found = status(world)
    assert found.state is State.SUCCEEDED
    assert found.in_domain is not None and found.in_domain.delta == 0.5
    assert [category.name for category in found.categories] == ["pricing"]
    assert found.report_uri == "pvc://blendtune/team/ads/eval"
    assert found.coverage == 1.0
    assert found.overall is not None and found.overall.critical_errors == 1
    assert condition(world, ConditionType.GATES_PASSED) == (ConditionStatus.FALSE, Reason.GATES_FAILED)


def test_gates_are_judged_again_when_edited() -> None:
    world = new_evaluation(gates=GATES)
    world.succeed(world.job("ads-eval"), eval_result(general=-0.3))
    world.settle()
    edit(world, gates=(Gate(metric=Metric.OVERALL, max_critical_errors=1),))
    assert condition(world, ConditionType.GATES_PASSED) == (ConditionStatus.TRUE, Reason.GATES_PASSED)


def test_a_bad_rubric_fails_at_once_and_a_retry_runs_again() -> None:
    world = new_evaluation()
    failure = Failure(reason=Reason.BAD_RUBRIC, message="question 3: duplicate id")
    world.fail(world.job("ads-eval"), ExitCode.BAD_RUBRIC, encode_message(failure))
    world.settle()
    assert condition(world, ConditionType.FAILED) == (ConditionStatus.TRUE, Reason.BAD_RUBRIC)
    edit(world, retry=1)
    world.wait(10)
    assert world.created[-1] == ("Job", "ads-eval-2")
    assert condition(world, ConditionType.FAILED) == (ConditionStatus.FALSE, Reason.RESUMED)


def test_crashes_are_retried_up_to_the_limit() -> None:
    world = new_evaluation(cluster=RubricEvalCluster(backoff_limit=1))
    for name in ("ads-eval", "ads-eval-2"):
        world.fail(world.job(name), 137, reason="OOMKilled")
        world.settle()
        world.wait(600)
    assert condition(world, ConditionType.FAILED) == (ConditionStatus.TRUE, Reason.BACKOFF_LIMIT_EXCEEDED)
    assert len(world.jobs()) == 2


def test_suspend_frees_the_gpu_and_resume_goes_on() -> None:
    world = new_evaluation()
    world.start(world.job("ads-eval"))
    world.settle()
    edit(world, suspend=True)
    assert world.jobs() == [] and status(world).state is State.SUSPENDED
    world.let_go()
    world.settle()
    edit(world, suspend=False)
    world.wait(10)
    assert world.created[-1] == ("Job", "ads-eval-2")


def test_an_edit_of_the_cluster_counts_from_the_next_attempt() -> None:
    world = new_evaluation()
    edit(world, cluster=RubricEvalCluster(gpus=4))
    world.fail(world.job("ads-eval"), 1)
    world.settle()
    world.wait(10)
    assert world.created[2:] == [("ConfigMap", "ads-eval-2"), ("Job", "ads-eval-2")]
    container = world.job("ads-eval-2")["spec"]["template"]["spec"]["containers"][0]
    assert container["resources"]["limits"] == {"nvidia.com/gpu": 4}


def test_children_go_when_their_time_is_up() -> None:
    world = new_evaluation(ttl_seconds_after_finished=60)
    world.succeed(world.job("ads-eval"), eval_result())
    world.settle()
    world.wait(60)
    assert [obj["kind"] for obj in world if obj["kind"] != Kind.POD] == ["RubricEval"]
    world.wait(1000)
    assert status(world).state is State.SUCCEEDED
