from __future__ import annotations

import copy
import json
import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.api.generated import instances

from blendtune_api import contract
from blendtune_api import v1alpha1 as api
from blendtune_api.codec import Fault, InvalidObject, decode, decode_object, encode, encode_object
from blendtune_api.contract import EvalConfig, GpuPreset, RunConfig, digest_of

Document = dict[str, Any]
OUTCOMES = (contract.RubricResult, contract.BlendResult, contract.TrainResult, contract.EvalResult)


def faults_of(document: object) -> list[tuple[str, str]]:
    with pytest.raises(InvalidObject) as error:
        decode_object(document)
    return [(fault.path, fault.message) for fault in error.value.faults]


def put(document: Document, path: str, value: object) -> Document:
    """A copy of the document with one value replaced; the path is dotted, list indices are numbers."""
    result = copy.deepcopy(document)
    *parents, last = path.split(".")
    target: Any = result
    for name in parents:
        target = target[int(name)] if isinstance(target, list) else target.setdefault(name, {})
    target[int(last) if isinstance(target, list) else last] = value
    return result


def test_the_manifest_of_the_design_has_no_fault(design_manifest: Document) -> None:
    run = decode_object(design_manifest)
    assert isinstance(run, api.BlendedFineTune)
    assert run.metadata.name == "vicuna-13b-ads"
    assert run.spec.training.learning_rate == 3e-5
    assert run.spec.training.adam.epsilon == 1e-8
    assert [source.role for source in run.spec.blend.sources] == [api.Role.IN_DOMAIN, api.Role.GENERAL]
    assert run.spec.evaluation.gates[1] == api.Gate(metric=api.Metric.GENERAL, max_drop=0.1)


def test_what_the_design_leaves_at_a_default_is_the_default(
    design_manifest: Document, minimal_fine_tune: Document
) -> None:
    full, minimal = decode_object(design_manifest), decode_object(minimal_fine_tune)
    assert isinstance(full, api.BlendedFineTune) and isinstance(minimal, api.BlendedFineTune)
    assert full.spec.training == minimal.spec.training
    assert replace(full.spec.evaluation, gates=()) == minimal.spec.evaluation


def bad(name: str, path: str, value: object, message: str, at: str | None = None) -> Any:
    """A case: the value at `path` has a fault, there or `at` another path, whose message contains this."""
    where = re.sub(r"\.(\d+)", r"[\1]", path) if at is None else at
    return pytest.param(path, value, where, message, id=name)


def rehearsed(**rehearsal: object) -> list[Document]:
    """In-domain rows, and a source of the base model's own."""
    ads = {"name": "ads", "role": "inDomain", "uri": "pvc://data/ads.jsonl", "weight": 1}
    return [
        ads,
        {"name": "known", "role": "general", "uri": "self://", "weight": 1, "selfRehearsal": rehearsal},
    ]


def judge(url: str) -> Document:
    return {"kind": "OpenAI", "openAI": {"url": url, "model": "m"}}


def stopping(*gates: Document) -> Document:
    return {"stopWhenDecided": True, "benchmarks": ["mmlu"], "gates": list(gates)}


