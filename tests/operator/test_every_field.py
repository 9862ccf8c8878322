"""Every field of a spec does something: each is changed, one at a time, and the difference must show.

What the programs read from the pinned configuration may show there alone. All else must show in another
child, in what the plan does over the life of a run, or in a refusal.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import is_dataclass, replace
from typing import Any, get_args, get_origin

import pytest
from tests.operator.builders import fine_tune, result_of, rubric_eval
from tests.operator.world import World

from blendtune_api.contract import ExitCode
from blendtune_api.fields import fields_of
from blendtune_api.v1alpha1 import (
    Blend,
    BlendedFineTune,
    BlendedFineTuneSpec,
    Budget,
    ChatTemplate,
    Cluster,
    Columns,
    Credentials,
    EvaluatedEpoch,
    EvaluatedModel,
    Evaluation,
    Export,
    Gate,
    Interpolation,
    KeySelector,
    LocalObjectReference,
    Metric,
    Model,
    OpenAIJudge,
    Role,
    RubricEvalBaseline,
    RubricEvalCluster,
    RubricEvalSpec,
    RubricReference,
    SelfRehearsal,
    Source,
    Storage,
    TakenExport,
    Validation,
)
from blendtune_operator import render
from blendtune_operator.names import ATTEMPT, STAGE, Kind, Object, Run
from blendtune_operator.plan.supported import refusals
from blendtune_operator.settings import Settings

SETTINGS = Settings()
STORAGE = Storage(persistent_volume_claim="blendtune", path="runs/ads", shared_path="runs/shared")
CREDENTIALS = Credentials(secret_ref=LocalObjectReference(name="keys"), service_account_name="trainer")
RUBRIC = RubricReference(config_map_ref=KeySelector(name="rubric", key="rubric.yaml"))
OPEN_AI = OpenAIJudge(
    url="https://judge", model="m", api_key_secret_ref=KeySelector(name="judge", key="token")
)
GATES = (Gate(metric=Metric.OVERALL, min_score=0.5),)

FINE_TUNE = BlendedFineTuneSpec(
    model=Model(uri="pvc://models/base"),
    blend=Blend(
        sources=(
            Source(name="ads", role=Role.IN_DOMAIN, uri="s3://data/ads.jsonl", weight=1.0, max_epochs=4.0),
            Source(name="known", role=Role.GENERAL, uri="self://", weight=1.0),
        ),
        budget=Budget(epochs=2.0),
        validation=Validation(fraction=0.1),
    ),
    storage=STORAGE,
    cluster=Cluster(queue_name="gpus", backoff_limit=2),
    credentials=CREDENTIALS,
    export=Export(uri="s3://models/ads"),
    evaluation=Evaluation(rubric=RUBRIC, gates=GATES),
)
RUBRIC_EVAL = RubricEvalSpec(
    model=EvaluatedModel(uri="s3://models/tuned"),
    storage=STORAGE,
    baseline=RubricEvalBaseline(model=EvaluatedModel(uri="hf://org/base")),
    epochs=(EvaluatedEpoch(epoch=1, uri="pvc://models/after-1"),),
    rubric=RUBRIC,
    interpolation=Interpolation(weights=(0.5,)),
    export=TakenExport(uri="s3://models/taken"),
    gates=(*GATES, Gate(metric=Metric.GENERAL, max_drop=0.1)),
    cluster=RubricEvalCluster(queue_name="gpus", backoff_limit=2),
    credentials=CREDENTIALS,
)

# A value for what is unset or empty above, by the end of its path.
SAMPLES: dict[str, Any] = {
    "chat_template": ChatTemplate.VICUNA,
    "tokens": 1000,
    "columns": Columns(messages="turns"),
    "max_bad_rows": "3%",
    "early_stopping.max": 0.1,
    "validation.uri": "pvc://held-out/rows.jsonl",
    "split": "test",
    "config": "en",
    "self_rehearsal": SelfRehearsal(tokens=1000),
    "target_modules": ("q_proj",),
    "overrides": {"zero_optimization": {"overlap_comm": True}},
    "tracking": ("wandb",),
    "active_deadline_seconds": 60,
    "image": "other:1",
    "resources": {"requests": {"memory": "64Gi"}},
    "pod_template": {"spec": {"priorityClassName": "high"}},
    "builtin": "business45",
    "general_from": "general300",
    "open_ai": OPEN_AI,
    "benchmarks": ("mmlu",),
    "0.name": "mmlu",
    "ttl_seconds_after_finished": 60,
    "digest": "sha256:1",
    "system_prompt": "Be brief.",
    "min_gain": 0.9,
    "max_drop": 0.9,
    "max_rise": 0.9,
    "max_critical_errors": 0,
    "gpu_type": "h100-80gb",
    "uri": "pvc://elsewhere/thing",
    "stage": 3,
    "weights": (0.25,),
    "interpolation": Interpolation(weights=(0.5, 0.7)),
}
# What the programs read: the trainer from the run's configuration, the evaluation from its own.
READ_BY_PROGRAMS = (
    "model",
    "blend.",
    "training.",
    "storage",
    "export",
    "evaluation.rubric",
    "evaluation.every_epoch",
    "evaluation.benchmarks",
    "evaluation.interpolation",
    "interpolation",
    "baseline",
    "benchmarks",
    "epochs",
    "rubric",
    "judge",
    "sampling",
    "retention",
    "thinking",
    "engine",
    "stop_when_decided",
)


def leaves(value: Any, path: str = "") -> Iterator[str]:
    """The paths of all leaf fields below a dataclass; the items of a list are judged by its first."""
    for field in fields_of(type(value)):
        here = f"{path}.{field.name}" if path else field.name
        item = getattr(value, field.name)
        if is_dataclass(item):
            yield from leaves(item, here)
        elif isinstance(item, tuple) and item and is_dataclass(item[0]):
            yield from leaves(item[0], f"{here}.0")
        else:
            yield here


def changed(value: Any, path: str, full_path: str) -> Any:
    """The dataclass with another value at `path`."""
    name, _, rest = path.partition(".")
    if name.isdigit():
        return (changed(value[0], rest, full_path), *value[1:])
    item = getattr(value, name)
    return replace(value, **{name: changed(item, rest, full_path) if rest else other(item, full_path)})


def other(value: Any, path: str) -> Any:
    for length in (2, 1):
        sample = ".".join(path.split(".")[-length:])
        if sample in SAMPLES and SAMPLES[sample] != value:
            return SAMPLES[sample]
    if isinstance(value, bool):
        return not value
    if isinstance(value, enum.Enum):
        return next(member for member in type(value) if member is not value)
    if isinstance(value, int):
        return value + 1
    if isinstance(value, float):
        return value / 2 if value else 0.5
    assert isinstance(value, str), f"no other value is known for {path}: add a sample"
    return f"{value}-2"


def life(run: Run, lost_attempts: int) -> World:
    """A run that loses the first attempts of each stage, and a day after its end."""
    world = World()
    world.apply(run)
    for _ in range(8):
        world.settle()
        for job in world.active_jobs():
            world.start(job)
            world.wait(120)
            if any(job is known for known in world.active_jobs()):
                _play(world, job, lost_attempts)
        world.wait(400)
    world.wait(86_400)
    return world


def _play(world: World, job: Object, lost_attempts: int) -> None:
    labels = job["metadata"]["labels"]
    if int(labels[ATTEMPT]) <= lost_attempts:
        world.fail(job, 1)
    else:
        world.succeed(job, result_of(labels[STAGE]))


def after_failure(run: Run) -> World:
    """A run that failed for good, then this spec."""
    world = World()
    is_fine_tune = isinstance(run, BlendedFineTune)
    world.apply(fine_tune(**_values(FINE_TUNE)) if is_fine_tune else rubric_eval(**_values(RUBRIC_EVAL)))
    world.settle()
    for job in world.active_jobs():
        world.fail(job, ExitCode.BAD_CONFIGURATION)
    world.settle()
    world.apply(run)
    world.settle()
    world.wait(60)
    return world


def refused(run: Run) -> list[str]:
    return [str(refusal.fault) for refusal in refusals(run, SETTINGS)]


def children(run: Run) -> tuple[Object, ...]:
    """The rendered children without the pinned configuration."""
    return tuple(child for child in render.children(run, SETTINGS) if child["kind"] != Kind.CONFIG_MAP)


def configuration(run: Run) -> list[Object]:
    return [child for child in render.children(run, SETTINGS) if child["kind"] == Kind.CONFIG_MAP]


def lives(run: Run) -> Any:
    """What is created and how things stand at the end, but for the numbers that any edit changes."""
    worlds = (life(run, 1), life(run, 3), after_failure(run))
    return [(world.created, _without_counters(list(world))) for world in worlds]


def _without_counters(value: Any) -> Any:
    if isinstance(value, dict):
        ignored = ("spec", "data", "metadata", "observedGeneration", "retry")
        return {key: _without_counters(item) for key, item in value.items() if key not in ignored}
    return [_without_counters(item) for item in value] if isinstance(value, list) else value


def _values(spec: Any) -> dict[str, Any]:
    return {field.name: getattr(spec, field.name) for field in fields_of(type(spec))}


def _shows(run: Run, base: Run, path: str, base_lives: Any) -> bool:
    if refused(run) != refused(base):
        return True
    if path.startswith(READ_BY_PROGRAMS):
        return configuration(run) != configuration(base)
    return children(run) != children(base) or lives(run) != base_lives


@pytest.fixture(scope="module")
def base_lives() -> dict[type, Any]:
    bases: list[Run] = [fine_tune(**_values(FINE_TUNE)), rubric_eval(**_values(RUBRIC_EVAL))]
    return {type(base): lives(base) for base in bases}


CASES = [
    pytest.param(make, spec, path, id=f"{kind}-{path}")
    for kind, make, spec in (("fine-tune", fine_tune, FINE_TUNE), ("rubric-eval", rubric_eval, RUBRIC_EVAL))
    for path in leaves(spec)
]


@pytest.mark.parametrize(("make", "spec", "path"), CASES)
def test_a_changed_field_shows(make: Any, spec: Any, path: str, base_lives: dict[type, Any]) -> None:
    base, run = make(**_values(spec)), make(**_values(changed(spec, path, path)))
    assert run.spec != base.spec
    assert _shows(run, base, path, base_lives[type(run)])


@pytest.mark.parametrize(("make", "spec"), [(fine_tune, FINE_TUNE), (rubric_eval, RUBRIC_EVAL)])
def test_an_unchanged_spec_shows_no_difference(make: Any, spec: Any, base_lives: dict[type, Any]) -> None:
    base, run = make(**_values(spec)), make(**_values(spec))
    assert not refused(base)
    assert not _shows(run, base, "suspend", base_lives[type(run)])


@pytest.mark.parametrize("spec", [FINE_TUNE, RUBRIC_EVAL], ids=["fine-tune", "rubric-eval"])
def test_no_field_is_left_out(spec: Any) -> None:
    walked = {path.replace(".0", "") for path in leaves(spec)}
    assert {path for path in _paths_of(type(spec)) if not _is_covered(path, walked)} == set()


def _is_covered(path: str, walked: set[str]) -> bool:
    """A field below an unset optional is judged by the whole of it."""
    parts = path.split(".")
    return any(".".join(parts[:length]) in walked for length in range(1, len(parts) + 1))


def _paths_of(cls: Any, path: str = "") -> Iterator[str]:
    for field in fields_of(cls):
        here = f"{path}.{field.name}" if path else field.name
        item = get_args(field.type)[0] if get_origin(field.type) is tuple else field.type
        if is_dataclass(item):
            yield from _paths_of(item, here)
        else:
            yield here
