"""Input that the blend program refuses: which error, in which words, and that no blend is left."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.trainer.data.blends import Change, edit, refusal_of, rows, write_rows, write_rubric

from blendtune_api.contract import GpuPreset
from blendtune_runtime.errors import (
    BadConfiguration,
    BadData,
    BadModel,
    DoesNotFit,
    StageError,
    WorkspaceInUse,
)
from blendtune_trainer.model.base_model import empty_model
from blendtune_trainer.model.lora import adapter_parameters
from blendtune_trainer.prepare import prepare
from blendtune_trainer.stage import Run


@pytest.mark.parametrize(
    ("change", "kind", "parts"),
    [
        pytest.param(
            edit("blend.sources.0.uri", "pvc://data/none.jsonl"),
            BadData,
            ["spec.blend.sources[0].uri: no such file or folder: ", "data/none.jsonl"],
            id="missing file",
        ),
        pytest.param(
            edit("blend.sources.1.maxEpochs", 0.5),
            BadData,
            ["spec.blend.sources[1] (general)", "maxEpochs is 0.5", "lower its weight from 50 to at most"],
            id="source too small",
        ),
        pytest.param(
            edit("training.sequenceLength", 32),
            BadData,
            ["spec.blend.sources[0].uri (ads): all 40 rows", "longer than spec.training.sequenceLength"],
            id="everything too long",
        ),
        pytest.param(
            edit("model.uri", "file:///nowhere"),
            BadModel,
            ["spec.model.uri: file:///nowhere holds no model"],
            id="missing model",
        ),
        pytest.param(
            edit("model.chatTemplate", "llama-3"),
            BadConfiguration,
            [
                "spec.model.chatTemplate: llama-3 is built of <|begin_of_text|>, <|end_header_id|>, "
                "<|eot_id|>, <|start_header_id|>, which the tokenizer lacks",
                "use chatml, which it has all tokens for",
            ],
            id="template of other tokens",
        ),
    ],
)
def test_bad_input_is_named_and_leaves_nothing(
    make_run: Callable[..., Run], change: Change, kind: type[StageError], parts: list[str]
) -> None:
    error = refusal_of(make_run(change), kind)
    for part in parts:
        assert part in error.message


def test_turns_out_of_order_are_told_with_file_and_line(make_run: Callable[..., Run], data: Path) -> None:
    turns = [{"role": role, "content": "x"} for role in ("user", "user", "assistant")]
    with (data / "ads.jsonl").open("a") as file:
        file.write(json.dumps({"messages": turns}) + "\n")
    error = refusal_of(make_run(edit("model.chatTemplate", "chatml")), BadData)
    assert error.message == (
        "ads.jsonl:41: the chat template refuses the conversation: turn 2 is by user: "
        "after an optional system message, user and assistant must take turns, the user first"
    )


def test_the_faults_of_all_sources_are_told_at_once(make_run: Callable[..., Run], data: Path) -> None:
    with (data / "ads.jsonl").open("a") as file:
        file.write("{oops\n")
    with (data / "general.jsonl").open("a") as file:
        file.write('{"messages": [{"role": "user", "content": "Hi?"}]}\n')
    error = refusal_of(make_run(), BadData)
    assert error.message.split("\n") == [
        "ads.jsonl:41: not valid JSON: Expecting property name enclosed in double quotes, at column 2",
        "general.jsonl:151: no assistant turn: there is nothing to learn from this row",
    ]


@pytest.mark.parametrize("over_length", ["drop", "error"])
def test_a_conversation_over_the_sequence_length_is_never_cut(
    make_run: Callable[..., Run], data: Path, over_length: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write_rows(data / "ads.jsonl", rows(40, "ads", 12) + rows(1, "long", 80))
    run = make_run(edit("blend.overLength", over_length))
    if over_length == "error":
        message = refusal_of(run, BadData).message
        assert message.startswith("ads.jsonl:41: ")
        assert "over spec.training.sequenceLength 256; shorten or split" in message
    else:
        assert prepare(run).sources[0].dropped == 1
        assert (
            "ads: 41 rows, 4,430 tokens, 1 dropped for length, 0 bad, 4 held out" in capsys.readouterr().out
        )


def test_stopping_by_rows_that_are_too_few_to_hold_out_is_refused(
    make_run: Callable[..., Run], data: Path
) -> None:
    write_rows(data / "general.jsonl", rows(9, "x", 60))

    def stop_by_divergence(document: dict[str, Any]) -> None:
        document["training"]["earlyStopping"] = {"metric": "kl", "max": 0.1}
        document["blend"]["sources"][1]["maxEpochs"] = 1000

    error = refusal_of(make_run(stop_by_divergence), BadConfiguration)
    assert error.message.startswith("spec.training.earlyStopping.metric kl watches general held-out rows")


def test_a_model_that_does_not_fit_is_refused_with_numbers(make_run: Callable[..., Run]) -> None:
    run = make_run()
    config = replace(run.config, gpu=GpuPreset(name="tiny", memory_bytes=100_000))
    error = refusal_of(replace(run, config=config), DoesNotFit)
    assert error.message.startswith("spec.cluster: 26,880 parameters do not fit on 8 x tiny ")


def test_a_lora_is_sized_by_the_layers_that_the_model_has(
    make_run: Callable[..., Run], base_model: Path
) -> None:
    lora = {"method": "lora", "lora": {"rank": 4, "targetModules": ["v_proj", "mlp.up_proj"]}}
    run = make_run(lambda document: document["training"].update(lora))
    trained = adapter_parameters(empty_model(base_model), run.config.spec.training.lora)
    config = replace(run.config, gpu=GpuPreset(name="tiny", memory_bytes=100_000))
    error = refusal_of(replace(run, config=config), DoesNotFit)
    assert f"26,880 frozen parameters and a LoRA of {trained:,} do not fit on 8 x tiny" in error.message
    result = prepare(run)
    assert (result.parameters, result.adapter_parameters) == (26_880, trained)


def test_a_lora_of_layers_that_are_not_there_is_refused_with_those_that_are(
    make_run: Callable[..., Run],
) -> None:
    lora = {"method": "lora", "lora": {"targetModules": ["q_proj", "query", "lm_head"]}}
    error = refusal_of(make_run(lambda document: document["training"].update(lora)), BadConfiguration)
    assert "spec.training.lora.targetModules[1]: no linear layer is named 'query'" in error.message
    assert "spec.training.lora.targetModules[2]: no linear layer is named 'lm_head'" in error.message
    assert "down_proj, gate_proj, k_proj, o_proj, q_proj, up_proj, v_proj" in error.message


def test_a_general_question_of_the_rubric_in_the_rows_is_refused(make_run: Callable[..., Run]) -> None:
    run = make_run()
    write_rubric(run, "general", "question 7, about x")
    assert refusal_of(run, BadData).message.startswith("question q1: general.jsonl:8 asks the same")


def test_another_configuration_does_not_write_over_it(make_run: Callable[..., Run]) -> None:
    prepare(make_run())
    with pytest.raises(WorkspaceInUse, match="left artifacts of another"):
        prepare(make_run(edit("blend.seed", 7), uid="u2"))