SOURCE = "spec.blend.sources.0"
SOURCES = "spec.blend.sources"
AT, REHEARSAL = "spec.blend.sources[0]", "spec.blend.sources[1].selfRehearsal"
JUDGE = "spec.evaluation.judge"
RUBRIC = "spec.evaluation.rubric"
STAGE = "spec.training.deepspeed.stage"
STOPPING = "spec.evaluation.stopWhenDecided"
OVERRIDES = "spec.training.deepspeed.overrides"
STOP = {"metric": "kl", "max": 0.1}
BAD_INPUT = [
    bad("weight zero", f"{SOURCE}.weight", 0, "must be greater than 0, not 0"),
    bad("weight negative", f"{SOURCE}.weight", -1, "must be greater than 0, not -1"),
    bad("weight boolean", f"{SOURCE}.weight", True, "must be a number, not true"),
    bad("weight in quotes", f"{SOURCE}.weight", "50", "must be a number, not '50'"),
    bad("weight null", f"{SOURCE}.weight", None, "is required"),
    bad("weight nan", f"{SOURCE}.weight", float("nan"), "must be a finite number"),
    bad("weight huge", f"{SOURCE}.weight", 10**400, "must be a finite number"),
    bad("unknown role", f"{SOURCE}.role", "domain", "must be inDomain or general, not 'domain'"),
    bad("thinking unquoted", "spec.model.thinking", True, "must be auto, on or off, in quotes, not true"),
    bad("role a list", f"{SOURCE}.role", ["x"], "must be inDomain or general, not a list"),
    bad("uri without scheme", f"{SOURCE}.uri", "/data/ads", "must match ^((hf|s3|pvc|file)://"),
    bad("self in-domain", f"{SOURCE}.uri", "self://", "only be a general source", at=f"{AT}.role"),
    bad("self with more", f"{SOURCE}.uri", "self://x", "must match"),
    bad("rehearsal of data", f"{SOURCE}.selfRehearsal", {}, "goes with uri self:// only"),
    bad("columns of self", SOURCES, [{**rehearsed()[1], "columns": {"messages": "m"}}], "leave columns out",
        at=f"{AT}.columns"),
    bad("self alone", SOURCES, rehearsed()[1:], "add a source of role inDomain", at="spec.blend.budget"),
    bad("no tokens", SOURCES, rehearsed(tokens=0), "auto, or a number", at=f"{REHEARSAL}.tokens"),
    bad("some tokens", SOURCES, rehearsed(tokens="some"), "auto, or a number", at=f"{REHEARSAL}.tokens"),
    bad("greedy questions", SOURCES, rehearsed(temperature=0), "raise temperature, or set prompts",
        at=f"{REHEARSAL}.temperature"),
    bad("split of no hub", SOURCES, rehearsed(prompts={"uri": "pvc://a", "split": "test"}), "hf://datasets/",
        at=f"{REHEARSAL}.prompts"),
    bad("self as prompts", SOURCES, rehearsed(prompts={"uri": "self://"}), "must match",
        at=f"{REHEARSAL}.prompts.uri"),
    bad("blank in a uri", f"{SOURCE}.uri", "pvc://a b", "must match"),
    bad("newline after a uri", f"{SOURCE}.uri", "pvc://a\n", "must match"),
    bad("long uri", f"{SOURCE}.uri", "pvc://" + "a" * 2000, "must have at most 1024 characters"),
    bad("capital in a name", f"{SOURCE}.name", "Ads", "must match"),
    bad("number as a name", f"{SOURCE}.name", 7, "must be a string, not 7 (put it in quotes)"),
    bad("typo in a source", f"{SOURCE}.wieght", 1, "unknown field; did you mean weight?"),
    bad("foreign field", f"{SOURCE}.zzz", 1, "known are name, role, uri, weight, maxEpochs"),
    bad("no source", "spec.blend.sources", [], "must have at least 1 item, not 0"),
    bad("sources a map", "spec.blend.sources", {}, "must be a list, not an object"),
    bad("source null", "spec.blend.sources", [None], "an object, not nothing", at="spec.blend.sources[0]"),
    bad("no budget", "spec.blend.budget", {}, "set exactly one of epochs and tokens"),
    bad("two budgets", "spec.blend.budget.tokens", 5, "set exactly one", at="spec.blend.budget"),
    bad("half a seed", "spec.blend.seed", 1.5, "must be an integer, not 1.5"),
    bad("negative seed", "spec.blend.seed", -1, "must be at least 0"),
    bad("two validations", "spec.blend.validation", {"fraction": 0.1, "uri": "s3://a"}, "at most one of"),
    bad("part of a bin", "spec.training.batchTokens", 3000, "must be a multiple of sequenceLength"),
    bad("flash attention in fp32", "spec.training", {"attention": "flash_attention_2", "precision": "fp32"},
        "varlen and flash_attention_2 compute in 16 bits", at="spec.training.attention"),
    bad("varlen in fp32", "spec.training", {"attention": "varlen", "precision": "fp32"},
        "varlen and flash_attention_2 compute in 16 bits", at="spec.training.attention"),
    bad("kl without a limit", "spec.training.earlyStopping", {"metric": "kl"}, "max must be set",
        at="spec.training.earlyStopping.max"),
    bad("a limit of nothing", "spec.training.earlyStopping", {"max": 0.1}, "and only then",
        at="spec.training.earlyStopping.max"),
    bad("kl with patience", "spec.training.earlyStopping", {"metric": "kl", "max": 1, "patience": 2},
        "patience is of metric loss", at="spec.training.earlyStopping.patience"),
    bad("kl of nothing", "spec.training", {"earlyStopping": STOP, "divergence": {"positions": 0}},
        "needs what divergence.positions measures", at="spec.training.divergence"),
    bad("number of YAML 1.1", "spec.training.learningRate", "3e-5", "must be a number, not '3e-5'"),
    bad("beta of one", "spec.training.adam.beta1", 1, "must be less than 1, not 1"),
    bad("stage four", STAGE, 4, "stage must be auto, 1, 2 or 3", at="spec.training.deepspeed"),
    bad("stage a list", STAGE, [], "must be an integer or a string, not a list"),
    bad("overrides a number", OVERRIDES, 3, "must be an object, not 3"),
    bad("number as a key", OVERRIDES, {1: 2}, "the key 1 must be a string"),
    bad("too many overrides", OVERRIDES, {str(key): 0 for key in range(65)}, "must have at most 64 items"),
    bad("tracking a string", "spec.training.tracking", "wandb", "must be a list, not 'wandb'"),
    bad("unknown tracker", "spec.training.tracking", ["x"], "must be tens", at="spec.training.tracking[0]"),
    bad("empty module", "spec.training.lora", {"targetModules": [""]}, "1 char",
        at="spec.training.lora.targetModules[0]"),
    bad("no node", "spec.cluster.nodes", 0, "must be at least 1, not 0"),
    bad("gate of nothing", "spec.evaluation.gates", [{"metric": "general"}], "set exactly one",
        at="spec.evaluation.gates[0]"),
    bad("stopping without a gate", STOPPING, True, "nothing that the answers could decide"),
    bad("stopping for no answer", "spec.evaluation", stopping({"metric": "retention", "maxRise": 0.05}),
        "nothing that the answers could decide", at=STOPPING),
    bad("stopping for a benchmark", "spec.evaluation", stopping(
        {"metric": "benchmark", "name": "mmlu", "maxDrop": 0.02}), "nothing that the answers", at=STOPPING),
    bad("stopping with a count", "spec.evaluation", stopping(
        {"metric": "general", "maxDrop": 0.1}, {"metric": "overall", "maxCriticalErrors": 0}),
        "counts over all questions", at=STOPPING),
    bad("stopping among several models", "spec.evaluation",
        {**stopping({"metric": "general", "maxDrop": 0.1}), "interpolation": {"weights": [0.5]}},
        "leave one of interpolation and stopWhenDecided out", at=STOPPING),
    bad("weight of the base model", "spec.evaluation.interpolation", {"weights": [0]}, "greater than 0",
        at="spec.evaluation.interpolation.weights[0]"),
    bad("weight of the tuned model", "spec.evaluation.interpolation", {"weights": [1]}, "less than 1",
        at="spec.evaluation.interpolation.weights[0]"),
    bad("weight twice", "spec.evaluation.interpolation", {"weights": [0.5, 0.5]}, "asked once",
        at="spec.evaluation.interpolation.weights"),
    bad("no weight", "spec.evaluation.interpolation", {"weights": []}, "at least 1 item",
        at="spec.evaluation.interpolation.weights"),
    bad("nothing to keep", "spec.evaluation.interpolation", {"weights": [0.5]}, "add one on what was known"),
    bad("nothing to go back to", "spec.evaluation",
        {"baseline": {"enabled": False}, "interpolation": {"weights": [0.5]},
         "gates": [{"metric": "general", "maxDrop": 0.1}]}, "set baseline.enabled",
        at="spec.evaluation.interpolation"),
    bad("judge not set", "spec.evaluation.judge.kind", "OpenAI", "openAI must be set when",
        at="spec.evaluation.judge.openAI"),
    bad("key in a URL", JUDGE, judge("https://me:key@api"), "must match", at=f"{JUDGE}.openAI.url"),
    bad("key in a query", JUDGE, judge("https://api/v1?key=x"), "name its Secret", at=f"{JUDGE}.openAI.url"),
    bad("token in a query", JUDGE, judge("https://a/v1?v=1&api_Token=x"), "name its Secret",
        at=f"{JUDGE}.openAI.url"),
    bad("file as a URL", JUDGE, judge("file:///api"), "must match", at=f"{JUDGE}.openAI.url"),
    bad("two rubrics", RUBRIC, {"builtin": "a", "configMapRef": {"name": "b", "key": "c"}}, "exactly one"),
    bad("no rubric", RUBRIC, {}, "set exactly one of builtin and configMapRef"),
    bad("split of no data set", "spec.blend.validation", {"uri": "s3://a", "split": "test"}, "begins with hf://"),
    bad("config of nothing", "spec.blend.validation", {"config": "en"}, "begins with hf://"),
    bad("export to a hub", "spec.export", {"uri": "hf://a/b"}, "^(s3|pvc|file)", at="spec.export.uri"),
    bad("suspend in words", "spec.suspend", "yes", "must be true or false, not 'yes'"),
    bad("typo in the spec", "spec.modle", {}, "unknown field; did you mean model?"),
    bad("no storage", "spec.storage", None, "is required"),
    bad("no spec", "spec", None, "is required", at="spec.model"),
    bad("spec a list", "spec", [], "must be an object, not a list"),
    bad("name", "metadata.name", "A_b", "must match"),
    bad("name begins with a digit", "metadata.name", "1a", "must match"),
    bad("long name", "metadata.name", "a" * 41, "must have at most 40 characters"),
    bad("no metadata", "metadata", None, "is required", at="metadata.name"),
    bad("version", "apiVersion", "blendtune.io/v1", "must be blendtune.io/v1alpha1, not 'blendtune.io/v1'"),
    bad("kind", "kind", "Job", "must be BlendedFineTune or RubricEval or BlendStudy, not 'Job'"),
    bad("kind a list", "kind", ["Job"], "must be BlendedFineTune or RubricEval or BlendStudy, not a list"),
    bad("unknown part", "speck", {}, "unknown field; did you mean spec?"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "value", "fault_path", "message"), BAD_INPUT)
