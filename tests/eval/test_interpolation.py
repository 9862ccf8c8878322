"""The whole evaluation with models between base and tuned one, with real checkpoints of a tiny model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.eval.conftest import Pod, report_of, workspace_folder

from blendtune_api.contract import encode_message, weights_digest
from blendtune_api.v1alpha1 import (
    Gate,
    GateResult,
    Interpolation,
    Metric,
    RubricReference,
    Storage,
)
from blendtune_eval import interpolate
from blendtune_eval.answering import answer
from blendtune_eval.evaluate import evaluate
from blendtune_runtime.errors import StageError

pytestmark = pytest.mark.usefixtures("one_thread")
ANY_DROP = (Gate(metric=Metric.GENERAL, max_drop=1.0),)
NEVER = (Gate(metric=Metric.GENERAL, min_score=1.0),)
WEIGHTS = Interpolation(weights=(0.5, 0.02))


def candidates_folder(environment: dict[str, str]) -> Path:
    return workspace_folder(environment) / "interpolated"


def test_the_candidate_with_the_best_in_domain_score_is_taken(pod: Pod) -> None:
    environment = pod(gates=ANY_DROP, interpolation=WEIGHTS)
    result = evaluate(environment)
    chosen = result.interpolation
    assert chosen is not None
    assert [each.weight for each in chosen.candidates] == [0.02, 0.5, 1.0]
    scores = {each.weight: each.in_domain.score for each in chosen.candidates if each.in_domain}
    assert scores[chosen.weight] == max(scores.values()) == result.in_domain.score
    assert {each.gates for each in chosen.candidates} == {GateResult.PASSED}
    assert result.digests.model == chosen.digest
    left = [path.name for path in candidates_folder(environment).iterdir()]
    assert left == ([f"{chosen.weight}"] if chosen.weight < 1 else [])
    if chosen.weight < 1:
        assert chosen.uri == f"pvc://work/ns/ev/interpolated/{chosen.weight}/model"
        assert chosen.digest == weights_digest(candidates_folder(environment) / left[0] / "model")
    assert report_of(environment)["respondents"][0]["digest"] == chosen.digest
    page = (workspace_folder(environment) / "eval" / "report.html").read_text()
    assert "Between base and tuned model" in page


def test_where_none_passes_the_tuned_model_stays(pod: Pod) -> None:
    """Its scores are those of an evaluation without candidates, with wider intervals."""
    alone = evaluate(pod(gates=NEVER))
    environment = pod(gates=NEVER, interpolation=WEIGHTS)
    result = evaluate(environment)
    chosen = result.interpolation
    assert chosen is not None and chosen.weight == 1.0
    assert (chosen.uri, chosen.digest) == (chosen.tuned_uri, chosen.tuned_digest)
    assert result.digests == alone.digests
    for wide, narrow in ((result.general, alone.general), (result.in_domain, alone.in_domain)):
        assert (wide.score, wide.delta) == (narrow.score, narrow.delta)
        assert wide.low is not None and narrow.low is not None and wide.low <= narrow.low
    assert list(candidates_folder(environment).iterdir()) == []


def test_a_way_back_that_passes_the_gate_is_taken(pod: Pod) -> None:
    """A tuned model that forgot everything, by its loss on general text, and a candidate that hardly did."""
    gates = (Gate(metric=Metric.RETENTION, max_rise=0.5),)
    general = RubricReference(builtin="unused", general_from="business45")
    environment = pod(rubric=general, gates=gates, interpolation=Interpolation(weights=(0.02,)))
    result = evaluate(environment)
    chosen = result.interpolation
    assert chosen is not None
    near, tuned = chosen.candidates
    assert near.rise is not None and tuned.rise is not None and near.rise < 0.5 < tuned.rise
    assert (near.gates, tuned.gates, chosen.weight) == (GateResult.PASSED, GateResult.FAILED, 0.02)
    assert tuned.not_passed == "retention maxRise"
    assert [kept.rise for kept in result.retention] == [pytest.approx(near.rise)]
    assert report_of(environment)["gates"][0]["result"] == GateResult.PASSED
    again = evaluate(environment)  # which finds the result in the workspace
    assert encode_message(again) == encode_message(result)


def test_an_attempt_that_was_cut_off_goes_on(pod: Pod, monkeypatch: pytest.MonkeyPatch) -> None:
    """No model is written twice and no answer asked twice; the end is that of an undisturbed evaluation."""
    environment = pod(gates=ANY_DROP, interpolation=WEIGHTS)
    written, asked = [], []
    write, generate = interpolate.write_interpolated, answer.generate

    def counted_write(*arguments: Any) -> None:
        written.append(arguments[2])
        write(*arguments)

    def cut_off(*arguments: Any) -> Any:
        asked.append(len(arguments[1]))
        if len(asked) == 3:
            raise StageError("cut off")
        return generate(*arguments)

    monkeypatch.setattr(interpolate, "write_interpolated", counted_write)
    monkeypatch.setattr(answer, "generate", cut_off)
    with pytest.raises(StageError, match="cut off"):
        evaluate(environment)
    result = evaluate(environment)
    assert written == [0.02, 0.5]
    assert len(asked) == 5, "one batch for each of the four models, and the one that was cut off"
    assert result.interpolation is not None


def test_an_adapter_is_scaled_as_the_model_that_is_taken(pod: Pod, tmp_path: Path) -> None:
    run = tmp_path / "claims" / "work" / "ns" / "run"
    (run / "adapter").mkdir(parents=True)
    (run / "adapter" / "adapter_config.json").write_text('{"lora_alpha": 32}')
    (run / "adapter" / "adapter_model.safetensors").write_bytes(b"matrices")
    gates = (Gate(metric=Metric.RETENTION, max_rise=0.5),)
    general = RubricReference(builtin="unused", general_from="business45")
    environment = pod(
        rubric=general,
        gates=gates,
        interpolation=Interpolation(weights=(0.02,)),
        training=Storage(persistent_volume_claim="work", path="ns/run"),
    )
    evaluate(environment)
    adapter = candidates_folder(environment) / "0.02" / "adapter"
    assert json.loads((adapter / "adapter_config.json").read_text())["lora_alpha"] == 0.64
    assert (adapter / "adapter_model.safetensors").read_bytes() == b"matrices"


def test_models_without_room_are_refused_before_any_is_written(
    pod: Pod, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = interpolate.shutil.disk_usage("/")
    monkeypatch.setattr(interpolate.shutil, "disk_usage", lambda _: usage._replace(free=1000))
    environment = pod(gates=ANY_DROP, interpolation=WEIGHTS)
    with pytest.raises(StageError, match=r"2 models of .* do not fit into the .* that are free"):
        evaluate(environment)
    assert not candidates_folder(environment).exists()
