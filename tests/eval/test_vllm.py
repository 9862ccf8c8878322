"""Answers through a server in a real process: what it is asked, and each way in which it fails."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.eval.conftest import workspace_folder
from tests.eval.judge_server import JudgeServer
from transformers import PreTrainedTokenizerFast

from blendtune_api.contract import Env, EvalResult, ExitCode
from blendtune_api.v1alpha1 import Engine, Gate, Judge, JudgeKind, Metric, Reason, RubricEvalCluster
from blendtune_eval.answering import vllm_answer
from blendtune_eval.answering.decoding import Decoding
from blendtune_eval.answering.tensor_parallel import require_divisible
from blendtune_eval.answering.vllm_server import Deadlines
from blendtune_eval.api_client import Limits
from blendtune_eval.evaluate import evaluate
from blendtune_runtime.errors import StageError

Pod = Callable[..., dict[str, str]]
PROMPTS = 7  # wordings of the small rubric, for each of two models
PROGRAM = Path(__file__).with_name("vllm_program.py")


class Stub:
    """The stand-in for vLLM on the PATH."""

    def __init__(self, folder: Path, tokens: list[int]) -> None:
        self.folder = folder
        self.tokens = tokens
        self.behave("well")

    def behave(self, behaviour: str, after: int = 0) -> None:
        plan = {"behaviour": behaviour, "after": after, "tokens": self.tokens}
        (self.folder / "plan.json").write_text(json.dumps(plan))

    def noted(self, name: str) -> list[Any]:
        file = self.folder / f"{name}.jsonl"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


@pytest.fixture
def stub(tmp_path: Path, tokenizer: PreTrainedTokenizerFast, monkeypatch: pytest.MonkeyPatch) -> Stub:
    folder = tmp_path / "stub"
    folder.mkdir()
    program = folder / "vllm"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} {PROGRAM} "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setenv("STUB_FOLDER", str(folder))
    monkeypatch.setattr(vllm_answer, "LIMITS", Limits(concurrency=4, call=20.0, total=60.0, first_wait=0.002))
    monkeypatch.setattr(vllm_answer, "DEADLINES", Deadlines(start=60.0, stop=10.0, poll=0.02))
    return Stub(folder, tokenizer("Paris.").input_ids + tokenizer.convert_tokens_to_ids(["<|end|>"]))


def through_vllm(pod: Pod, **changes: Any) -> dict[str, str]:
    return pod(engine=Engine.VLLM, cluster=RubricEvalCluster(gpus=2), **changes)


def answers(environment: dict[str, str]) -> list[dict[str, Any]]:
    return [
        json.loads(line)["value"]
        for file in (workspace_folder(environment) / "answers").glob("*.jsonl")
        for line in file.read_text().splitlines()
    ]


def failure(environment: dict[str, str]) -> StageError:
    with pytest.raises(StageError) as raised:
        evaluate(environment)
    return raised.value


def has_ended(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


def test_each_model_is_served_in_turn_and_asked_alike(
    pod: Pod, stub: Stub, models_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(Env.JUDGE_API_KEY, "secret-of-the-judge")
    environment = through_vllm(pod)
    result = evaluate(environment)
    assert isinstance(result, EvalResult)
    assert result.coverage == 1
    starts, requests = stub.noted("starts"), stub.noted("requests")
    assert [start["arguments"][1] for start in starts] == [
        str(models_folder / name) for name in ("tuned", "base")
    ]
    assert all("secret-of-the-judge" not in start["environment"].values() for start in starts)
    assert all(has_ended(start["pid"]) for start in starts)
    longest = max(len(request["prompt"]) for request in requests)
    for start in starts:
        options = dict(zip(start["arguments"][2::2], start["arguments"][3::2], strict=True))
        assert options | {"--port": ""} == {
            "--host": "127.0.0.1",
            "--port": "",
            "--served-model-name": "model",
            "--dtype": "bfloat16",
            "--tensor-parallel-size": "2",
            "--max-model-len": str(longest + 12),
            "--generation-config": "vllm",
            "--seed": "20231007",
        }
    assert len(requests) == 2 * PROMPTS
    assert len({str(request["prompt"]) for request in requests}) == PROMPTS
    settings = [{key: value for key, value in request.items() if key != "prompt"} for request in requests]
    assert all(each == settings[0] for each in settings)
    assert settings[0] == {
        "model": "model",
        "max_tokens": 12,
        "temperature": 0,
        "top_p": 1,
        "top_k": -1,
        "min_p": 0,
        "repetition_penalty": 1,
        "presence_penalty": 0,
        "frequency_penalty": 0,
        "n": 1,
        "seed": 20231007,
        "ignore_eos": True,
        "stop_token_ids": settings[0]["stop_token_ids"],
        "add_special_tokens": False,
        "skip_special_tokens": True,
        "return_token_ids": True,
        "stream": False,
    }
    assert {answer["text"] for answer in answers(environment)} == {"Paris."}


@pytest.mark.parametrize(
    ("behaviour", "asked", "given"),
    [
        pytest.param("500 once", 2, ("Paris.", True), id="a server error, once"),
        pytest.param("cut JSON once", 2, ("Paris.", True), id="truncated JSON, once"),
        pytest.param("aborted once", 2, ("Paris.", True), id="an aborted answer, once"),
        pytest.param("length", 1, ("Paris.", False), id="an answer cut at its limit"),
        pytest.param("empty", 1, ("", True), id="an empty answer"),
    ],
)
def test_what_is_answered_after_all(
    pod: Pod, stub: Stub, behaviour: str, asked: int, given: tuple[str, bool]
) -> None:
    stub.behave(behaviour)
    environment = through_vllm(pod, compared=False)
    assert evaluate(environment).coverage == 1
    assert len(stub.noted("requests")) == asked * PROMPTS
    assert {(answer["text"], answer["finished"]) for answer in answers(environment)} == {given}


@pytest.mark.parametrize(
    ("behaviour", "code", "words"),
    [
        pytest.param(
            "no start",
            ExitCode.TRANSIENT,
            "exit code 1 before it was ready; its last words: loading weights | ValueError: Kettle",
            id="it does not start",
        ),
        pytest.param("out of memory", ExitCode.DOES_NOT_FIT, "does not fit", id="it runs out of GPU memory"),
        pytest.param("28 heads", ExitCode.BAD_CONFIGURATION, "ask for 1, 2, 4, 7 or 14", id="heads"),
        pytest.param("never healthy", ExitCode.TRANSIENT, "not ready within 1 s", id="it is never healthy"),
        pytest.param("dies", ExitCode.TRANSIENT, "exit code 3 while it answered", id="it dies"),
        pytest.param("killed", ExitCode.TRANSIENT, "ended by SIGKILL", id="it is killed"),
        pytest.param("500", ExitCode.TRANSIENT, "HTTP 500", id="server errors"),
        pytest.param("hangs", ExitCode.TRANSIENT, "no reply within 0.2 s", id="it hangs"),
        pytest.param("400", ExitCode.BAD_CONFIGURATION, "top_k is unknown", id="it refuses a parameter"),
        pytest.param("no tokens", ExitCode.BAD_CONFIGURATION, "vLLM 0.10.2", id="it is too old"),
    ],
)
def test_what_ends_the_evaluation(
    pod: Pod, stub: Stub, behaviour: str, code: ExitCode, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stub.behave(behaviour)
    if behaviour == "never healthy":
        monkeypatch.setattr(vllm_answer, "DEADLINES", replace(vllm_answer.DEADLINES, start=1.0))
    if behaviour == "hangs":
        monkeypatch.setattr(vllm_answer, "LIMITS", replace(vllm_answer.LIMITS, call=0.2))
    failed = failure(through_vllm(pod))
    assert failed.exit_code is code
    assert words in failed.message
    if code is ExitCode.DOES_NOT_FIT:
        assert failed.reason is Reason.DOES_NOT_FIT
    assert all(has_ended(start["pid"]) for start in stub.noted("starts"))


def test_server_errors_are_met_with_three_retries(pod: Pod, stub: Stub) -> None:
    stub.behave("500")
    failure(through_vllm(pod, compared=False))
    asked = [str(request["prompt"]) for request in stub.noted("requests")]
    assert max(map(asked.count, asked)) == 4


@pytest.mark.parametrize("after", [1, 3, 6])
def test_what_was_answered_before_the_server_died_is_not_asked_again(
    pod: Pod, stub: Stub, after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vllm_answer, "LIMITS", replace(vllm_answer.LIMITS, concurrency=1))
    environment = through_vllm(pod, compared=False)
    stub.behave("dies", after)
    failure(environment)
    assert len(answers(environment)) == after
    stub.behave("well")
    assert evaluate(environment).coverage == 1
    assert len(stub.noted("requests")) == PROMPTS + 1  # the one that was being answered, twice
    assert len(answers(environment)) == PROMPTS


def test_a_finished_model_is_not_served_again(pod: Pod, stub: Stub) -> None:
    environment = through_vllm(pod)
    evaluate(environment)
    (workspace_folder(environment) / "eval" / "result.json").unlink()
    evaluate(environment)
    assert len(stub.noted("starts")) == 2


def test_one_server_answers_every_part_of_an_evaluation_that_may_stop(
    pod: Pod, stub: Stub, models_folder: Path
) -> None:
    gates = (Gate(metric=Metric.GENERAL, max_drop=0.05),)
    result = evaluate(through_vllm(pod, gates=gates, stop_when_decided=True))
    assert result.asked is not None
    assert (result.asked.questions, result.asked.open) == (4, ("general maxDrop",))
    assert [start["arguments"][1] for start in stub.noted("starts")] == [
        str(models_folder / name) for name in ("base", "tuned")
    ]
    assert len(stub.noted("requests")) == 2 * PROMPTS


def test_a_model_judges_between_the_parts_of_an_evaluation(pod: Pod, stub: Stub, server: JudgeServer) -> None:
    """It has an event loop of its own, beside that of the server."""
    gates = (Gate(metric=Metric.GENERAL, max_drop=0.05),)
    judge = Judge(kind=JudgeKind.OPENAI, open_ai=server.spec)
    result = evaluate(through_vllm(pod, gates=gates, stop_when_decided=True, judge=judge))
    assert result.asked is not None
    assert result.coverage == 1
    assert len(stub.noted("starts")) == 2


def test_without_the_program_the_message_tells_what_to_do(pod: Pod, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    failed = failure(through_vllm(pod))
    assert failed.exit_code is ExitCode.BAD_CONFIGURATION
    assert "no program vllm here. Name an image that has it in spec.cluster.eval.image" in failed.message


def test_answers_of_two_engines_are_never_taken_for_each_other() -> None:
    decoding = Decoding(
        rendering="", stop_token_ids=(1,), max_new_tokens=1, temperature=0, precision="bfloat16"
    )
    assert replace(decoding, engine=Engine.VLLM).digest != decoding.digest


HEADS = [
    pytest.param({"num_attention_heads": 28, "num_key_value_heads": 4}, 8, "ask for 1, 2 or 4", id="28"),
    pytest.param({"num_attention_heads": 14, "num_key_value_heads": 2}, 4, "ask for 1, 2 or 14", id="14"),
    pytest.param({"text_config": {"num_attention_heads": 12}}, 8, "ask for 1, 2, 3, 4, 6 or 12", id="nested"),
    pytest.param({"num_attention_heads": 9, "num_key_value_heads": 3}, 2, "ask for 1, 3 or 9", id="9"),
    pytest.param({"num_attention_heads": 7, "num_key_value_heads": 1}, 7, None, id="one-head-copied"),
    pytest.param({"num_attention_heads": 32, "num_key_value_heads": 8}, 16, None, id="heads-copied"),
    pytest.param({"num_attention_heads": 28}, 1, None, id="one-gpu"),
    pytest.param({}, 8, None, id="no-heads-named"),
]


@pytest.mark.parametrize(("config", "gpus", "words"), HEADS)
def test_gpus_must_share_the_heads(
    tmp_path: Path, config: dict[str, Any], gpus: int, words: str | None
) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config))
    if words is None:
        require_divisible(tmp_path, gpus)
        return
    with pytest.raises(StageError, match=words) as caught:
        require_divisible(tmp_path, gpus)
    assert caught.value.exit_code is ExitCode.BAD_CONFIGURATION


def test_heads_that_cannot_be_shared_are_found_before_any_start(pod: Pod, stub: Stub) -> None:
    failed = failure(pod(engine=Engine.VLLM, cluster=RubricEvalCluster(gpus=8)))
    assert failed.message == (
        "spec.cluster.gpus: 8 GPUs cannot share the model's 2 attention heads and 1 of keys and values "
        "evenly: ask for 1 or 2"
    )
    assert stub.noted("starts") == []