def test_bad_input_is_named_by_its_path(
    minimal_fine_tune: Document, path: str, value: object, fault_path: str, message: str
) -> None:
    found = faults_of(put(minimal_fine_tune, path, value))
    assert any(where == fault_path and message in what for where, what in found), found


@pytest.mark.parametrize("document", [None, [], "text", 3], ids=repr)
def test_a_document_that_is_no_object_is_refused(document: object) -> None:
    assert "must be an object" in faults_of(document)[0][1]


def test_duplicate_names_of_sources(minimal_fine_tune: Document) -> None:
    minimal_fine_tune["spec"]["blend"]["sources"] *= 2
    message = "must be unique, but spec.blend.sources[0] has the same"
    assert faults_of(minimal_fine_tune) == [("spec.blend.sources[1].name", message)]


def test_every_fault_is_listed_at_once(minimal_fine_tune: Document) -> None:
    document = minimal_fine_tune
    for path, value in [
        ("metadata.name", "X"),
        ("spec.blend.sources.0.weight", 0),
        ("spec.blend.budget", {}),
        ("spec.training.batchTokens", 1000),
        ("spec.storage.persistentVolumeClaim", ""),
        ("spec.cluster.gpuTpye", "h100"),
    ]:
        document = put(document, path, value)
    found = dict(faults_of(document))
    assert set(found) == {
        "metadata.name",
        "spec.blend.sources[0].weight",
        "spec.blend.budget",
        "spec.training.batchTokens",
        "spec.storage.persistentVolumeClaim",
        "spec.cluster.gpuTpye",
    }


