"""The check of a rubric, in a run and outside of one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.eval.conftest import ONE_QUESTION

from blendtune_api import codec
from blendtune_api.contract import (
    Env,
    ExitCode,
    Failure,
    GpuPreset,
    RubricResult,
    RunConfig,
    decode_message,
)
from blendtune_api.v1alpha1 import (
    Blend,
    BlendedFineTuneSpec,
    Budget,
    Evaluation,
    Model,
    Reason,
    Role,
    RubricReference,
    Source,
    Storage,
)
from blendtune_eval.__main__ import main
from blendtune_eval.scoring.score import Outcome


def run_environment(tmp_path: Path, rubric: str) -> dict[str, str]:
    source = Source(name="rows", role=Role.GENERAL, uri="pvc://data/rows.jsonl", weight=1)
    spec = BlendedFineTuneSpec(
        model=Model(uri="pvc://data/model"),
        blend=Blend(sources=(source,), budget=Budget(epochs=1)),
        storage=Storage(persistent_volume_claim="work"),
        evaluation=Evaluation(rubric=RubricReference(builtin="business45")),
    )
    config = RunConfig(uid="u", namespace="ns", name="run", spec=spec, gpu=GpuPreset(name="cpu"))
    (tmp_path / "config.json").write_text(json.dumps(codec.encode(config)))
    (tmp_path / "rubric.yaml").write_text(rubric)
    return {
        Env.CONFIG: str(tmp_path / "config.json"),
        Env.CLAIMS: str(tmp_path / "claims"),
        Env.TERMINATION_LOG: str(tmp_path / "message"),
    } | ({Env.RUBRIC: str(tmp_path / "rubric.yaml")} if rubric else {})


@pytest.mark.parametrize(
    ("rubric", "name", "questions"),
    [pytest.param(ONE_QUESTION, "tiny", 1, id="own"), pytest.param("", "business45", 45, id="builtin")],
)
def test_check_leaves_the_rubric_in_the_workspace(
    rubric: str, name: str, questions: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key, value in run_environment(tmp_path, rubric).items():
        monkeypatch.setenv(key, value)
    assert main(["check-rubric"]) == 0
    result = decode_message((tmp_path / "message").read_text())
    assert isinstance(result, RubricResult)
    kept = json.loads((tmp_path / "claims" / "work" / "ns" / "run" / "rubric.json").read_text())
    assert (kept["name"], kept["digest"], len(kept["questions"])) == (name, result.digest, questions)
    assert {"id", "domain", "prompt", "paraphrases"} <= kept["questions"][0].keys()


def test_check_of_a_bad_rubric(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for key, value in run_environment(tmp_path, ONE_QUESTION.replace("kind: Fact", "kind: Fat")).items():
        monkeypatch.setenv(key, value)
    assert main(["check-rubric"]) == ExitCode.BAD_RUBRIC
    failure = decode_message((tmp_path / "message").read_text())
    assert isinstance(failure, Failure)
    assert failure.reason is Reason.BAD_RUBRIC
    assert "rubric.yaml:14: question capital: criteria[0]" in failure.message
    assert not (tmp_path / "claims").exists()


def test_check_outside_of_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "r.yaml"
    file.write_text(ONE_QUESTION)
    assert main(["check-rubric", "--file", str(file)]) == 0
    assert "1 questions in 1 categories" in capsys.readouterr().out
    assert main(["preview", str(file), "--question", "capital", "--answer", "It is not Paris."]) == 0
    out = capsys.readouterr().out
    assert "not met  says-paris: denies “Paris”" in out
    assert f"score 0.00, {Outcome.WRONG}" in out
    assert main(["check-rubric", "--builtin", "nothing"]) == ExitCode.BAD_RUBRIC
