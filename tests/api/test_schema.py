from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, is_dataclass
from typing import Annotated, Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.api.generated import instances
from tests.api.structural import Schema, as_json_schema, nodes, structural_faults, with_defaults

from blendtune_api import blend_study as study
from blendtune_api import v1alpha1 as api
from blendtune_api.codec import decode, decode_object, encode, encode_object
from blendtune_api.crd import RESOURCES, ResourceDefinition, custom_resource_definition, root_schema
from blendtune_api.fields import rules_of
from blendtune_api.marks import Mark, Rule
from blendtune_api.schema import object_schema

EACH_RESOURCE = pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource.kind)
CLASSES_WITH_RULES = [
    cls for cls in {**vars(api), **vars(study)}.values() if is_dataclass(cls) and rules_of(cls)
]
EACH_RULE = pytest.mark.parametrize(
    ("cls", "rule"),
    [pytest.param(cls, rule, id=f"{cls.__name__}-{rule.message[:30]}")
     for cls in CLASSES_WITH_RULES for rule in rules_of(cls)],
)  # fmt: skip


@EACH_RESOURCE
def test_the_schema_is_structural(resource: ResourceDefinition) -> None:
    assert structural_faults(root_schema(resource.cls)) == []


def test_the_structural_check_sees_what_the_api_server_refuses() -> None:
    bad: Schema = {
        "type": "object",
        "properties": {
            "a": {"anyOf": [], "type": "string"},
            "b": {},
            "c": {"type": "object"},
            "d": {"type": "array", "items": {"type": "string", "default": "x"}},
            "e": {"type": "number", "exclusiveMinimum": 0},
            "f": {"type": "object", "properties": {"x": {"type": "string"}}, "additionalProperties": True},
            "status": {"type": "string", "default": "x"},
        },
        "required": ["z"],
    }
    places = {fault.split(":")[0] for fault in structural_faults(bad)}
    assert places == {"", ".a", ".b", ".c", ".d[]", ".e", ".f", ".status"}


@EACH_RESOURCE
def test_every_value_is_bounded(resource: ResourceDefinition) -> None:
    """The cost of CEL rules is estimated from the bounds; a value without one is taken to be huge."""
    for path, schema in nodes(root_schema(resource.cls)):
        kind = schema.get("type")
        if path.startswith(".spec"):
            if kind in ("integer", "number"):
                assert {"minimum", "maximum"} <= schema.keys(), path
            if kind == "object" and "properties" not in schema:
                assert "maxProperties" in schema, path
        if path.startswith((".spec", ".status")):
            if kind == "string":
                assert {"maxLength", "enum", "format"} & schema.keys(), path
            if kind == "array":
                assert "maxItems" in schema, path


@EACH_RESOURCE
def test_every_field_is_described(resource: ResourceDefinition) -> None:
    for path, schema in nodes(root_schema(resource.cls)):
        if path.startswith((".spec", ".status")) and not path.endswith("[]"):
            assert schema.get("description", "").endswith((".", ".)")), path


@EACH_RESOURCE
def test_patterns_mean_the_same_to_python_and_to_the_api_server(resource: ResourceDefinition) -> None:
    for path, schema in nodes(root_schema(resource.cls)):
        pattern = schema.get("pattern", "^$")
        assert pattern.startswith("^") and pattern.endswith("$"), path
        assert not re.search(r"\(\?|\\[1-9]", pattern), (
            f"{path}: RE2 has no look-around and no back references"
        )


@EACH_RESOURCE
def test_printer_columns_point_at_fields(resource: ResourceDefinition) -> None:
    schema = root_schema(resource.cls)
    for column in resource.columns:
        assert "[-1" not in column.json_path
        if column.json_path.startswith(".metadata"):
            continue
        node = schema
        for name in re.sub(r"\[\?\(.*?\)\]", ".[]", column.json_path).strip(".").split("."):
            node = node["items"] if name == "[]" else node["properties"][name]
        assert node["type"] == column.type
    verdict = "Share" if resource.cls is study.BlendStudy else "Gates"
    assert [column.name for column in resource.columns][-2:] == [verdict, "Age"]


@EACH_RESOURCE
def test_names_of_the_resource(resource: ResourceDefinition) -> None:
    crd = custom_resource_definition(resource)
    spec = crd["spec"]
    assert crd["metadata"]["name"] == f"{spec['names']['plural']}.{spec['group']}"
    assert spec["names"]["categories"] == ["blendtune"]
    (version,) = spec["versions"]
    assert (version["served"], version["storage"], version["subresources"]) == (True, True, {"status": {}})


@EACH_RULE
def test_every_rule_has_a_twin_unless_it_needs_the_old_object(cls: type, rule: Rule) -> None:
    del cls
    assert (rule.check is None) == ("oldSelf" in rule.cel)
    assert rule.message and len(rule.message) <= 2048


