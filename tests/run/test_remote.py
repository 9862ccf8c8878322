"""`blendtune run` with model and rows on the hub, or in S3 with its export, while these have faults."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests import hub_server as hub_api
from tests import s3_server as s3_api
from tests.hub_server import HubServer, Repository
from tests.run.conftest import Outcome, Project
from tests.run.test_run import check_objects
from tests.s3_server import S3Server

MANIFEST = """\
apiVersion: blendtune.io/v1alpha1
kind: BlendedFineTune
metadata: {{name: small}}
spec:
  model: {{uri: "{model}"}}
  blend:
    budget: {{tokens: 1024}}
    sources:
    - {{name: shop, role: inDomain, uri: "{shop}", weight: 50}}
    - {{name: world, role: general, uri: "{world}", weight: 50, maxEpochs: 10{options}}}
    validation: {{fraction: 0}}
  training: {{learningRate: 1e-3, sequenceLength: 128, batchTokens: 256}}
  cluster: {{nodes: 1, gpusPerNode: 1, gpuType: cpu}}
  credentials: {{secretRef: {{name: stores}}}}   # in local mode the environment has what its keys say
  storage: {{persistentVolumeClaim: disk}}
  evaluation:
    rubric: {{configMapRef: {{name: questions, key: rubric.yaml}}}}
    sampling: {{maxNewTokens: 4}}
    cluster: {{gpus: 0, gpuType: cpu}}
{more}
"""
CARD = b"""---
configs:
- {config_name: stars, data_files: [{split: train_sft, path: none.jsonl}]}
- {config_name: world, data_files: [{split: train_sft, path: world.jsonl}]}
---
"""


def run(project: Project, workdir: Path, **places: str) -> Outcome:
    manifest = project.folder / "remote.yaml"
    manifest.write_text(MANIFEST.format(**{"options": "", "more": "", **places}))
    outcome = Project(manifest).run(workdir)
    assert outcome.code == 0, outcome.errors
    check_objects(outcome)
    return outcome


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_a_run_from_the_hub(
    hub_server: HubServer, project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub_server.clear()
    rows = {name: (project.folder / name).read_bytes() for name in ("shop.jsonl", "world.jsonl")}
    model = Repository("org/model", [contents(project.folder / "model")], token="good", gated=True)
    hub_server.add(model)
    hub_server.add(Repository("org/rows", [{**rows, "README.md": CARD, "none.jsonl": b""}], type="datasets"))
    hub_server.faults[:] = [
        hub_api.Fault("/api/models", status=503),
        hub_api.Fault("cdn.*model.safetensors", breaks_after=5000),
        hub_api.Fault("tokenizer.json", spoils=True),
        hub_api.Fault("/api/datasets/org/rows/revision", status=429, headers={"Retry-After": "1"}),
        hub_api.Fault("resolve/.*/shop.jsonl", breaks_after=100),
    ]
    monkeypatch.setenv("HF_ENDPOINT", hub_server.endpoint)
    monkeypatch.setenv("HF_TOKEN", "good")
    run(
        project,
        tmp_path / "work",
        model=f"hf://org/model@{model.commit_id(0)}",
        shop="hf://datasets/org/rows@v1/shop.jsonl",
        world="hf://datasets/org/rows",
        options=", config: world, split: train_sft",
    )
    assert [fault.times for fault in hub_server.faults] == [0] * 5


def test_a_run_from_and_to_s3(
    s3: S3Server, project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = {f"rows/{name}": (project.folder / name).read_bytes() for name in ("shop.jsonl", "world.jsonl")}
    s3.put("data", rows)
    s3.put("models", {f"base/{name}": text for name, text in contents(project.folder / "model").items()})
    s3.faults[:] = [
        s3_api.Fault("models.*list-type", 503, "SlowDown"),
        s3_api.Fault("base/model.safetensors", breaks_after=5000),
        s3_api.Fault("rows/shop.jsonl", 503, "ServiceUnavailable"),
        s3_api.Fault("tuned/model.safetensors", 500, "InternalError", method="PUT"),
    ]
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")  # so that the faults reach what is tested
    outcome = run(
        project,
        tmp_path / "work",
        model="s3://models/base",
        shop="s3://data/rows/shop.jsonl",
        world="s3://data/rows/world.jsonl",
        more="  export: {uri: 's3://models/tuned'}",
    )
    model = {f"tuned/{name}": text for name, text in contents(outcome.workspace / "model").items()}
    assert {key: text for key, text in s3.objects("models").items() if key.startswith("tuned/")} == model
    assert [fault.times for fault in s3.faults] == [0] * 4
