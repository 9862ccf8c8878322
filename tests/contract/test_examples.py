"""Every example is what `blendtune validate` and the operator accept, and docs/examples.md tells of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from blendtune_api.sizing.estimate import estimate
from blendtune_api.sizing.known import LLAMA
from blendtune_api.sizing.shape import read_shape
from blendtune_api.v1alpha1 import Attention, BlendedFineTune
from blendtune_operator.local.check import check, children
from blendtune_operator.local.manifest import load
from blendtune_operator.plan.supported import refusals
from blendtune_operator.settings import GPU_PRESETS, Settings

ROOT = Path(__file__).parents[2]
ON_A_CLUSTER = sorted([*(ROOT / "examples").glob("*.yaml"), *(ROOT / "examples/paper").glob("*.yaml")])
GITOPS = sorted((ROOT / "gitops/example/runs/support-bot").glob("r*.yaml"))


def test_there_are_examples() -> None:
    assert len(ON_A_CLUSTER) == 7


@pytest.mark.parametrize(
    "files", [*([file] for file in ON_A_CLUSTER), GITOPS], ids=lambda files: files[0].stem
)
def test_an_example_is_accepted_without_a_warning(files: list[Path]) -> None:
    manifests = load(files)
    assert check(manifests, to_run_here=False) == []
    for run in manifests.objects:
        assert refusals(run, Settings()) == ()
        assert {child["kind"] for child in children(run)} >= {"ConfigMap", "Job"}


@pytest.mark.parametrize("file", sorted((ROOT / "examples/paper").glob("*.yaml")), ids=lambda file: file.stem)
def test_the_papers_models_fit_where_they_are_to_train(file: Path) -> None:
    (run,) = load([file]).objects
    assert isinstance(run, BlendedFineTune)
    shape = read_shape(LLAMA[file.stem.split("-")[0].upper()])
    assert estimate(run.spec, shape, GPU_PRESETS[run.spec.cluster.gpu_type], Attention.SDPA).fits


def test_every_example_is_told_of() -> None:
    page = (ROOT / "docs/examples.md").read_text()
    told = set(re.findall(r"\]\(\.\./(examples/[\w/.-]+\.yaml)\)", page))
    assert told == {str(file.relative_to(ROOT)) for file in (ROOT / "examples").rglob("*.yaml")} - {
        "examples/demo/rubric.yaml"
    }
