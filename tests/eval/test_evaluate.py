"""The whole evaluation, with real checkpoints of a tiny model."""

from __future__ import annotations

import gc
import json
import weakref
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import torch
from tests.eval.conftest import GATES, Pod, report_of, workspace_folder

from blendtune_api.contract import (
    Env,
    ExitCode,
    decode_message,
    encode_message,
    weights_digest,
)
from blendtune_api.crd import RUBRIC_EVALS, custom_resource_definition
from blendtune_api.v1alpha1 import (
    EpochScope,
    EvaluatedEpoch,
    EvaluatedModel,
    GateResult,
    Reason,
    RubricReference,
    Sampling,
)
from blendtune_eval.answering import answer
from blendtune_eval.answering.decoding import Decoding
from blendtune_eval.answering.prompts import Prompt
from blendtune_eval.evaluate import evaluate
from blendtune_runtime.errors import StageError

pytestmark = pytest.mark.usefixtures("one_thread")


def test_leaves_result_and_report(pod: Pod, capsys: pytest.CaptureFixture[str]) -> None:
    environment = pod(gates=GATES)
    result = evaluate(environment)
    folder = workspace_folder(environment) / "eval"
    assert decode_message((folder / "result.json").read_text()) == decode_message(encode_message(result))
    assert json.loads((folder / "progress.json").read_text()) == {"done": 14, "total": 14}
    assert "answered 14/14 (baseline)" in capsys.readouterr().out
    assert result.overall.n == 4
    assert result.coverage == 1.0
    assert result.report_uri == "pvc://work/ns/ev/eval"
    assert [scope.name for scope in result.dimensions] == ["reliability", "consistency", "businessImpact"]
    assert [scope.name for scope in result.categories] == ["world", "shop"]
    assert len(report_of(environment)["gates"]) == 2
    lines = [json.loads(line) for line in (folder / "answers.jsonl").read_text().splitlines()]
    assert len(lines) == 14
    assert {line["respondent"] for line in lines} == {"model", "baseline"}
    assert all(line["criteria"] and line["outcome"] for line in lines)


def test_general_questions_beside_those_of_an_own_rubric(pod: Pod) -> None:
    """The general scope is over both, in result and report; the rubric keeps its name."""
    alone = evaluate(pod())
    environment = pod(rubric=RubricReference(builtin="unused", general_from="business45"))
    result = evaluate(environment)
    assert alone.general.n == 2
    lines = (workspace_folder(environment) / "eval" / "answers.jsonl").read_text().splitlines()
    assert len({json.loads(line)["question"] for line in lines}) == 2 + 22 + 2
    assert result.general.n > 2 + 22 - 5, "where its babble can be judged"
    assert [scope.name for scope in result.categories] == [
        "world-knowledge", "language-and-instructions", "arithmetic-and-logic", "safety-and-honesty", "world",
        "shop",
    ]  # fmt: skip
    report = report_of(environment)
    assert report["rubric"]["name"] == "small"
    page = (workspace_folder(environment) / "eval" / "report.html").read_text()
    assert "Which planet of the Solar System has the greatest mass?" in page


def test_result_is_a_status(pod: Pod) -> None:
    """The scores as they are written to the resource's status."""
    environment = pod(gates=GATES)
    evaluate(environment)
    scores = json.loads((workspace_folder(environment) / "eval" / "report.json").read_text())["scores"]
    version = custom_resource_definition(RUBRIC_EVALS)["spec"]["versions"][0]
    status = version["schema"]["openAPIV3Schema"]["properties"]["status"]
    known = {key: value for key, value in scores.items() if key in status["properties"]}
    assert set(scores) - set(known) <= {"contaminated"}
    jsonschema.validate(known, status)


def test_without_a_baseline(pod: Pod) -> None:
    environment = pod(compared=False, gates=GATES)
    result = evaluate(environment)
    assert result.verdict is None
    assert result.overall.delta is None
    gate, _ = report_of(environment)["gates"]
    assert gate["result"] == GateResult.INCONCLUSIVE
    assert "no baseline" in gate["message"]


