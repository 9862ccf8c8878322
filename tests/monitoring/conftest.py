"""Prometheus beside an operator's and a trainer's own /metrics, over runs at many points of their life."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import timedelta

import pytest
from prometheus_client import CollectorRegistry
from tests.cluster.control_plane import free_port
from tests.monitoring.prometheus import Prometheus, prometheus
from tests.operator.builders import GATES, benchmark, blend_result, eval_result, retention, train_result
from tests.operator.scenarios import failed, new_world, queued, training
from tests.operator.study.studies import study, world_of
from tests.operator.world import World

from blendtune_api.blend_study import BlendStudy
from blendtune_api.codec import Resource
from blendtune_api.contract import Progress
from blendtune_api.v1alpha1 import (
    Cluster,
    Evaluation,
    Role,
    RoleDivergence,
    SourceLoss,
    UnfinishedAnswers,
    UnsureAnswers,
)
from blendtune_operator.metrics.runs import RunCollector
from blendtune_operator.metrics.telemetry import Result, Telemetry, WatchCollector
from blendtune_operator.names import Kind
from blendtune_operator.server import serve
from blendtune_trainer.record.progress import ProgressBoard, serving

Runs = list[Resource]
GATED = Evaluation(gates=GATES)


@pytest.fixture(scope="session")
def scraped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    runs = [
        *named("queued", queued()),
        *named("running", running()),
        *named("failed", failed()),
        *named("finished", finished(0.5, -0.3)),
        *named("better", finished(0.6, 0.0)),
        *named("better", finished(0.4, 0.0), "elsewhere"),
        *named("refused", new_world(cluster=Cluster(gpu_type="b300"))),
        ended_study(),
    ]
    with ExitStack() as stack:
        operator = stack.enter_context(serving_operator(runs))
        trainer = stack.enter_context(serving(board(), 0, "127.0.0.1"))
        targets = {
            "operator": (operator, {"namespace": "blendtune-system"}),
            "trainer": (trainer, {"namespace": "team", "name": "running"}),
        }
        yield stack.enter_context(prometheus(tmp_path_factory.mktemp("prometheus"), targets))


def named(name: str, world: World, namespace: str = "team") -> Runs:
    """The run of a world, and its RubricEval, under another name."""
    run = world.fine_tune()
    status = run.status
    if status.evaluation is not None:
        status = replace(status, evaluation=replace(status.evaluation, name=name))
    place = {"name": name, "namespace": namespace}
    found: Runs = [replace(run, metadata=replace(run.metadata, **place), status=status)]
    if (Kind.RUBRIC_EVAL, "team", "ads") in world.objects:
        child = world.rubric_eval()
        found.append(replace(child, metadata=replace(child.metadata, **place)))
    return found


def ended_study() -> BlendStudy:
    world = world_of(study(parallelism=6))
    world.finish_all()
    return world.study


def running() -> World:
    world = training()
    world.progress_answer = Progress(
        step=12, steps=40, phase="training", loss=1.75, learning_rate=2e-5, tokens=3000,
        tokens_per_second=900.0, tokens_per_second_per_gpu=112.5, mfu=0.41, remaining_seconds=90.0,
        divergence_general=0.01, divergence_in_domain=0.2,
    )  # fmt: skip
    world.wait(60)
    return world


def finished(in_domain: float, general: float) -> World:
    world = new_world(evaluation=GATED)
    world.succeed(world.job("ads-blend"), blend_result())
    world.settle()
    losses = (
        SourceLoss(name="ads", before=2.5, after=1.5),
        SourceLoss(name="general", before=2.0, after=2.1),
    )
    moved = (
        RoleDivergence(role=Role.IN_DOMAIN, positions=900, value=0.4),
        RoleDivergence(role=Role.GENERAL, positions=900, value=0.02),
    )
    world.succeed(world.job("ads-train-1"), train_result(validation_loss=losses, divergence=moved))
    world.now += timedelta(minutes=10)
    world.settle()
    result = replace(
        eval_result(in_domain, general),
        retention=(retention(0.02),),
        benchmarks=(benchmark(-0.01),),
        unsure=(UnsureAnswers(reason="several values", answers=3),),
        unfinished=UnfinishedAnswers(model=2, max_new_tokens=512),
    )
    world.succeed(world.job("ads-eval"), result)
    world.settle()
    return world


def board() -> ProgressBoard:
    """What rank 0 of the running training tells."""
    result = ProgressBoard()
    result.update(
        step=12, steps=40, phase="training", loss=1.75, gradient_norm=0.8, gpu_memory_bytes=60 * 2**30
    )
    return result


@contextmanager
def serving_operator(runs: Runs) -> Iterator[int]:
    """The operator's own server over these runs; its reconciles are counted as time passes."""
    registry = CollectorRegistry()
    telemetry = Telemetry(registry, "1")
    registry.register(RunCollector(lambda: runs))
    registry.register(WatchCollector({kind: time.time() for kind in Kind}))
    telemetry.leader.set(1)
    for kind in Kind:
        telemetry.missed.labels(kind).set(0)
    ports: list[int] = []
    up = threading.Event()
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()

    async def main() -> None:
        async with serve(free_port(), registry, str, str) as port:
            ports.append(port)
            up.set()
            while not stop.is_set():
                with telemetry.timed(Kind.BLENDED_FINE_TUNE):
                    telemetry.reconciles.labels(Kind.BLENDED_FINE_TUNE, Result.SUCCESS).inc()
                telemetry.count_request("GET", 200)
                await asyncio.sleep(0.1)

    thread = threading.Thread(target=lambda: loop.run_until_complete(main()), daemon=True)
    thread.start()
    assert up.wait(30)
    try:
        yield ports[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()
