"""No object that a user may write makes a plan raise: labels, templates, ConfigMaps, answers, messages."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.operator.builders import blend_result, eval_result, fine_tune, rubric_eval, train_result
from tests.operator.scenarios import blended, new_evaluation, new_world, trained, training
from tests.operator.world import World

from blendtune_api import codec
from blendtune_api.contract import MessageError, Progress, decode_message
from blendtune_api.v1alpha1 import (
    BlendedFineTuneStatus,
    Cluster,
    ConditionType,
    Reason,
    RubricEvalCluster,
    StagePod,
    TrainerStatus,
)
from blendtune_operator import names
from blendtune_operator.conditions import find
from blendtune_operator.names import Kind, Object
from blendtune_operator.plan.progress import trainer_status
from blendtune_operator.settings import Settings
from blendtune_operator.watching.cache import Cache

EXAMPLES = settings(max_examples=60, deadline=None, derandomize=True)
TEXTS = st.one_of(
    st.text(max_size=8),
    st.sampled_from(["", "0", "1", "-1", "one", "²", "9" * 80, "1.5", "train", "eval", "true"]),
)
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), TEXTS
)
KEYS = st.sampled_from(
    ["metadata", "labels", "spec", "containers", "name", "env", "volumes", "mountPath", "serviceAccountName",
     "serviceAccount", "terminationGracePeriodSeconds", "securityContext", "resources", "limits"]
)  # fmt: skip
JSON: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)
TEMPLATES = st.fixed_dictionaries(
    {}, optional={"metadata": JSON, "spec": st.one_of(JSON, st.dictionaries(KEYS, JSON, max_size=5))}
)
OUR_LABELS = (names.STAGE, names.ATTEMPT, names.REVISION, names.REPLICA_INDEX, names.QUEUE_NAME)
LABELS = st.dictionaries(st.sampled_from(OUR_LABELS), TEXTS)
# Numbers as JSON says them: no image can answer with others.
NUMBERS = st.one_of(
    st.integers(), st.floats(), st.sampled_from([10**400, -(10**400), 1e308, -1e308, 2**63, -1])
)


def accepted(world: World) -> tuple[str, str]:
    found = find(world.fine_tune().status.conditions, ConditionType.ACCEPTED)
    assert found is not None
    return found.reason, found.message


@EXAMPLES
@given(TEMPLATES, st.sampled_from(["blend", "train", "eval"]), st.none() | st.just(frozenset({"runs"})))
def test_any_pod_template_is_run_or_refused(
    template: dict[str, Any], stage: str, allowed: frozenset[str] | None
) -> None:
    world = World(Settings(allowed_service_accounts=allowed))
    world.apply(fine_tune(cluster=replace(Cluster(nodes=2), **{stage: StagePod(pod_template=template)})))
    world.settle()
    assert accepted(world)[0] in (Reason.ACCEPTED, Reason.SERVICE_ACCOUNT_NOT_ALLOWED, Reason.INVALID_SPEC)


@EXAMPLES
@given(TEMPLATES, st.dictionaries(KEYS, JSON, max_size=4))
def test_any_template_and_resources_of_an_evaluation(
    template: dict[str, Any], resources: dict[str, Any]
) -> None:
    world = World()
    pod = StagePod(pod_template=template, resources=resources)
    world.apply(rubric_eval(cluster=RubricEvalCluster(eval=pod)))
    world.settle()


@pytest.mark.parametrize("key", ["serviceAccountName", "serviceAccount"])
@pytest.mark.parametrize("value", [["boss"], {"a": "b"}, 7, True, 1.5], ids=str)
@pytest.mark.parametrize("allowed", [None, frozenset({"runs"})], ids=["any", "a closed list"])
def test_a_service_account_that_is_no_text_is_refused_by_its_path(
    key: str, value: object, allowed: frozenset[str] | None
) -> None:
    world = World(Settings(allowed_service_accounts=allowed))
    pod = StagePod(pod_template={"spec": {key: value}})
    world.apply(fine_tune(cluster=Cluster(blend=pod)))
    world.settle()
    reason, message = accepted(world)
    assert reason == Reason.INVALID_SPEC
    assert message.startswith(f"spec.cluster.blend.podTemplate.spec.{key}: must be a string, not ")


@EXAMPLES
@given(LABELS, st.sampled_from([new_world, blended, training, trained]), st.booleans())
def test_any_labels_of_children_and_pods(
    labels: dict[str, str], start: Callable[[], World], owned: bool
) -> None:
    """On those of the run, and on copies that nobody recorded."""
    world = start()
    for job in world.jobs():
        world.start(job)
    for obj in list(world.objects.values()):
        if obj["kind"] == Kind.BLENDED_FINE_TUNE:
            continue
        obj["metadata"].setdefault("labels", {}).update(labels)
        copy = json.loads(json.dumps(obj))
        copy["metadata"]["name"] = f"{obj['metadata']['name']}-copy"
        copy["metadata"]["ownerReferences"] = copy["metadata"]["ownerReferences"] if owned else []
        world.put(copy)
    world.settle()
    for job in world.active_jobs():
        world.fail(job, 1)
    world.wait(60)


@EXAMPLES
@given(
    st.dictionaries(st.sampled_from(["config.json", "x", ""]), TEXTS | st.just("{}") | st.just("[1]")),
    LABELS,
    st.sampled_from(["ads-run", "ads-run-2", "ads-run-7", "zz"]),
    st.sampled_from([new_world, training, new_evaluation]),
)
def test_any_config_map(
    data: dict[str, str], labels: dict[str, str], name: str, start: Callable[[], World]
) -> None:
    world = start()
    known = next(obj for obj in world.objects.values() if obj["kind"] == Kind.CONFIG_MAP)
    metadata = {**known["metadata"], "name": name.replace("run", known["metadata"]["name"].split("-")[1])}
    forged: Object = {
        **known,
        "metadata": {**metadata, "labels": {**metadata["labels"], **labels}},
        "data": data,
    }
    world.put(json.loads(json.dumps(forged)))
    world.settle()
    forged.pop("data")
    world.put(json.loads(json.dumps(forged)))
    world.wait(60)


RATES = st.none() | st.floats()


@EXAMPLES
@given(
    st.builds(
        Progress,
        step=st.integers(),
        steps=st.integers(),
        tokens=st.integers(),
        checkpoint_bytes=st.none() | st.integers(),
        loss=RATES,
        learning_rate=RATES,
        tokens_per_second=RATES,
        mfu=RATES,
        remaining_seconds=RATES,
        save_seconds=RATES,
    )
)
def test_any_progress_makes_a_status_that_the_api_server_takes(progress: Progress) -> None:
    world = training()
    try:
        answer = codec.decode(Progress, json.loads(json.dumps(codec.encode(progress))), lenient=True)
    except codec.InvalidObject:
        return
    shown = trainer_status(answer, world.now)
    assert codec.decode(TrainerStatus, codec.encode(shown)) == shown
    world.progress_answer = answer
    world.wait(15)
    world.fail(world.job("ads-train-1"), 137)
    world.settle()
    world.wait(60)
    assert codec.decode(BlendedFineTuneStatus, codec.encode(world.fine_tune().status))
    grace = world.job("ads-train-2")["spec"]["pytorchReplicaSpecs"]["Worker"]["template"]["spec"]
    assert 0 <= grace["terminationGracePeriodSeconds"] <= 2 * 86_400 + 60


@pytest.mark.parametrize(
    ("answer", "shown"),
    [
        pytest.param(
            {"step": -3, "steps": 40}, {"progressPercentage": 0, "step": "0", "steps": "40"}, id="negative"
        ),
        pytest.param(
            {"step": 50, "steps": 40}, {"progressPercentage": 100, "step": "50"}, id="beyond the end"
        ),
        pytest.param(
            {"step": 1, "steps": -40}, {"progressPercentage": None, "step": "1"}, id="negative steps"
        ),
        pytest.param(
            {"step": 1, "steps": 2, "remaining_seconds": -1.0},
            {"estimatedRemainingSeconds": None},
            id="time back",
        ),
        pytest.param(
            {"step": 1, "steps": 2, "remaining_seconds": 1e300},
            {"estimatedRemainingSeconds": None},
            id="for ever",
        ),
        pytest.param(
            {"step": 1, "steps": 2, "loss": -1.0, "tokens": -5}, {"loss": None, "tokens": None}, id="loss"
        ),
        pytest.param(
            {"step": 1, "steps": 2, "save_seconds": 1e9}, {"saveSeconds": None}, id="a slow checkpoint"
        ),
    ],
)
def test_what_cannot_be_is_clamped_or_left_out(answer: dict[str, Any], shown: dict[str, object]) -> None:
    status = codec.encode(trainer_status(Progress(**answer), World().now))
    values = {item["name"]: item["value"] for item in status.pop("metrics")}
    for name, value in shown.items():
        assert {**status, **values}.get(name) == value, name


def spoil(value: Any, path: tuple[str | int, ...], by: object) -> Any:
    """A copy with another value at one place."""
    copy = json.loads(json.dumps(value))
    at = copy
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = by
    return copy


def places(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, item in items for place in places(item, (*path, key)))]


RESULTS = {
    "ads-blend": (new_world, blend_result()),
    "ads-train-1": (training, train_result()),
    "ads-eval": (trained, eval_result()),
}


@EXAMPLES
@given(st.sampled_from(sorted(RESULTS)), st.data(), NUMBERS | TEXTS | st.just("x" * 3000) | JSON)
def test_any_result_of_an_image_makes_a_status_that_the_api_server_takes(
    name: str, data: st.DataObject, by: object
) -> None:
    start, result = RESULTS[name]
    encoded = codec.encode(result)
    path = data.draw(st.sampled_from(places(encoded)[1:]))
    message = json.dumps({"kind": type(result).__name__, "result": spoil(encoded, path, by)})
    world = start()
    job = world.job(name)
    world.succeed(job, None)
    world.end_pod(world.pods(job)[0], 0, message)
    world.settle()
    for obj in world.objects.values():
        if obj["kind"] in (Kind.BLENDED_FINE_TUNE, Kind.RUBRIC_EVAL):
            codec.decode(type(codec.decode_object(obj).status), obj["status"])


@EXAMPLES
@given(st.one_of(TEXTS, st.binary().map(lambda raw: raw.decode("latin-1")), JSON.map(json.dumps)))
def test_any_text_is_an_outcome_or_none(text: str) -> None:
    with contextlib.suppress(MessageError):
        decode_message(text)


@EXAMPLES
@given(LABELS, st.sampled_from([*Kind]), JSON)
def test_the_cache_keeps_any_object(labels: dict[str, str], kind: Kind, spec: Any) -> None:
    cache = Cache()
    spec = spec if isinstance(spec, dict) and kind is not Kind.POD else {}
    metadata = {"name": "x", "namespace": "team", "uid": "u", "resourceVersion": "1", "labels": labels}
    cache.apply({"apiVersion": "v1", "kind": kind.value, "metadata": metadata, "spec": spec})
    cache.children("u")
    cache.runs()