def test_earlier_epochs_are_asked_too(pod: Pod, models_folder: Path) -> None:
    """An epoch with the model's weights has a gain of 0; one with the baseline's has the baseline's delta."""
    earlier = [(1, "base"), (2, "tuned")]
    epochs = tuple(
        EvaluatedEpoch(
            epoch=number,
            uri=f"file://{models_folder / name}",
            digest=weights_digest(models_folder / name),
        )
        for number, name in earlier
    )
    result = evaluate(pod())
    environment = pod(epochs=epochs)
    with_epochs = evaluate(environment)
    assert replace(with_epochs, epochs=()) == result
    first, second = with_epochs.epochs
    assert (first.epoch, second.epoch) == (1, 2)
    for scope, then, now in (
        (result.general, first.general, second.general),
        (result.in_domain, first.in_domain, second.in_domain),
    ):
        assert then is not None and now is not None
        assert then == EpochScope(
            score=scope.baseline_score, gain=scope.delta, low=scope.delta_low, high=scope.delta_high
        )
        assert (now.score, now.gain) == (scope.score, 0)
    report = workspace_folder(environment) / "eval" / "report.html"
    assert "Scores by epoch" in report.read_text()
    assert len(report_of(environment)["respondents"]) == 2


def test_an_epoch_of_other_weights_is_refused(pod: Pod, models_folder: Path) -> None:
    other = EvaluatedEpoch(epoch=1, uri=f"file://{models_folder / 'base'}", digest="0" * 64)
    with pytest.raises(StageError, match=r"spec\.epochs\[0\]"):
        evaluate(pod(epochs=(other,)))


def test_a_finished_evaluation_is_repeated(pod: Pod, monkeypatch: pytest.MonkeyPatch) -> None:
    first = evaluate(pod())
    monkeypatch.setattr(answer, "load_model", forbidden)
    again = evaluate(pod())
    assert encode_message(again) == encode_message(first)


def test_a_report_of_another_identity_is_written_anew(pod: Pod) -> None:
    environment = pod()
    evaluate(environment)
    file, report = workspace_folder(environment) / "eval" / "report.json", report_of(environment)
    other = report | {"identity": "another", "versions": {"identity": report["identity"]}}
    file.write_text(json.dumps(other, indent=1))
    evaluate(environment)
    assert report_of(environment)["identity"] == report["identity"]


def test_changed_gates_need_no_new_answers(pod: Pod, monkeypatch: pytest.MonkeyPatch) -> None:
    evaluate(pod())
    monkeypatch.setattr(answer, "load_model", forbidden)
    environment = pod(gates=GATES)
    evaluate(environment)
    assert len(report_of(environment)["gates"]) == 2


def forbidden(*_: Any) -> Any:
    raise AssertionError("a model was loaded although every answer is known")


@pytest.mark.parametrize("kept", [0.0, 0.3, 0.7, 0.99])
def test_resumes_from_a_cut_cache(pod: Pod, kept: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answer, "BATCH_SIZE", 3)
    environment = pod()
    first = evaluate(environment)
    before = (workspace_folder(environment) / "eval" / "answers.jsonl").read_text()
    for file in (workspace_folder(environment) / "answers").iterdir():
        content = file.read_bytes()
        file.write_bytes(content[: int(kept * len(content))])
    (workspace_folder(environment) / "eval" / "result.json").unlink()
    assert encode_message(evaluate(environment)) == encode_message(first)
    assert (workspace_folder(environment) / "eval" / "answers.jsonl").read_text() == before


