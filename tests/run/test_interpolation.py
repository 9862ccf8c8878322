"""A whole run that takes a model between its base and its tuned one, with a LoRA and an export target."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.run.conftest import Project, create_project

from blendtune_api.contract import weights_digest

pytestmark = pytest.mark.runs

CHANGES = {
    "  training:\n": "  training:\n    method: lora\n    lora: {rank: 4, alpha: 32, export: Adapter}\n",
    "  storage:": "  export: {uri: pvc://disk/home}\n  storage:",
    "    sampling:": (
        "    interpolation: {weights: [0.5, 0.75]}\n"
        "    gates: [{metric: general, maxCriticalErrors: 9}]\n"
        "    sampling:"
    ),
}


def interpolating(folder: Path) -> Project:
    project = create_project(folder, nodes=1, epochs=1)
    text = project.manifest.read_text()
    for old, new in CHANGES.items():
        assert old in text
        text = text.replace(old, new, 1)
    project.manifest.write_text(text)
    return project


def test_status_export_and_adapter_are_those_of_the_model_that_is_taken(tmp_path: Path) -> None:
    outcome = interpolating(tmp_path / "project").run(tmp_path / "work")
    assert outcome.code == 0, outcome.errors
    status = outcome.objects["BlendedFineTune"]["status"]
    chosen = status["evaluation"]["interpolation"]
    scores = {each["weight"]: each.get("inDomain", {}).get("score", -1.0) for each in chosen["candidates"]}
    assert list(scores) == [0.5, 0.75, 1]
    weight = chosen["weight"]
    assert scores[weight] == max(scores.values())
    assert status["model"] == {"uri": chosen["uri"], "digest": chosen["digest"]}

    tuned = outcome.workspace
    taken = tuned if weight == 1 else tuned / "interpolated" / str(weight)
    assert weights_digest(taken / "model") == chosen["digest"]
    assert weights_digest(tuned / "model") == chosen["tunedDigest"]
    home = tmp_path / "work" / "claims" / "disk" / "home"
    assert json.loads((home / "adapter_config.json").read_text())["lora_alpha"] == 32 * weight
    matrices = "adapter_model.safetensors"
    assert (home / matrices).read_bytes() == (tuned / "adapter" / matrices).read_bytes()
    page = (tuned / "eval" / "report.html").read_text()
    assert "Between base and tuned model" in page
