"""What `blendtune validate` says of manifests that could run."""

from __future__ import annotations

from pathlib import Path

import pytest

from blendtune_operator.cli.check import check
from blendtune_operator.cli.main import main
from blendtune_operator.cli.manifest import ManifestError, load

MANIFEST = """\
apiVersion: blendtune.io/v1alpha1
kind: RubricEval
metadata: {{name: handbook}}
spec:
  model: {{uri: pvc://models/tuned}}
  baseline: {{model: {{uri: pvc://models/base}}}}
  storage: {{persistentVolumeClaim: demo}}
  rubric: {rubric}
  cluster: {{gpus: 0, gpuType: cpu}}
  gates:
  - {{metric: general, maxDrop: 0.5}}
  - {{metric: general, maxDrop: 0.2}}
"""
OWN = """\
---
apiVersion: v1
kind: ConfigMap
metadata: {name: mine}
data:
  rubric.yaml: |
    name: mine
    version: "1"
    categories: [{name: world}]
    questions:
    - id: capital
      category: world
      domain: general
      prompt: "What is the capital of France?"
      reference: "Paris."
      criteria: [{name: paris, kind: Fact, anyOf: [Paris]}]
"""


@pytest.mark.parametrize(
    ("rubric", "more", "warned"),
    [
        pytest.param("{builtin: business45}", "", [], id="22 general questions"),
        pytest.param(
            "{configMapRef: {name: mine, key: rubric.yaml}}",
            OWN,
            [(11, "spec.gates[0]"), (12, "spec.gates[1]")],
            id="one general question",
        ),
        pytest.param(
            "{configMapRef: {name: mine, key: rubric.yaml}, generalFrom: general300}",
            OWN,
            [],
            id="300 more general questions",
        ),
    ],
)
def test_margins_that_the_rubric_cannot_tell_apart_are_warned_of(
    rubric: str, more: str, warned: list[tuple[int, str]], tmp_path: Path
) -> None:
    path = tmp_path / "manifest.yaml"
    path.write_text(MANIFEST.format(rubric=rubric) + more)
    found = check(load([path]), to_run_here=False).warnings
    assert [warning.split(": ")[:2] for warning in found] == [
        [f"{path}:{line}", field] for line, field in warned
    ]


def test_validate_prints_the_warning_and_succeeds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "manifest.yaml"
    path.write_text(MANIFEST.format(rubric="{builtin: business45}").replace("maxDrop: 0.2", "maxDrop: 0.1"))
    assert main(["validate", "-f", str(path)]) == 0
    errors = capsys.readouterr().err
    assert f"warning: {path}:12: spec.gates[1]: general maxDrop 0.1 is finer than 22 questions" in errors
    assert "RubricEval handbook is valid" in errors


@pytest.mark.parametrize(
    ("rubric", "message"),
    [
        pytest.param(
            "{builtin: general300, generalFrom: general300}", "generalFrom must be another rubric", id="same"
        ),
        pytest.param("{generalFrom: general300}", "set exactly one of builtin and configMapRef", id="alone"),
        pytest.param("{builtin: business45, generalFrom: general301}", "there are: business45", id="unknown"),
    ],
)
def test_a_general_part_that_there_is_not_is_refused(rubric: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "manifest.yaml"
    path.write_text(MANIFEST.format(rubric=rubric))
    with pytest.raises(ManifestError, match=message):
        check(load([path]), to_run_here=False)


def test_gpus_are_looked_for_only_where_it_is_to_run() -> None:
    manifests = load([Path(__file__).parents[3] / "examples/paper/33b-blend.yaml"])  # 32 GPUs
    assert check(manifests, to_run_here=False).warnings == ()
    with pytest.raises(ManifestError, match="32 GPUs of type a100-80gb are wanted"):
        check(manifests, to_run_here=True)


def test_validate_says_when_an_evaluation_may_stop(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "manifest.yaml"
    path.write_text(MANIFEST.format(rubric="{builtin: business45}") + "  stopWhenDecided: true\n")
    assert main(["validate", "-f", str(path)]) == 0
    assert (
        "spec.stopWhenDecided: the tuned model may stop after 9, 18, 27, 36 of 45 questions; if all are "
        "asked, intervals are 4% wider for the looks"
    ) in "".join(capsys.readouterr())


def test_validate_says_what_each_gate_can_tell_apart(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, pilot = tmp_path / "manifest.yaml", tmp_path / "before.yaml"
    path.write_text(MANIFEST.format(rubric="{builtin: business45}").replace("maxDrop: 0.2", "maxDrop: 0.1"))
    pilot.write_text(
        "apiVersion: blendtune.io/v1alpha1\nkind: RubricEval\nmetadata: {name: before}\nspec:\n"
        "  model: {uri: pvc://models/tuned}\n  storage: {persistentVolumeClaim: demo}\nstatus:\n"
        "  general: {name: general, n: 22, delta: 0, deltaLow: -0.05, deltaHigh: 0.05}\n"
    )
    assert main(["validate", "-f", str(path)]) == 0
    assert "spec.gates[1] general maxDrop 0.1: tells 0.18 apart" in capsys.readouterr().err
    assert main(["validate", "-f", str(path), "--pilot", str(pilot)]) == 0
    measured = capsys.readouterr().err
    assert "maxDrop 0.1: tells 0.071 apart, over 22 questions" in measured
    assert "(measured by the pilot): decided" in measured
    assert main(["validate", "-f", str(path), "--pilot", str(path)]) == 2
    assert "has no measured differences" in capsys.readouterr().err