def test_batch_size_does_not_change_the_answers(
    pod: Pod, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = []
    for size in (1, 3, 32):
        environment = pod() | {Env.CLAIMS: str(tmp_path / f"claims-{size}")}
        monkeypatch.setattr(answer, "BATCH_SIZE", size)
        evaluate(environment)
        texts.append((workspace_folder(environment) / "eval" / "answers.jsonl").read_text())
    assert texts[0] == texts[1] == texts[2]


def within_memory(monkeypatch: pytest.MonkeyPatch, most: int) -> list[int]:
    """Lets at most `most` prompts be answered at once, as a small GPU would; returns the batch sizes."""
    generate, answered = answer.generate, []

    def bounded(model: Any, batch: Sequence[Prompt], decoding: Decoding) -> list[list[int]]:
        if len(batch) > most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        answered.append(len(batch))
        return generate(model, batch, decoding)

    monkeypatch.setattr(answer, "generate", bounded)
    return answered


def test_a_batch_that_memory_does_not_hold_is_halved(
    pod: Pod, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, halved = (pod(compared=False) | {Env.CLAIMS: str(tmp_path / name)} for name in ("one", "two"))
    evaluate(whole)
    answered = within_memory(monkeypatch, most=2)
    evaluate(halved)
    assert answered == [1, 2, 2, 2]
    texts = [(workspace_folder(way) / "eval" / "answers.jsonl").read_text() for way in (whole, halved)]
    assert texts[0] == texts[1]


def test_a_question_that_memory_does_not_hold_ends_the_evaluation_with_advice(
    pod: Pod, monkeypatch: pytest.MonkeyPatch
) -> None:
    within_memory(monkeypatch, most=0)
    with pytest.raises(StageError, match=r"out of memory\. Tried .* set engine: vllm") as caught:
        evaluate(pod())
    assert caught.value.exit_code is ExitCode.DOES_NOT_FIT
    assert caught.value.reason is Reason.DOES_NOT_FIT


def test_a_model_that_memory_does_not_hold_is_no_bad_model(pod: Pod, monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(*_: Any, **__: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(answer.AutoModelForCausalLM, "from_pretrained", exhausted)
    with pytest.raises(StageError, match="out of memory") as caught:
        evaluate(pod())
    assert caught.value.exit_code is ExitCode.DOES_NOT_FIT


def test_the_next_model_is_loaded_into_the_memory_of_the_last(models_folder: Path) -> None:
    """Also where the last model refers to itself, as a model spread over GPUs does."""
    model = answer.load_model(models_folder / "base", gpus=0, context=8)
    model.generation_config.holder = [model]
    memory_of_the_last = weakref.ref(model)
    gc.disable()
    try:
        del model
        answer.load_model(models_folder / "tuned", gpus=0, context=8)
        assert memory_of_the_last() is None
    finally:
        gc.enable()


def test_nothing_comes_from_the_checkpoints_generation_config(
    pod: Pod, tmp_path: Path, models_folder: Path
) -> None:
    evaluate(pod())
    own = models_folder / "tuned" / "generation_config.json"
    original = own.read_text()
    own.write_text(
        json.dumps(
            json.loads(original)
            | {"do_sample": True, "temperature": 5.0, "max_new_tokens": 3, "repetition_penalty": 9.0}
        )
    )
    try:
        other = pod() | {Env.CLAIMS: str(tmp_path / "other-claims")}
        evaluate(other)
    finally:
        own.write_text(original)
    first = workspace_folder(pod()) / "eval" / "answers.jsonl"
    assert (workspace_folder(other) / "eval" / "answers.jsonl").read_text() == first.read_text()


def test_sampling_is_seeded(pod: Pod, tmp_path: Path) -> None:
    texts = []
    for name in ("one", "two"):
        environment = pod(sampling=Sampling(max_new_tokens=8, temperature=1.5)) | {
            Env.CLAIMS: str(tmp_path / name)
        }
        evaluate(environment)
        texts.append((workspace_folder(environment) / "eval" / "answers.jsonl").read_text())
    assert texts[0] == texts[1]


def test_other_weights_are_refused(pod: Pod, models_folder: Path) -> None:
    wrong = EvaluatedModel(uri=f"file://{models_folder / 'tuned'}", digest="0" * 64)
    with pytest.raises(StageError, match="have the digest") as caught:
        evaluate(pod(model=wrong))
    assert caught.value.exit_code is ExitCode.BAD_MODEL
