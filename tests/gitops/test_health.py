"""Argo CD's health of a run, by the Lua that it is given, at every point of the life that the plan makes."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from gitops.__main__ import config_map, settings
from lupa import lua51
from tests.operator.builders import (
    GATES,
    benchmark,
    eval_result,
    fine_tune,
    retention,
    rubric_eval,
    self_blend,
)
from tests.operator.scenarios import (
    blended,
    edit,
    evaluated,
    failed,
    new_evaluation,
    new_world,
    queued,
    trained,
    training,
)
from tests.operator.study.studies import Scores, StudyWorld, kneed, study, world_of
from tests.operator.world import World

from blendtune_api.blend_study import Search
from blendtune_api.contract import ExitCode, Failure, encode_message
from blendtune_api.v1alpha1 import Cluster, Evaluation, Gang, Gate, Metric, Reason, State
from blendtune_operator import conditions
from blendtune_operator.names import Kind, Object

ROOT = Path(__file__).parents[2]
GATED = Evaluation(gates=GATES)
# What Argo CD's Lua has: base, package, table and a part of os.
WITHHELD = ("string", "math", "io", "debug", "coroutine")


def health(obj: Object) -> tuple[str, str]:
    """Status and message, by the script that argocd-cm holds for the kind."""
    script = settings()[f"resource.customizations.health.blendtune.io_{obj['kind']}"]
    runtime = lua51.LuaRuntime(register_eval=False, register_builtins=False)
    for library in WITHHELD:
        runtime.globals()[library] = None
    runtime.globals().obj = runtime.table_from(obj, recursive=True)
    result = runtime.execute(script)
    return result.status, result.message


def shown(world: World, kind: Kind = Kind.BLENDED_FINE_TUNE) -> tuple[str, str]:
    return health(world.objects[kind, "team", "ads"])


def not_seen() -> World:
    world = World()
    world.apply(fine_tune())
    return world


def edited_unseen() -> World:
    world = evaluated(evaluation=GATED)
    run = world.objects[Kind.BLENDED_FINE_TUNE, "team", "ads"]
    run["metadata"]["generation"] += 1
    return world


def refused_after_start() -> World:
    world = training()
    edit(world, cluster=Cluster(nodes=2, gpu_type="b300"))
    return world


def unreadable() -> World:
    world = World()
    key = world.apply(fine_tune())
    world.objects[key.kind, key.namespace, key.name]["spec"]["training"] = {"learningRte": 1}
    world.reconcile(key)
    return world


def without_training_operator() -> World:
    world = World()
    world.unserved.add(Kind.PYTORCH_JOB)
    world.apply(fine_tune(cluster=Cluster(gang=Gang.PYTORCH_JOB)))
    world.settle()
    return world


def refused_child() -> World:
    world = World()
    world.refused["ads-run"] = "exceeded quota: configmaps"
    world.apply(fine_tune())
    world.settle()
    return world


def backing_off() -> World:
    world = training()
    world.fail(world.job("ads-train-1"), 1)
    world.settle()
    return world


def rehearsing() -> World:
    return new_world(blend=self_blend())


def suspended() -> World:
    world = training()
    edit(world, suspend=True)
    world.let_go()
    world.settle()
    return world


def resumed() -> World:
    world = suspended()
    edit(world, suspend=False)
    world.wait(60)
    return world


def retried() -> World:
    world = failed()
    edit(world, retry=1)
    world.wait(60)
    return world


def eased() -> World:
    world = evaluated(general=-0.3, evaluation=GATED)
    edit(world, evaluation=Evaluation(gates=(Gate(metric=Metric.GENERAL, max_drop=0.5),)))
    return world


def beside_the_rubric(rise: float, delta: float) -> World:
    """Gates on retention and on a benchmark."""
    gates = (
        Gate(metric=Metric.RETENTION, max_rise=0.05),
        Gate(metric=Metric.BENCHMARK, name="gsm8k", max_drop=0.02),
    )
    world = trained(evaluation=Evaluation(benchmarks=("gsm8k",), gates=gates))
    result = replace(eval_result(), retention=(retention(rise),), benchmarks=(benchmark(delta),))
    world.succeed(world.job("ads-eval"), result)
    world.settle()
    return world


def removed_children() -> World:
    world = evaluated(evaluation=GATED, ttl_seconds_after_finished=60)
    world.wait(61)
    assert not world.jobs()
    return world


FINE_TUNES = [
    pytest.param(not_seen, "Progressing", "has not seen this generation", id="not seen"),
    pytest.param(rehearsing, "Progressing", "Rehearsing: attempt 1 is starting", id="rehearsing"),
    pytest.param(new_world, "Progressing", "Blending: attempt 1 is starting", id="blending"),
    pytest.param(blended, "Progressing", "Training: attempt 1 is starting", id="blended"),
    pytest.param(training, "Progressing", "Training: attempt 1 is running", id="training"),
    pytest.param(queued, "Progressing", "Queued: attempt 1 waits in queue gpus for room", id="queued"),
    pytest.param(backing_off, "Progressing", "Training: attempt 2 follows after", id="backing off"),
    pytest.param(trained, "Progressing", "Evaluating: ", id="evaluating"),
    pytest.param(
        without_training_operator, "Progressing", "Pending: the API server knows no PyTorchJob", id="obstacle"
    ),
    pytest.param(refused_child, "Progressing", "exceeded quota", id="child refused"),
    pytest.param(suspended, "Suspended", "spec.suspend is true", id="suspended"),
    pytest.param(resumed, "Progressing", "Training: attempt 2 is starting", id="resumed"),
    pytest.param(failed, "Degraded", "ads.jsonl line 7: no assistant turn", id="failed"),
    pytest.param(retried, "Progressing", "Blending: attempt 2 is starting", id="retried"),
    pytest.param(unreadable, "Degraded", "learningRte", id="unreadable"),
    pytest.param(refused_after_start, "Degraded", "no GPU preset 'b300'", id="refused after start"),
    pytest.param(
        lambda: new_world(cluster=Cluster(gpu_type="b300")), "Degraded", "no GPU preset 'b300'", id="refused"
    ),
    pytest.param(
        lambda: evaluated(evaluation=GATED), "Healthy", "passed: inDomain minGain: 0.500", id="gates passed"
    ),
    pytest.param(evaluated, "Healthy", "the spec declares no gates", id="no gates"),
    pytest.param(
        lambda: evaluated(general=-0.3, evaluation=GATED),
        "Degraded",
        "failed: general maxDrop: 0.300, its 95% interval 0.250 to 0.350",
        id="gate failed",
    ),
    pytest.param(
        lambda: evaluated(general=-0.1, evaluation=GATED),
        "Suspended",
        "a person must decide",
        id="gate inconclusive",
    ),
    pytest.param(
        lambda: beside_the_rubric(0.3, 0.0),
        "Degraded",
        "failed: retention maxRise: on baseAnswers the loss rose by 0.300 nats per token",
        id="retention failed",
    ),
    pytest.param(
        lambda: beside_the_rubric(0.0, -0.1),
        "Degraded",
        "failed: benchmark gsm8k maxDrop: exact_match 0.400, base 0.500, over 1,319 samples: 0.100",
        id="benchmark failed",
    ),
    pytest.param(
        lambda: beside_the_rubric(0.0, -0.015), "Suspended", "benchmark gsm8k", id="benchmark inconclusive"
    ),
    pytest.param(lambda: beside_the_rubric(0.0, 0.0), "Healthy", "passed: retention", id="both kept"),
    pytest.param(edited_unseen, "Progressing", "has not seen this generation", id="edited after the end"),
    pytest.param(eased, "Healthy", "passed: general maxDrop: 0.300", id="gate eased"),
    pytest.param(removed_children, "Healthy", "passed", id="children removed"),
]


@pytest.mark.parametrize(("world", "status", "words"), FINE_TUNES)
def test_a_fine_tune(world: Callable[[], World], status: str, words: str) -> None:
    found = shown(world())
    assert found[0] == status
    assert words in found[1]


def running_evaluation() -> World:
    world = new_evaluation()
    world.start(world.job("ads-eval"))
    world.settle()
    return world


def finished_evaluation(general: float, **spec: Any) -> World:
    world = new_evaluation(gates=GATES, **spec)
    world.succeed(world.job("ads-eval"), eval_result(general=general))
    world.settle()
    return world


def failed_evaluation() -> World:
    world = new_evaluation()
    failure = Failure(reason=Reason.BAD_RUBRIC, message="question 3 has no criteria")
    world.fail(world.job("ads-eval"), ExitCode.BAD_CONFIGURATION, encode_message(failure))
    world.settle()
    return world


def unseen_evaluation() -> World:
    world = World()
    world.apply(rubric_eval())
    return world


EVALUATIONS = [
    pytest.param(unseen_evaluation, "Progressing", "has not seen this generation", id="not seen"),
    pytest.param(running_evaluation, "Progressing", "Evaluating: attempt 1 is running", id="running"),
    pytest.param(lambda: new_evaluation(suspend=True), "Suspended", "spec.suspend is true", id="suspended"),
    pytest.param(failed_evaluation, "Degraded", "question 3 has no criteria", id="failed"),
    pytest.param(lambda: finished_evaluation(0.0), "Healthy", "passed: ", id="gates passed"),
    pytest.param(lambda: finished_evaluation(-0.3), "Degraded", "failed: general", id="gate failed"),
    pytest.param(
        lambda: finished_evaluation(-0.1), "Suspended", "a person must decide", id="gate inconclusive"
    ),
]


@pytest.mark.parametrize(("world", "status", "words"), EVALUATIONS)
def test_an_evaluation(world: Callable[[], World], status: str, words: str) -> None:
    found = shown(world(), Kind.RUBRIC_EVAL)
    assert found[0] == status
    assert words in found[1]


def played(scores: Scores = kneed, **spec: Any) -> StudyWorld:
    world = world_of(study(parallelism=6, **spec))
    world.finish_all(scores)
    return world


STUDIES = [
    pytest.param(lambda: world_of(study()), "Progressing", "Running: 0 of 6 runs are done", id="running"),
    pytest.param(lambda: world_of(study(suspend=True)), "Suspended", "spec.suspend is true", id="suspended"),
    pytest.param(
        lambda: world_of(study(search=Search(max_runs=1))), "Degraded", "spec.search.maxRuns", id="refused"
    ),
    pytest.param(played, "Healthy", "Use share 0.5", id="recommended"),
    pytest.param(lambda: played(lambda _: (0.5, 0.0)), "Suspended", "cannot tell", id="cannot tell"),
    pytest.param(lambda: played(lambda _: (0.5, 0.5)), "Degraded", "surely loses more", id="none allowed"),
]


@pytest.mark.parametrize(("world", "status", "words"), STUDIES)
def test_a_study(world: Callable[[], StudyWorld], status: str, words: str) -> None:
    found = health(world().objects[Kind.BLEND_STUDY, "team", "mix"])
    assert found[0] == status
    assert words in found[1]


def test_every_state_is_among_them() -> None:
    worlds = [case.values[0]() for case in FINE_TUNES if callable(case.values[0])]
    states = {(world.objects[Kind.BLENDED_FINE_TUNE, "team", "ads"].get("status") or {}).get("state")
              for world in worlds}  # fmt: skip
    assert states >= set(State)


def test_the_refusals_are_those_of_the_operator() -> None:
    line = re.search(r"^local refusals = \{(.*)\}$", (ROOT / "gitops/health.lua").read_text(), re.MULTILINE)
    assert line is not None
    assert set(re.findall(r"(\w+) = true", line[1])) == set(conditions.REFUSALS)


def test_the_committed_settings_are_the_generated_ones() -> None:
    assert (ROOT / "gitops/argocd-cm.yaml").read_text() == config_map(), "run `make generate`"


def test_the_config_map_says_what_the_settings_say() -> None:
    assert yaml.safe_load(config_map())["data"] == settings()