def test_the_text_of_the_error_names_each_path() -> None:
    error = InvalidObject([Fault("spec.a", "is required"), Fault("", "must be an object")])
    assert str(error) == "spec.a: is required\nmust be an object"


def test_an_integer_is_a_number_and_an_integral_float_an_integer(minimal_fine_tune: Document) -> None:
    document = put(put(minimal_fine_tune, "spec.cluster.nodes", 2.0), "spec.training.learningRate", 1)
    run = decode_object(document)
    assert isinstance(run, api.BlendedFineTune)
    assert (run.spec.cluster.nodes, type(run.spec.cluster.nodes)) == (2, int)
    assert (run.spec.training.learning_rate, type(run.spec.training.learning_rate)) == (1.0, float)


def test_metadata_of_others_is_ignored(minimal_fine_tune: Document) -> None:
    metadata = {
        "labels": {"a": "b"},
        "managedFields": [],
        "uid": "u",
        "generation": 4,
        "resourceVersion": "7",
    }
    run = decode_object(put(minimal_fine_tune, "metadata", {"name": "a", "namespace": "team", **metadata}))
    expected = api.ObjectMeta(name="a", namespace="team", uid="u", generation=4, resource_version="7")
    assert run.metadata == expected


def test_a_status_of_another_version_is_read_as_far_as_it_goes(minimal_fine_tune: Document) -> None:
    condition = {
        "type": "Failed",
        "status": "True",
        "reason": "New",
        "message": "",
        "lastTransitionTime": "t",
    }
    minimal_fine_tune["status"] = {
        "startTime": "2025-01-01T00:00:00Z",
        "state": "Paused",
        "retry": -1,
        "somethingNew": {"a": 1},
        "conditions": [condition, {"type": "Strange"}],
        "blend": {"digest": 3},
    }
    run = decode_object(minimal_fine_tune)
    assert isinstance(run, api.BlendedFineTune)
    assert run.status.start_time == "2025-01-01T00:00:00Z"
    assert (run.status.state, run.status.blend, run.status.retry) == (None, None, -1)
    assert [each.reason for each in run.status.conditions] == ["New"]


