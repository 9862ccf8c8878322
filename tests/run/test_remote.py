"""`blendtune run` with model and rows on the hub, and rows and export in S3, while these have faults."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests import hub_server as hub_api
from tests import s3_server as s3_api
from tests.hub_server import HubServer, Repository
from tests.run.conftest import Project
from tests.run.test_run import check_objects
from tests.s3_server import S3Server

pytestmark = pytest.mark.runs
MANIFEST = """\
apiVersion: blendtune.io/v1alpha1
kind: BlendedFineTune
metadata: {name: small}
spec:
  model: {uri: hf://org/model@REVISION}
  blend:
    budget: {tokens: 1024}
    sources:
    - {name: shop, role: inDomain, uri: s3://data/rows/shop.jsonl, weight: 50}
    - name: world
      role: general
      uri: hf://datasets/org/rows
      config: world
      split: train_sft
      weight: 50
      maxEpochs: 10
    validation: {fraction: 0}
  training: {learningRate: 1e-3, sequenceLength: 128, batchTokens: 256}
  cluster: {nodes: 1, gpusPerNode: 1, gpuType: cpu}
  credentials: {secretRef: {name: stores}}   # in local mode the environment has what its keys say
  storage: {persistentVolumeClaim: disk}
  evaluation:
    rubric: {configMapRef: {name: questions, key: rubric.yaml}}
    sampling: {maxNewTokens: 4}
    cluster: {gpus: 0, gpuType: cpu}
  export: {uri: s3://models/tuned}
"""
CARD = b"""---
configs:
- {config_name: stars, data_files: [{split: train_sft, path: none.jsonl}]}
- {config_name: world, data_files: [{split: train_sft, path: world.jsonl}]}
---
"""


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_a_run_from_hub_and_s3_to_s3(
    hub_server: HubServer,
    s3: S3Server,
    project: Project,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = (project.folder / "world.jsonl").read_bytes()
    model = Repository("org/model", [contents(project.folder / "model")], token="good", gated=True)
    rows = {"world.jsonl": world, "README.md": CARD, "none.jsonl": b""}
    hub_server.clear()
    hub_server.add(model)
    hub_server.add(Repository("org/rows", [rows], type="datasets"))
    hub_server.faults[:] = [
        hub_api.Fault("/api/models", status=503),
        hub_api.Fault("cdn.*model.safetensors", breaks_after=5000),
        hub_api.Fault("tokenizer.json", spoils=True),
        hub_api.Fault("/api/datasets/org/rows/revision", status=429, headers={"Retry-After": "1"}),
        hub_api.Fault("resolve/.*/world.jsonl", breaks_after=100),
    ]
    s3.put("data", {"rows/shop.jsonl": (project.folder / "shop.jsonl").read_bytes()})
    s3.put("models", {})
    s3.faults[:] = [
        s3_api.Fault("rows/shop.jsonl", 503, "ServiceUnavailable"),
        s3_api.Fault("tuned/model.safetensors", 500, "InternalError", method="PUT"),
    ]
    monkeypatch.setenv("HF_ENDPOINT", hub_server.endpoint)
    monkeypatch.setenv("HF_TOKEN", "good")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")  # so that the faults reach what is tested
    manifest = project.folder / "remote.yaml"
    manifest.write_text(MANIFEST.replace("REVISION", model.commit_id(0)))
    outcome = Project(manifest).run(tmp_path / "work")
    assert outcome.code == 0, outcome.errors
    check_objects(outcome)
    assert s3.objects("models") == {
        f"tuned/{name}": text for name, text in contents(outcome.workspace / "model").items()
    }
    assert [fault.times for fault in (*hub_server.faults, *s3.faults)] == [0] * 7
