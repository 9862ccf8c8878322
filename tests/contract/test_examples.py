"""Every example is what `blendtune validate` and the operator accept, and docs/examples.md tells of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from blendtune_api.v1alpha1 import Attention, BlendedFineTune
from blendtune_core.sizing.estimate import estimate
from blendtune_core.sizing.known import LLAMA
from blendtune_core.sizing.shape import read_shape
from blendtune_operator.cli.check import check
from blendtune_operator.cli.manifest import load
from blendtune_operator.cli.render import children
from blendtune_operator.plan.supported import refusals
from blendtune_operator.settings import GPU_PRESETS, Settings

ROOT = Path(__file__).parents[2]
FIRST_RUN = ROOT / "examples/first-run"
ON_A_CLUSTER = sorted(
    [
        *(ROOT / "examples").glob("*.yaml"),
        *(ROOT / "examples/paper").glob("*.yaml"),
        FIRST_RUN / "run.yaml",
    ]
)
GITOPS = sorted((ROOT / "gitops/example/runs/support-bot").glob("r*.yaml"))


def test_there_are_examples() -> None:
    assert len(ON_A_CLUSTER) == 8


@pytest.mark.parametrize(
    "files", [*([file] for file in ON_A_CLUSTER), GITOPS], ids=lambda files: files[0].stem
)
def test_an_example_is_accepted_without_a_warning(files: list[Path]) -> None:
    manifests = load(files)
    assert check(manifests, to_run_here=False).warnings == ()
    for run in manifests.objects:
        assert refusals(run, Settings()) == ()
        assert {child["kind"] for child in children(run)} >= {"ConfigMap", "Job"}


@pytest.mark.parametrize("file", sorted((ROOT / "examples/paper").glob("*.yaml")), ids=lambda file: file.stem)
def test_the_papers_models_fit_where_they_are_to_train(file: Path) -> None:
    (run,) = load([file]).objects
    assert isinstance(run, BlendedFineTune)
    shape = read_shape(LLAMA[file.stem.split("-")[0].upper()])
    assert estimate(run.spec, shape, GPU_PRESETS[run.spec.cluster.gpu_type], Attention.SDPA).fits


@pytest.mark.parametrize("file", ["claims.yaml", "serve.yaml"])
def test_a_pod_beside_the_first_run_is_as_safe_as_the_runs_own(file: str) -> None:
    (run,) = load([FIRST_RUN / "run.yaml"]).objects
    job = next(child for child in children(run) if child["kind"] == "Job")
    ours = job["spec"]["template"]["spec"]
    (pod,) = (
        document["spec"]["template"]["spec"] if document["kind"] == "Deployment" else document["spec"]
        for document in yaml.safe_load_all((FIRST_RUN / file).read_text())
        if document["kind"] in ("Pod", "Deployment")
    )
    assert pod["securityContext"] == ours["securityContext"]
    ours_within = ours["containers"][0]["securityContext"]
    (container,) = pod["containers"]
    assert container["securityContext"].items() <= ours_within.items()
    assert container["securityContext"].keys() >= {"allowPrivilegeEscalation", "capabilities"}


def test_the_first_run_finds_its_claims() -> None:
    documents = list(yaml.safe_load_all((FIRST_RUN / "claims.yaml").read_text()))
    claims = {each["metadata"]["name"] for each in documents if each["kind"] == "PersistentVolumeClaim"}
    (run,) = load([FIRST_RUN / "run.yaml"]).objects
    assert isinstance(run, BlendedFineTune)
    data = {source.uri.removeprefix("pvc://").partition("/")[0] for source in run.spec.blend.sources}
    assert data | {run.spec.storage.persistent_volume_claim} == claims


def test_every_example_is_told_of() -> None:
    page = (ROOT / "docs/examples.md").read_text()
    told = set(re.findall(r"\]\(\.\./(examples/[\w/.-]+\.yaml)\)", page))
    assert told == {str(file.relative_to(ROOT)) for file in (ROOT / "examples").rglob("*.yaml")} - {
        "examples/demo/rubric.yaml"
    }
