"""The values: refused where they are wrong, and documented."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from helm.readme import documented, readme
from tests.helm.chart import CASES, CHART, ROOT, HelmError, Values, helm, render

from blendtune_api.contract import GpuPreset

SCHEMA = json.loads((CHART / "values.schema.json").read_text())
TEXT = (CHART / "values.yaml").read_text()
VALUES = yaml.safe_load(TEXT)
# Objects of Kubernetes' own types: the API server knows their fields.
KUBERNETES = {
    "podSecurityContext", "securityContext", "affinity", "valueFrom", "ipBlock", "namespaceSelector",
    "podSelector",
}  # fmt: skip
OF_A_PARENT_CHART = {"global", "enabled"}
needs_helm = pytest.mark.cluster


@needs_helm
@pytest.mark.parametrize("values", CASES.values(), ids=CASES)
def test_lint(values: Values, tmp_path: Path) -> None:
    file = tmp_path / "values.json"
    file.write_text(json.dumps(values))
    assert "0 chart(s) failed" in helm("lint", "--strict", CHART, "--values", file)


def test_the_charts_version_is_the_packages() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert chart["version"] == chart["appVersion"] == version


@needs_helm
def test_a_packaged_chart_renders_the_same(tmp_path: Path) -> None:
    helm("package", CHART, "--destination", tmp_path)
    (package,) = tmp_path.iterdir()
    assert render({}, package) == render({})


@needs_helm
@pytest.mark.parametrize(
    ("values", "words"),
    [
        pytest.param({"replicas": 2}, "replicas", id="an unknown value"),
        pytest.param({"crds": {"keeps": True}}, "keeps", id="a mistyped value"),
        pytest.param({"runs": {"platformUser": "yes"}}, "/runs/platformUser", id="a word for another"),
        pytest.param({"crds": {"keep": "yes"}}, "/crds/keep", id="a word for a boolean"),
        pytest.param({"operator": {"namespaces": "team-a"}}, "/operator/namespaces", id="one for a list"),
        pytest.param({"operator": {"namespaces": ["a,b"]}}, "/operator/namespaces/0", id="a list in one"),
        pytest.param({"operator": {"workers": 0}}, "/operator/workers", id="no worker"),
        pytest.param({"operator": {"logLevel": "debug"}}, "/operator/logLevel", id="level"),
        pytest.param({"image": {"digest": "sha256:12"}}, "/image/digest", id="half a digest"),
        pytest.param({"runs": {"gracePeriodSeconds": 0}}, "/runs/gracePeriodSeconds", id="no grace"),
        pytest.param({"runs": {"gpuPresets": [{"memoryBytes": 1}]}}, "/runs/gpuPresets/0", id="no name"),
        pytest.param(
            {"runs": {"gpuPresets": [{"name": "x", "memory": 1}]}}, "/runs/gpuPresets/0", id="preset's field"
        ),
        pytest.param(
            {"extraEnv": [{"name": "BLENDTUNE_WORKERS", "value": "1"}]}, "/extraEnv/0/name", id="own setting"
        ),
        pytest.param(
            {"metrics": {"prometheusRule": {"runbookBaseUrl": "docs/"}}},
            "/metrics/prometheusRule/runbookBaseUrl",
            id="runbooks at no URL",
        ),
        pytest.param({"nodeSelector": {"gpu": True}}, "/nodeSelector/gpu", id="label that is no string"),
        pytest.param(
            {"serviceAccount": {"create": False}}, "serviceAccount.name is needed", id="no service account"
        ),
    ],
)
def test_a_wrong_value_is_refused_by_name(values: Values, words: str) -> None:
    with pytest.raises(HelmError, match=re.escape(words)):
        render(values)


def test_every_preset_the_operator_reads_can_be_written() -> None:
    known = set(SCHEMA["definitions"]["gpuPreset"]["properties"])
    assert {field.name.replace("_", "") for field in fields(GpuPreset)} == {name.lower() for name in known}


def test_the_schema_is_strict() -> None:
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    loose = {path[-1] for path, schema in objects_of(SCHEMA) if "additionalProperties" not in schema}
    assert loose == KUBERNETES | {"global"}


def test_schema_and_values_know_the_same() -> None:
    in_schema = {path for path in paths_of(SCHEMA) if path[0] not in OF_A_PARENT_CHART}
    assert in_schema == set(paths_in(VALUES, in_schema))


def test_every_value_is_documented_once() -> None:
    paths = [value.path for value in documented(TEXT)]
    assert len(paths) == len(set(paths))
    for leaf in paths_of(SCHEMA):
        if leaf[0] not in OF_A_PARENT_CHART and not has_parts(leaf):
            assert sum(leaf[: len(path)] == path for path in paths) == 1, ".".join(leaf)
    assert all(value.description.endswith((".", "`.")) for value in documented(TEXT))


def test_the_readme_is_the_generated_one() -> None:
    text = (CHART / "README.md").read_text()
    assert text == readme(text, TEXT), "run `make generate`"


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    reference = schema.get("$ref")
    return SCHEMA["definitions"][reference.rsplit("/", 1)[1]] if reference else schema


def paths_of(schema: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every property below, with those of objects that have properties of their own."""
    for name, part in resolved(schema).get("properties", {}).items():
        yield (*path, name)
        yield from paths_of(part, (*path, name))


def has_parts(leaf: tuple[str, ...]) -> bool:
    return any(path[: len(leaf)] == leaf and path != leaf for path in paths_of(SCHEMA))


def paths_in(
    values: Values, known: set[tuple[str, ...]], path: tuple[str, ...] = ()
) -> Iterator[tuple[str, ...]]:
    for name, value in values.items():
        here = (*path, name)
        yield here
        if isinstance(value, dict) and any(other[: len(here)] == here and other != here for other in known):
            yield from paths_in(value, known, here)


def objects_of(
    schema: Any, path: tuple[str, ...] = ("",)
) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    if isinstance(schema, dict):
        if schema.get("type") == "object":
            yield path, schema
        for name, part in schema.items():
            yield from objects_of(part, (*path, name))
    elif isinstance(schema, list):
        for part in schema:
            yield from objects_of(part, path)