def test_lenient_decoding_still_refuses_what_cannot_be_read() -> None:
    assert decode(api.Adam, {"beta1": 7, "gamma": 1}, lenient=True) == api.Adam(beta1=7)
    with pytest.raises(InvalidObject, match=r"adam\.beta1: must be a number"):
        decode(api.Adam, {"beta1": "x"}, "adam", lenient=True)


def test_empty_defaults_and_none_are_left_out() -> None:
    storage = api.Storage(persistent_volume_claim="data")
    assert encode(storage) == {"persistentVolumeClaim": "data"}
    assert encode(api.Lora()) == {"rank": 16, "alpha": 32, "export": "Merged"}
    assert encode(api.Cluster())["backoffLimit"] == 3
    assert "train" not in encode(api.Cluster())
    assert encode(api.EvaluationSummary(name="a")) == {"name": "a"}


def test_none_that_is_not_the_default_is_kept() -> None:
    preset = GpuPreset(name="cpu", resource_name=None)
    assert encode(preset) == {"name": "cpu", "resourceName": None}
    assert decode(GpuPreset, encode(preset)) == preset


def test_a_float_that_json_cannot_say_is_left_out() -> None:
    progress = contract.Progress(step=1, steps=2, loss=float("nan"), mfu=float("inf"))
    assert encode(progress) == {"step": 1, "steps": 2, "tokens": 0}


def test_what_has_no_json_form_is_refused() -> None:
    with pytest.raises(TypeError, match="a set has no JSON form"):
        encode({"a": {1}})


@pytest.mark.parametrize(
    "url",
    [
        "https://name.openai.azure.com/openai/deployments/judge?api-version=2024-10-21",
        "https://name.openai.azure.com/openai/deployments/judge/chat/completions?api-version=preview",
        "https://api.example.com/v1/chat/completions",
        "http://vllm.models:8000",
    ],
)
def test_the_url_of_a_judge_may_have_a_query(minimal_fine_tune: Document, url: str) -> None:
    minimal_fine_tune["spec"]["evaluation"] = {"judge": judge(url)}
    run = decode_object(minimal_fine_tune)
    assert isinstance(run, api.BlendedFineTune)
    assert run.spec.evaluation.judge.open_ai == api.OpenAIJudge(url=url, model="m")


def test_names_are_camel_case_but_for_open_ai() -> None:
    judge = api.Judge(kind=api.JudgeKind.OPENAI, open_ai=api.OpenAIJudge(url="https://a", model="m"))
    assert encode(judge) == {"kind": "OpenAI", "openAI": {"url": "https://a", "model": "m"}}


