"""The rendered PyTorchJob against the schema that the Kubeflow training operator ships."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from tests.operator.builders import fine_tune

from blendtune_api.v1alpha1 import BlendedFineTune, Cluster
from blendtune_operator import render
from blendtune_operator.cli.manifest import load
from blendtune_operator.names import Kind, Object, Run
from blendtune_operator.settings import Settings

MODULE = "github.com/kubeflow/training-operator@v1.9.3"
CRD = "manifests/base/crds/kubeflow.org_pytorchjobs.yaml"
DESIGN = Path(__file__).parents[1] / "api" / "design_manifest.yaml"


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    go = shutil.which("go")
    if go is None:
        pytest.skip(f"the schema is in the Go module {MODULE}: install go to check against it")
    download = subprocess.run(
        [go, "mod", "download", "-json", MODULE], capture_output=True, text=True, timeout=300, check=False
    )
    if download.returncode != 0:
        pytest.skip(
            f"the schema is in the Go module {MODULE}, which cannot be had: {download.stdout.strip()}"
        )
    crd = yaml.safe_load((Path(json.loads(download.stdout)["Dir"]) / CRD).read_text(encoding="utf-8"))
    version = next(version for version in crd["spec"]["versions"] if version["name"] == "v1")
    closed: dict[str, Any] = _closed(version["schema"]["openAPIV3Schema"])
    return closed


def _closed(schema: Any) -> Any:
    """The schema with unknown fields refused: the API server would prune them in silence."""
    if isinstance(schema, list):
        return [_closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    result = {key: _closed(value) for key, value in schema.items()}
    if schema.get("type") == "object" and "properties" in schema and "additionalProperties" not in schema:
        result["additionalProperties"] = bool(schema.get("x-kubernetes-preserve-unknown-fields"))
    if schema.get("x-kubernetes-int-or-string"):
        result.pop("type", None)
        result["anyOf"] = [{"type": "integer"}, {"type": "string"}]
    return result


def train_job(run: Run) -> Object:
    job = next(child for child in render.children(run, Settings()) if child["kind"] == Kind.PYTORCH_JOB)
    return {**job, "metadata": {}}  # the schema says only that metadata is an object


@pytest.mark.parametrize(
    "cluster",
    [
        pytest.param(Cluster(nodes=4, gpus_per_node=8), id="four nodes"),
        pytest.param(Cluster(gpu_type="cpu", gpus_per_node=1), id="on cpu"),
        pytest.param(Cluster(queue_name="gpus"), id="queued"),
    ],
)
def test_the_training_operator_knows_every_field(schema: dict[str, Any], cluster: Cluster) -> None:
    schema["properties"]["metadata"] = {"type": "object"}
    jsonschema.validate(train_job(fine_tune(cluster=cluster)), schema)


def test_the_example_of_the_documentation_is_valid(schema: dict[str, Any]) -> None:
    (run,) = load([DESIGN]).objects
    assert isinstance(run, BlendedFineTune)
    schema["properties"]["metadata"] = {"type": "object"}
    jsonschema.validate(train_job(run), schema)


def test_the_schema_would_notice_a_wrong_field(schema: dict[str, Any]) -> None:
    job = train_job(fine_tune())
    job["spec"]["pytorchReplicaSpecs"]["Worker"]["replica"] = 2
    with pytest.raises(jsonschema.ValidationError, match="replica"):
        jsonschema.validate(job, schema)
