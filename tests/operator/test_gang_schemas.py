"""The rendered gangs against the schemas that their controllers ship."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from tests.operator.builders import fine_tune

from blendtune_api.v1alpha1 import BlendedFineTune, Cluster, Gang
from blendtune_operator import render
from blendtune_operator.cli.manifest import load
from blendtune_operator.names import Kind, Object, Run
from blendtune_operator.settings import Settings

DESIGN = Path(__file__).parents[1] / "api" / "design_manifest.yaml"


@dataclass(frozen=True)
class Source:
    """Where a kind's CRD is: a file of a Go module."""

    module: str
    file: str
    gang: Gang


_TRAINER = "github.com/kubeflow/trainer/v2@v2.3.0"
SOURCES = {
    Kind.PYTORCH_JOB: Source(
        "github.com/kubeflow/training-operator@v1.9.3",
        "manifests/base/crds/kubeflow.org_pytorchjobs.yaml",
        Gang.PYTORCH_JOB,
    ),
    Kind.TRAIN_JOB: Source(
        _TRAINER, "manifests/base/crds/trainer.kubeflow.org_trainjobs.yaml", Gang.TRAIN_JOB
    ),
    Kind.TRAINING_RUNTIME: Source(
        _TRAINER, "manifests/base/crds/trainer.kubeflow.org_trainingruntimes.yaml", Gang.TRAIN_JOB
    ),
    Kind.JOB_SET: Source(
        "sigs.k8s.io/jobset@v0.11.1",
        "config/components/crd/bases/jobset.x-k8s.io_jobsets.yaml",
        Gang.JOB_SET,
    ),
}
every_kind = pytest.mark.parametrize("kind", SOURCES, ids=str)


@cache
def schema_of(kind: Kind) -> dict[str, Any]:
    """The schema of a kind, without that of metadata. Skips the test where it cannot be had."""
    module = SOURCES[kind].module
    go = shutil.which("go")
    if go is None:
        pytest.skip(f"the schema is in the Go module {module}: install go to check against it")
    download = subprocess.run(
        [go, "mod", "download", "-json", module], capture_output=True, text=True, timeout=300, check=False
    )
    if download.returncode != 0:
        pytest.skip(
            f"the schema is in the Go module {module}, which cannot be had: {download.stdout.strip()}"
        )
    file = Path(json.loads(download.stdout)["Dir"]) / SOURCES[kind].file
    crd = yaml.load(file.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    wanted = kind.api_version.rpartition("/")[2]
    version = next(version for version in crd["spec"]["versions"] if version["name"] == wanted)
    closed: dict[str, Any] = _closed(version["schema"]["openAPIV3Schema"])
    closed["properties"]["metadata"] = {"type": "object"}
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


def rendered(kind: Kind, run: Run) -> Object:
    child = next(child for child in render.children(run, Settings()) if child["kind"] == kind)
    return {**child, "metadata": {}}  # the schema says only that metadata is an object


@every_kind
@pytest.mark.parametrize(
    "cluster",
    [
        pytest.param({"nodes": 4, "gpus_per_node": 8}, id="four nodes"),
        pytest.param({"gpu_type": "cpu", "gpus_per_node": 1}, id="on cpu"),
        pytest.param({"queue_name": "gpus"}, id="queued"),
    ],
)
def test_its_controller_knows_every_field(kind: Kind, cluster: dict[str, Any]) -> None:
    run = fine_tune(cluster=Cluster(gang=SOURCES[kind].gang, **cluster))
    jsonschema.validate(rendered(kind, run), schema_of(kind))


def test_the_example_of_the_documentation_is_valid() -> None:
    (run,) = load([DESIGN]).objects
    assert isinstance(run, BlendedFineTune)
    jsonschema.validate(rendered(Kind.PYTORCH_JOB, run), schema_of(Kind.PYTORCH_JOB))


@every_kind
def test_the_schema_would_notice_a_wrong_field(kind: Kind) -> None:
    job = rendered(kind, fine_tune(cluster=Cluster(gang=SOURCES[kind].gang)))
    wrong = {**job, "spec": {**job["spec"], "replica": 2}}
    with pytest.raises(jsonschema.ValidationError, match="replica"):
        jsonschema.validate(wrong, schema_of(kind))