def test_a_digest_survives_the_way_through_json(design_manifest: Document) -> None:
    run = decode_object(design_manifest)
    assert isinstance(run, api.BlendedFineTune)
    before = RunConfig(uid="u", namespace="n", name="a", spec=run.spec, gpu=GpuPreset(name="cpu"))
    after = decode(RunConfig, json.loads(json.dumps(encode(before))))
    assert after == before
    assert after.digest == before.digest
    assert digest_of(api.Lora(alpha=32)) == digest_of(api.Lora(alpha=32.0))


@pytest.mark.parametrize(
    "cls",
    [api.BlendedFineTuneSpec, api.BlendedFineTuneStatus, api.RubricEvalSpec, api.RubricEvalStatus,
     RunConfig, EvalConfig, contract.Progress, *OUTCOMES],
    ids=lambda cls: cls.__name__,
)  # fmt: skip
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_decoding_undoes_encoding(cls: type, data: st.DataObject) -> None:
    value = data.draw(instances(cls))
    document = json.loads(json.dumps(encode(value), allow_nan=False))
    decoded = decode(cls, document)
    assert decoded == value
    assert encode(decoded) == document


@settings(max_examples=25, deadline=None)
@given(spec=instances(api.BlendedFineTuneSpec), status=instances(api.BlendedFineTuneStatus))
def test_decoding_undoes_encoding_of_whole_objects(
    spec: api.BlendedFineTuneSpec, status: api.BlendedFineTuneStatus
) -> None:
    run = api.BlendedFineTune(metadata=api.ObjectMeta(name="a", uid="b"), spec=spec, status=status)
    assert decode_object(json.loads(json.dumps(encode_object(run)))) == run


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda children: (
        st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=10), children, max_size=4)
    ),
    max_leaves=20,
)


@settings(max_examples=100, deadline=None)
@given(data=st.data(), value=JSON)
def test_no_value_anywhere_makes_decoding_fail_in_another_way(data: st.DataObject, value: object) -> None:
    document = encode(data.draw(instances(api.BlendedFineTuneSpec)))
    target = document
    while isinstance(target, dict) and target:
        key = data.draw(st.sampled_from(sorted(target)))
        if not isinstance(target[key], dict) or data.draw(st.booleans()):
            target[key] = value
            break
        target = target[key]
    try:
        decode(api.BlendedFineTuneSpec, document, "spec")
    except InvalidObject as error:
        assert all(fault.path.startswith("spec") for fault in error.faults)


@pytest.mark.parametrize(
    ("validation", "role", "accepted"),
    [
        pytest.param({}, "general", True, id="held out by default"),
        pytest.param({"fraction": 0.1}, "general", True, id="held out"),
        pytest.param({"fraction": 0}, "general", False, id="none held out"),
        pytest.param({"uri": "s3://a/b"}, "general", False, id="rows without a role"),
        pytest.param({}, "inDomain", False, id="no general source"),
    ],
)
def test_stopping_by_divergence_needs_general_rows_held_out(
    minimal_fine_tune: Document, validation: Document, role: str, accepted: bool
) -> None:
    spec = minimal_fine_tune["spec"]
    spec["blend"]["validation"] = validation
    for source in spec["blend"]["sources"]:
        source["role"] = role
    spec["training"] = {"earlyStopping": STOP}
    if accepted:
        decode_object(minimal_fine_tune)
        return
    ((path, message),) = faults_of(minimal_fine_tune)
    assert path == "spec.training"
    assert "earlyStopping.metric kl needs held-out rows of a source of role general" in message


def test_a_study_refuses_runs_that_stop_early(minimal_fine_tune: Document) -> None:
    spec = minimal_fine_tune["spec"]
    gates = [{"metric": "general", "maxDrop": 0.1}]
    template = {"spec": {**spec, "evaluation": {"stopWhenDecided": True, "gates": gates}}}
    study = {
        **minimal_fine_tune,
        "kind": "BlendStudy",
        "spec": {"template": template, "axes": {"inDomainShare": [0.5, 1]}},
    }
    ((where, what),) = faults_of(study)
    assert where == "spec.template.spec"
    assert "a study compares scores" in what
