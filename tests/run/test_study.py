"""`blendtune study` with real processes: two shares of a tiny model, from manifest to answer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from tests.api.structural import as_json_schema
from tests.run.conftest import Project

from blendtune_api.blend_study import BlendStudy
from blendtune_api.crd import root_schema

pytestmark = pytest.mark.runs

STUDY = """\
apiVersion: blendtune.io/v1alpha1
kind: BlendStudy
metadata: {name: mix}
spec:
  axes: {inDomainShare: [0.5, 1]}
  template:
    spec:
      model: {uri: file://./model}
      blend:
        budget: {tokens: 1024}
        sources:
        - {name: shop, role: inDomain, uri: file://./shop.jsonl, weight: 1}
        - {name: world, role: general, uri: file://./world.jsonl, weight: 1}
        validation: {fraction: 0}
      training: {learningRate: 1e-3, sequenceLength: 128, batchTokens: 256}
      cluster: {nodes: 1, gpusPerNode: 1, gpuType: cpu}
      storage: {persistentVolumeClaim: disk}
      evaluation:
        rubric: {configMapRef: {name: questions, key: rubric.yaml}}
        sampling: {maxNewTokens: 8}
        cluster: {gpus: 0, gpuType: cpu}
"""


def test_a_study_runs_to_its_answer(project: Project, tmp_path: Path) -> None:
    manifest, workdir = project.folder / "study.yaml", tmp_path / "work"
    manifest.write_text(STUDY)
    done = subprocess.run(
        [sys.executable, "-m", "blendtune_operator.cli", "study", "-o", "json", "--metrics-port", "0",
         "-f", str(manifest), "-f", str(project.folder / "rubric.yaml"), "--workdir", str(workdir)],
        capture_output=True, text=True, timeout=500, check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert done.returncode == 3, done.stderr  # one seed: the data cannot tell
    (study,) = [item for item in json.loads(done.stdout)["items"] if item["kind"] == "BlendStudy"]
    validator = Draft202012Validator(as_json_schema(root_schema(BlendStudy)))
    assert [error.message for error in validator.iter_errors(study)] == []
    status = study["status"]
    assert status["state"] == "Succeeded"
    assert [run["state"] for run in status["runs"]] == ["Succeeded", "Succeeded"]
    assert status["recommendation"]["verdict"] == "CannotTell"
    assert status["gpuHours"]["spent"] > 0
    page = (workdir / "report.html").read_text()
    assert status["recommendation"]["message"].split(":")[0] in page
    place = workdir / "claims/disk/default/mix"
    assert {folder.name for folder in place.iterdir()} == {run["name"] for run in status["runs"]} | {"shared"}
    answers = [len(file.read_text().splitlines()) for file in (place / "shared/answers").iterdir()]
    assert answers == [4, 4, 4], "the base model was asked once, each tuned one once"
