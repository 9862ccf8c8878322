"""Hypothesis strategies that are made from the API's own types and marks."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import is_dataclass, replace
from enum import Enum
from typing import Any, get_args, get_origin

from hypothesis import strategies as st

from blendtune_api import blend_study as study
from blendtune_api import v1alpha1 as api
from blendtune_api.fields import Field, fields_of, is_int_or_string, unwrap
from blendtune_api.marks import Mark

TIMES = st.sampled_from(["2025-01-01T00:00:00Z", "2025-02-03T04:05:06Z"])
JSON_SCALARS = st.none() | st.booleans() | st.integers(-1000, 1000) | st.text(max_size=5)
LABELS = st.from_regex(r"[a-z][a-z0-9]{0,6}(-[a-z0-9]{1,3})?", fullmatch=True)
PATHS = st.lists(LABELS, min_size=1, max_size=3).map("/".join)


def _uris(*schemes: str) -> st.SearchStrategy[str]:
    return st.builds("{}://{}".format, st.sampled_from(schemes), PATHS)


PATTERNS = {
    api.MODEL_URI: _uris("hf", "s3", "pvc", "file"),
    api.DATA_URI: _uris("hf", "s3", "pvc", "file"),
    api.SOURCE_URI: _uris("hf", "s3", "pvc", "file") | st.just(api.SELF_URI),
    api.EXPORT_URI: _uris("s3", "pvc", "file"),
    api.HUB_SPLIT: st.from_regex(api.HUB_SPLIT, fullmatch=True),
    api.HUB_CONFIG: LABELS,
    api.API_URL: _uris("http", "https"),
    api.DNS_LABEL: LABELS,
    api.DNS_1035_LABEL: LABELS,
    api.RELATIVE_PATH: PATHS,
    api.BENCHMARK_NAME: st.from_regex(api.BENCHMARK_NAME, fullmatch=True),
}


def _one_threshold(gate: api.Gate) -> api.Gate:
    if gate.metric is api.Metric.RETENTION:
        return api.Gate(metric=gate.metric, max_rise=0.05 if gate.max_rise is None else gate.max_rise)
    if gate.metric is api.Metric.BENCHMARK:
        return api.Gate(metric=gate.metric, name=gate.name or "mmlu", max_drop=gate.max_drop or 0.02)
    names = ("min_score", "min_gain", "max_drop", "max_critical_errors")
    name = next((name for name in names if getattr(gate, name) is not None), None)
    if name is None:
        return api.Gate(metric=gate.metric, min_score=0.5)
    return api.Gate(metric=gate.metric, **{name: getattr(gate, name)})


def _template(template: study.StudyTemplate) -> study.StudyTemplate:
    evaluation = replace(template.spec.evaluation, stop_when_decided=False)
    return replace(template, spec=replace(template.spec, evaluation=evaluation))


def _gated_benchmarks(evaluation: Any) -> Any:
    """Gates name benchmarks that are run."""
    named = (*evaluation.benchmarks, *(gate.name for gate in evaluation.gates if gate.name is not None))
    if len(named) <= api.MAX_BENCHMARKS:
        return replace(evaluation, benchmarks=named)
    return replace(evaluation, gates=tuple(gate for gate in evaluation.gates if gate.name is None))


def _interpolation(interpolation: api.Interpolation) -> api.Interpolation:
    return api.Interpolation(weights=tuple(dict.fromkeys(interpolation.weights)))


def _evaluation(evaluation: Any) -> Any:
    """Gates name benchmarks that are run; between what there is to compare lie other models."""
    repaired = _gated_benchmarks(evaluation)
    kept = (api.Metric.GENERAL, api.Metric.RETENTION, api.Metric.BENCHMARK)
    if isinstance(repaired, api.Evaluation):
        compared = repaired.baseline.enabled
    else:
        compared = repaired.baseline.model is not None
    if compared and any(gate.metric in kept for gate in repaired.gates):
        has_choice = repaired.interpolation is not None
    else:
        repaired, has_choice = replace(repaired, interpolation=None), False
    if isinstance(repaired, api.RubricEvalSpec) and not has_choice:
        repaired = replace(repaired, export=None)
    return replace(repaired, stop_when_decided=repaired.stop_when_decided and _may_stop(repaired))


def _may_stop(evaluation: Any) -> bool:
    """Whether gates could end the asking: those on answers, with no count and no choice among models."""
    return (
        evaluation.interpolation is None
        and any(gate.is_on_answers for gate in evaluation.gates)
        and all(gate.max_critical_errors is None for gate in evaluation.gates)
    )


def _one_of_two(first: str, second: str, fallback: Any) -> Callable[[Any], Any]:
    def repair(value: Any) -> Any:
        if getattr(value, first) is not None:
            return replace(value, **{second: None})
        return value if getattr(value, second) is not None else replace(value, **{first: fallback})

    return repair


def _hub_alone(value: Any) -> Any:
    """`split` and `config` belong to data on the hub."""
    on_hub = (value.uri or "").startswith("hf://datasets/")
    return value if on_hub else replace(value, split=None, config=None)


def _judge(judge: api.Judge) -> api.Judge:
    kind = api.JudgeKind.RULES if judge.open_ai is None else api.JudgeKind.OPENAI
    return replace(judge, kind=kind)


def _training(training: api.Training) -> api.Training:
    in_fp32 = training.precision is api.Precision.FP32
    in_16_bits = training.attention in (api.Attention.VARLEN, api.Attention.FLASH_ATTENTION_2)
    attention = api.Attention.SDPA if in_16_bits and in_fp32 else training.attention
    fused = training.kernels is api.Kernels.LIGER
    repaired = replace(
        training,
        batch_tokens=training.sequence_length * 4,
        attention=attention,
        kernels=api.Kernels.NONE if fused and in_fp32 else training.kernels,
    )
    if training.early_stopping.metric is api.StoppingMetric.LOSS or training.divergence.positions:
        return repaired
    return replace(repaired, divergence=api.DivergenceMeasure())


def _early_stopping(early: api.EarlyStopping) -> api.EarlyStopping:
    if early.metric is api.StoppingMetric.LOSS:
        return replace(early, max=None)
    return replace(early, patience=0, max=early.max or 0.1)


def _watched(spec: api.BlendedFineTuneSpec) -> api.BlendedFineTuneSpec:
    """Stopping by divergence has general rows to watch."""
    general = any(source.role is api.Role.GENERAL for source in spec.blend.sources)
    if general and spec.blend.validation.resolved_fraction > 0:
        return spec
    return replace(spec, training=replace(spec.training, early_stopping=api.EarlyStopping()))


def _objective(objective: study.Objective) -> study.Objective:
    bounded = objective.subject_to.metric
    if objective.maximize in (bounded, *study.BESIDE_THE_RUBRIC):
        scores = (metric for metric in api.Metric if metric not in study.BESIDE_THE_RUBRIC)
        return replace(objective, maximize=next(metric for metric in scores if metric is not bounded))
    return objective


def _bound(bound: study.Bound) -> study.Bound:
    if bound.metric is api.Metric.RETENTION:
        return study.Bound(metric=bound.metric, max_rise=0.05 if bound.max_rise is None else bound.max_rise)
    name = (bound.name or "mmlu") if bound.metric is api.Metric.BENCHMARK else None
    drop = 0.1 if bound.max_drop is None else bound.max_drop
    return study.Bound(metric=bound.metric, name=name, max_drop=drop)


def _columns(columns: api.Columns) -> api.Columns:
    if columns.messages is not None:
        return api.Columns(messages=columns.messages, system=columns.system, tools=columns.tools)
    named = columns.prompt or columns.response
    return replace(columns, prompt=named, response=named)


def _validation(validation: api.Validation) -> api.Validation:
    one: api.Validation = _hub_alone(_one_of_two("fraction", "uri", 0.02)(validation))
    return one if one.uri is not None else replace(one, columns=None)


def _rubric(rubric: api.RubricReference) -> api.RubricReference:
    one: api.RubricReference = _one_of_two("builtin", "config_map_ref", "business45")(rubric)
    return replace(one, general_from=None) if one.builtin == one.general_from else one


def _source(source: api.Source) -> api.Source:
    one: api.Source = _hub_alone(source)
    if one.is_self:
        return replace(one, role=api.Role.GENERAL, columns=None)
    return replace(one, self_rehearsal=None)


def _rehearsal(rehearsal: api.SelfRehearsal) -> api.SelfRehearsal:
    tokens = rehearsal.tokens if isinstance(rehearsal.tokens, int) else "auto"
    greedy = rehearsal.temperature == 0 and rehearsal.prompts is None
    return replace(rehearsal, tokens=tokens, temperature=0.7 if greedy else rehearsal.temperature)


def _blend(blend: api.Blend) -> api.Blend:
    if blend.self_sources and not any(source.role is api.Role.IN_DOMAIN for source in blend.sources):
        blend = replace(blend, budget=api.Budget(tokens=1000))
    return blend if isinstance(blend.max_bad_rows, int) else replace(blend, max_bad_rows="0.5%")


# What makes a generated value keep the rules of its type.
REPAIRS: dict[type, Callable[[Any], Any]] = {
    api.Budget: _one_of_two("epochs", "tokens", 3),
    api.Source: _source,
    api.RehearsalPrompts: _hub_alone,
    api.SelfRehearsal: _rehearsal,
    api.Blend: _blend,
    api.Columns: _columns,
    api.Validation: _validation,
    api.RubricReference: _rubric,
    api.Training: _training,
    api.EarlyStopping: _early_stopping,
    api.BlendedFineTuneSpec: _watched,
    api.Judge: _judge,
    api.Gate: _one_threshold,
    api.Evaluation: _evaluation,
    api.RubricEvalSpec: _evaluation,
    study.StudyTemplate: _template,
    api.Interpolation: _interpolation,
    study.Objective: _objective,
    study.Bound: _bound,
    api.DeepSpeed: lambda deepspeed: replace(
        deepspeed, stage=deepspeed.stage if deepspeed.stage in (1, 2, 3) else "auto"
    ),
}


@functools.cache
def instances(cls: Any) -> st.SearchStrategy[Any]:
    """Valid values of a dataclass of the API; each field that may be left out sometimes is."""
    values = st.fixed_dictionaries(
        {field.name: _field(field) for field in fields_of(cls) if field.required},
        optional={field.name: _field(field) for field in fields_of(cls) if not field.required},
    )
    return values.map(lambda chosen: REPAIRS.get(cls, lambda value: value)(cls(**chosen)))


def _field(field: Field) -> st.SearchStrategy[Any]:
    strategy = _values(field.type, field.mark)
    return st.none() | strategy if field.nullable else strategy


def _values(annotation: Any, mark: Mark) -> st.SearchStrategy[Any]:
    if is_int_or_string(annotation):
        return st.sampled_from(["auto", 1, 2, 3])
    if get_origin(annotation) is tuple:
        item, item_mark, _ = unwrap(get_args(annotation)[0])
        unique_by = (lambda value: tuple(getattr(value, key) for key in mark.list_map_keys),)
        return st.lists(
            _values(item, item_mark),
            min_size=mark.min_items or 0,
            max_size=min(3, mark.max_items or 3),
            unique_by=unique_by if mark.list_map_keys else None,
        ).map(tuple)
    if get_origin(annotation) is Mapping:
        strings = get_args(annotation)[1] is str
        return st.dictionaries(
            st.text("abc", min_size=1, max_size=3),
            st.text(max_size=5) if strings else JSON_SCALARS,
            max_size=2,
        )
    if is_dataclass(annotation):
        return instances(annotation)
    if issubclass(annotation, Enum):
        return st.sampled_from(list(annotation))
    return _scalars(annotation, mark)


def _scalars(annotation: type, mark: Mark) -> st.SearchStrategy[Any]:
    if annotation is bool:
        return st.booleans()
    if annotation is str:
        return _strings(mark)
    low = mark.minimum if mark.minimum is not None else mark.exclusive_minimum
    high = mark.maximum if mark.maximum is not None else mark.exclusive_maximum
    if annotation is int:
        return st.integers(int(low or 0), int(high) if high is not None else 2**40)
    return st.floats(
        low if low is not None else -1e9,
        high if high is not None else 1e9,
        exclude_min=mark.exclusive_minimum is not None,
        exclude_max=mark.exclusive_maximum is not None,
    )


def _strings(mark: Mark) -> st.SearchStrategy[str]:
    if mark.format == "date-time":
        return TIMES
    if mark.pattern is None:
        return st.text(min_size=mark.min_length or 0, max_size=min(mark.max_length or 12, 12))
    return PATTERNS[mark.pattern].filter(lambda text: len(text) <= (mark.max_length or len(text)))
