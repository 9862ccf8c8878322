"""Scenarios: worlds in which a run has reached a certain point, by plans of the operator itself."""

from __future__ import annotations

from dataclasses import replace

from tests.operator.builders import (
    blend_result,
    eval_result,
    fine_tune,
    rehearse_result,
    rubric_eval,
    self_blend,
    train_result,
)
from tests.operator.world import World

from blendtune_api.contract import ExitCode, Failure, encode_message
from blendtune_api.v1alpha1 import Cluster, Reason


def new_world(**spec: object) -> World:
    world = World()
    world.apply(fine_tune(**spec))
    world.settle()
    return world


def rehearsed() -> World:
    world = new_world(blend=self_blend())
    world.succeed(world.job("ads-rehearse"), rehearse_result())
    world.settle()
    return world


def blended(**spec: object) -> World:
    world = new_world(**spec)
    world.succeed(world.job("ads-blend"), blend_result())
    world.settle()
    return world


def queued() -> World:
    """The training waits for Kueue to admit it."""
    world = blended(cluster=Cluster(queue_name="gpus"))
    world.hold(world.job("ads-train-1"))
    world.settle()
    return world


def failed() -> World:
    """The blend failed permanently, because of bad data."""
    world = new_world()
    failure = Failure(reason=Reason.BAD_DATA, message="ads.jsonl line 7: no assistant turn")
    world.fail(world.job("ads-blend"), ExitCode.BAD_DATA, encode_message(failure))
    world.settle()
    return world


def training(**spec: object) -> World:
    world = blended(**spec)
    world.start(world.job("ads-train-1"))
    world.settle()
    return world


def trained(**spec: object) -> World:
    world = training(**spec)
    world.now = world.now.replace(minute=10)
    world.succeed(world.job("ads-train-1"), train_result())
    world.settle()
    return world


def evaluated(in_domain: float = 0.5, general: float = 0.0, **spec: object) -> World:
    world = trained(**spec)
    world.succeed(world.job("ads-eval"), eval_result(in_domain, general))
    world.settle()
    return world


def edit(world: World, **spec: object) -> None:
    run = world.fine_tune()
    world.apply(replace(run, spec=replace(run.spec, **spec)))  # type: ignore[arg-type]
    world.settle()


def new_evaluation(**spec: object) -> World:
    """A RubricEval that stands alone."""
    world = World()
    world.apply(rubric_eval(**spec))
    world.settle()
    return world
