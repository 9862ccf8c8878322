"""A small project on disk, and runs of it with the real command."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.tiny_model import CHATML, build_tokenizer, write_tiny_model

MANIFEST = """\
apiVersion: blendtune.io/v1alpha1
kind: BlendedFineTune
metadata: {{name: small}}
spec:
  model: {{uri: file://./model}}
  blend:
    budget: {{epochs: {epochs}}}
    sources:
    - {{name: shop, role: inDomain, uri: file://./shop.jsonl, weight: 50}}
    - {{name: world, role: general, uri: file://./world.jsonl, weight: 50, maxEpochs: 10}}
    validation: {{fraction: 0.1}}
  training:
    learningRate: 1e-3
    sequenceLength: 128
    batchTokens: 256
    checkpoint: {{everyMinutes: {checkpoint_minutes}}}
  cluster: {{nodes: {nodes}, gpusPerNode: 1, gpuType: cpu}}
  storage: {{persistentVolumeClaim: disk}}
  evaluation:
    rubric: {{configMapRef: {{name: questions, key: rubric.yaml}}}}
    sampling: {{maxNewTokens: 8}}
    cluster: {{gpus: 0, gpuType: cpu}}
"""

RUBRIC = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: questions}
data:
  rubric.yaml: |
    name: questions
    version: "1.0"
    description: Two questions.
    categories:
    - {name: shop, title: Shop}
    - {name: world, title: World}
    questions:
    - id: colour-of-the-shop
      category: shop
      domain: inDomain
      prompt: Which colour does the new shop front have since the spring sale?
      paraphrases: ["Since the spring sale the front of the shop is painted how?"]
      reference: It is green.
      criteria:
      - {name: green, kind: Fact, anyOf: [green], required: true}
    - id: legs-of-a-spider
      category: world
      domain: general
      prompt: On how many legs does an ordinary garden spider walk around?
      paraphrases: ["What is the number of legs that you count on a spider?"]
      reference: A spider walks on 8 legs.
      criteria:
      - {name: eight, kind: Number, value: 8, required: true}
"""


LONG = {"epochs": 12, "checkpoint_minutes": 0.002}


@dataclass(frozen=True)
class Outcome:
    """How a command ended, and the folder of the run's workspace."""

    code: int
    output: str
    errors: str
    workspace: Path

    @property
    def objects(self) -> dict[str, Any]:
        """The printed objects by kind."""
        return {item["kind"]: item for item in json.loads(self.output)["items"]}

    def steps(self) -> list[dict[str, Any]]:
        return [
            json.loads(line) for line in (self.workspace / "train" / "steps.jsonl").read_text().splitlines()
        ]

    def blend_digest(self) -> str:
        return str(json.loads((self.workspace / "blend" / "result.json").read_text())["result"]["digest"])


@dataclass(frozen=True)
class Project:
    """A manifest in a folder with model, data and rubric."""

    manifest: Path

    @property
    def folder(self) -> Path:
        return self.manifest.parent

    def changed(self, name: str, nodes: int = 2, epochs: int = 6, checkpoint_minutes: float = 30) -> Project:
        """The same with another manifest, of this name."""
        manifest = self.folder / f"{name}.yaml"
        manifest.write_text(
            MANIFEST.format(nodes=nodes, epochs=epochs, checkpoint_minutes=checkpoint_minutes)
        )
        return Project(manifest)

    def start(self, workdir: Path) -> subprocess.Popen[str]:
        """Starts `blendtune run` on the project."""
        command = [sys.executable, "-m", "blendtune_operator.cli", "run", "-o", "json", "--metrics-port", "0"]
        files = ["-f", str(self.manifest), "-f", str(self.folder / "rubric.yaml"), "--workdir", str(workdir)]
        return subprocess.Popen(
            command + files,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)},
        )

    def run(self, workdir: Path) -> Outcome:
        """Runs the project to its end."""
        return self.finish(self.start(workdir), workdir)

    def finish(self, process: subprocess.Popen[str], workdir: Path) -> Outcome:
        output, errors = process.communicate(timeout=500)
        workspace = workdir / "claims" / "disk" / "default" / "small"
        return Outcome(process.returncode, output, errors, workspace)


def wait_until(process: subprocess.Popen[str], holds: Callable[[], bool]) -> None:
    """Waits while the process lives and the condition does not hold."""
    end = time.monotonic() + 300
    while not holds():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.005)


def write_rows(path: Path, subjects: list[str], count: int, seed: int) -> None:
    """Short conversations of various lengths."""
    draw = random.Random(seed)
    with path.open("w") as file:
        for number in range(count):
            turns = []
            for turn in range(draw.randint(1, 2)):
                words = " ".join(draw.choices(subjects, k=draw.randint(1, 3)))
                turns += [
                    {"role": "user", "content": f"{words} {number}.{turn}?"},
                    {"role": "assistant", "content": words},
                ]
            file.write(json.dumps({"messages": turns}) + "\n")


def create_project(folder: Path, **manifest: Any) -> Project:
    """Writes a project into a new folder; keyword arguments go to the manifest."""
    folder.mkdir()
    write_tiny_model(folder / "model", build_tokenizer(CHATML))
    write_rows(folder / "shop.jsonl", ["price", "stock", "till"], 60, seed=1)
    write_rows(folder / "world.jsonl", ["sea", "moon", "tree", "road"], 80, seed=2)
    (folder / "rubric.yaml").write_text(RUBRIC)
    return Project(folder / "manifest.yaml").changed("manifest", **manifest)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project of the test's own."""
    return create_project(tmp_path / "project")


@dataclass(frozen=True)
class Finished:
    """A project, its run on two ranks that nothing disturbed, and that run's work directory."""

    project: Project
    workdir: Path
    outcome: Outcome


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """A short run."""
    return finish(tmp_path_factory.mktemp("finished"), epochs=2)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """To compare with: a run that saves checkpoints all the time."""
    return finish(tmp_path_factory.mktemp("undisturbed"), **LONG)


def finish(folder: Path, **manifest: Any) -> Finished:
    project = create_project(folder / "project", **manifest)
    outcome = project.run(folder / "work")
    assert outcome.code == 0, outcome.errors
    return Finished(project, folder / "work", outcome)