@EACH_RULE
def test_the_text_of_a_rule_is_sound(cls: type, rule: Rule) -> None:
    without_strings = re.sub(r"'[^']*'", "''", rule.cel)
    for opening, closing in ("()", "[]", "{}"):
        assert without_strings.count(opening) == without_strings.count(closing)
    assert not re.search(r"\b(and|or|not|None|True|False)\b|[^=!<>]=[^=]", without_strings)
    whole = next((resource for resource in RESOURCES if resource.cls is cls), None)
    schema = root_schema(cls) if whole else object_schema(cls)
    schema["properties"].setdefault("metadata", {})["properties"] = {"name": {"type": "string"}}
    for path in re.findall(r"\b(?:self|oldSelf)((?:\.[A-Za-z]\w*)+)(?!\w|\()", without_strings):
        node = schema
        for name in path.strip(".").split("."):
            assert name in node["properties"], f"{cls.__name__} has no {path}"
            node = node["properties"][name]
    if rule.field_path:
        assert rule.field_path in schema["properties"]


@pytest.mark.parametrize(
    "resource",
    [resource for resource in RESOURCES if resource.cls is not study.BlendStudy],
    ids=lambda resource: resource.kind,
)
def test_what_is_frozen_is_the_whole_spec_but_what_stays_editable(resource: ResourceDefinition) -> None:
    editable = {
        "BlendedFineTune": {"cluster", "credentials", "suspend", "retry", "ttlSecondsAfterFinished",
                            "evaluation.gates"},
        "RubricEval": {"cluster", "credentials", "suspend", "retry", "ttlSecondsAfterFinished", "gates"},
    }[resource.kind]  # fmt: skip
    spec = root_schema(resource.cls)["properties"]["spec"]["properties"]
    names = set(spec)
    if resource.kind == "BlendedFineTune":
        names = names - {"evaluation"} | {f"evaluation.{name}" for name in spec["evaluation"]["properties"]}
    frozen: tuple[str, ...] = resource.cls.FROZEN_FIELDS  # type: ignore[attr-defined]
    assert set(frozen) == names - editable
    rule = rules_of(resource.cls)[-1]
    assert all(f"self.spec.{name} == oldSelf.spec.{name}" in rule.cel for name in frozen)


@pytest.mark.parametrize(
    ("spec", "fixture"),
    [(api.BlendedFineTuneSpec, "minimal_fine_tune"), (api.RubricEvalSpec, "minimal_rubric_eval")],
    ids=["BlendedFineTune", "RubricEval"],
)
def test_the_defaults_of_the_schema_are_those_of_the_dataclasses(
    spec: Any, fixture: str, request: pytest.FixtureRequest
) -> None:
    document = request.getfixturevalue(fixture)["spec"]
    completed = with_defaults(object_schema(spec), document)
    assert decode(spec, completed) == decode(spec, document)
    assert encode(decode(spec, completed)) == encode(decode(spec, document))


@settings(max_examples=25, deadline=None)
@given(spec=instances(api.BlendedFineTuneSpec))
def test_defaulting_changes_no_object(spec: api.BlendedFineTuneSpec) -> None:
    completed = with_defaults(object_schema(api.BlendedFineTuneSpec), encode(spec))
    assert decode(api.BlendedFineTuneSpec, completed) == spec


@pytest.mark.parametrize(
    ("cls", "spec", "status"),
    [
        pytest.param(
            api.BlendedFineTune, api.BlendedFineTuneSpec, api.BlendedFineTuneStatus, id="BlendedFineTune"
        ),
        pytest.param(api.RubricEval, api.RubricEvalSpec, api.RubricEvalStatus, id="RubricEval"),
        pytest.param(study.BlendStudy, study.BlendStudySpec, study.BlendStudyStatus, id="BlendStudy"),
    ],
)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_an_encoded_object_validates_against_its_crd(
    cls: Any, spec: Any, status: Any, data: st.DataObject
) -> None:
    value = cls(
        metadata=api.ObjectMeta(name="a"),
        spec=data.draw(instances(spec)),
        status=data.draw(instances(status)),
    )
    schema = as_json_schema(root_schema(cls))
    jsonschema.validate(encode_object(value), schema, cls=jsonschema.Draft202012Validator)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        pytest.param(("blend", "seed"), -1, id="below the minimum"),
        pytest.param(("blend", "sources", 0, "weight"), 0, id="at the exclusive minimum"),
        pytest.param(("training", "adam", "beta1"), 1, id="at the exclusive maximum"),
        pytest.param(("blend", "sources", 0, "role"), "x", id="not in the enum"),
        pytest.param(("blend", "sources"), [], id="too few items"),
        pytest.param(("training", "deepspeed", "stage"), "three", id="too long"),
        pytest.param(("model", "uri"), "/path", id="not the pattern"),
        pytest.param(("unknown",), 1, id="unknown"),
    ],
)
def test_the_schema_and_the_codec_refuse_the_same(
    design_manifest: dict[str, Any], path: tuple[str | int, ...], value: object
) -> None:
    schema = as_json_schema(root_schema(api.BlendedFineTune))
    jsonschema.validate(design_manifest, schema, cls=jsonschema.Draft202012Validator)
    target: Any = design_manifest["spec"]
    for name in path[:-1]:
        target = target[name]
    target[path[-1]] = value
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(design_manifest, schema, cls=jsonschema.Draft202012Validator)
    with pytest.raises(ValueError):
        decode_object(design_manifest)


def test_a_map_must_be_marked() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Unmarked:
        values: Annotated[Mapping[str, Any], Mark("Some values.")] = field(default_factory=dict)

    # The annotations are text here; they are resolved in the module, where Mapping and Mark stand.
    with pytest.raises(TypeError, match="preserve_unknown_fields: Some values"):
        object_schema(Unmarked)
