"""The blend program, from files of rows to the packed blend."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from transformers import PreTrainedTokenizerFast

from blendtune_api import codec
from blendtune_api.contract import (
    BlendResult,
    Env,
    ExitCode,
    Failure,
    GpuPreset,
    RunConfig,
    decode_message,
)
from blendtune_api.v1alpha1 import BlendedFineTuneSpec, Reason, Stage
from blendtune_runtime.errors import StageError
from blendtune_runtime.program import run_program
from blendtune_trainer.blending.lineage import read_lineage, write_lineage
from blendtune_trainer.blending.packed import PackedBlend
from blendtune_trainer.model.base_model import base_model_folder, empty_model
from blendtune_trainer.model.lora import adapter_parameters
from blendtune_trainer.prepare import prepare
from blendtune_trainer.stage import Run, load_run

SEQUENCE_LENGTH = 256
Change = Callable[[dict[str, Any]], object]


def rows(count: int, topic: str, words: int) -> list[dict[str, Any]]:
    return [
        {
            "messages": [
                {"role": "user", "content": f"Question {number} about {topic}?"},
                {"role": "assistant", "content": " ".join([f"{topic}{number}"] * words)},
            ]
        }
        for number in range(count)
    ]


def write_rows(path: Path, content: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in content))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "claims" / "data"
    folder.mkdir(parents=True)
    write_rows(folder / "ads.jsonl", rows(40, "ads", 12))
    write_rows(folder / "general.jsonl", rows(150, "x", 5))
    return folder


@pytest.fixture
def make_run(data: Path, base_model: Path) -> Callable[..., Run]:
    """A run of two sources, 50/50, two passes over the in-domain one; `change` edits its spec's document."""

    def make(change: Change | None = None, uid: str = "u1") -> Run:
        document: dict[str, Any] = {
            "model": {"uri": f"file://{base_model}"},
            "blend": {
                "budget": {"epochs": 2},
                "sources": [
                    {"name": "ads", "role": "inDomain", "uri": "pvc://data/ads.jsonl", "weight": 50},
                    {"name": "general", "role": "general", "uri": "pvc://data/general.jsonl", "weight": 50},
                ],
                "validation": {"fraction": 0.1},
            },
            "training": {"sequenceLength": SEQUENCE_LENGTH, "batchTokens": 4 * SEQUENCE_LENGTH},
            "storage": {"persistentVolumeClaim": "work"},
        }
        if change is not None:
            change(document)
        config = RunConfig(
            uid=uid,
            namespace="default",
            name="run",
            spec=codec.decode(BlendedFineTuneSpec, document),
            gpu=GpuPreset(name="cpu"),
        )
        return Run(config=config, claims=data.parent)

    return make


def edit(path: str, value: object) -> Change:
    """Sets the value at a dotted path of the spec's document; numbers index lists."""

    def change(document: Any) -> None:
        *parents, last = (int(part) if part.isdigit() else part for part in path.split("."))
        for part in parents:
            document = document[part] if isinstance(part, int) else document.setdefault(part, {})
        document[last] = value

    return change


def failure_of(run: Run) -> StageError:
    with pytest.raises(StageError) as raised:
        prepare(run)
    assert not run.workspace.blend.exists()
    return raised.value


def test_a_blend_is_left_whole_and_told(
    make_run: Callable[..., Run], tokenizer: PreTrainedTokenizerFast
) -> None:
    run = make_run()
    result = prepare(run)
    packed = PackedBlend.open(run.workspace.blend)
    assert packed.digest == result.digest
    assert result.config_digest == run.config.digest
    assert [source.name for source in result.sources] == ["ads", "general"]
    assert [round(source.achieved_share, 2) for source in result.sources] == [0.5, 0.5]
    assert result.sources[0].epochs == 2
    assert result.sources[0].examples == 2 * 36
    assert result.tokens == sum(packed.tokens(index) for index in range(packed.num_bins))
    assert result.steps == -(-packed.num_bins // 4)
    assert result.parameters == 26_880
    for index in range(packed.num_bins):
        filled = packed.bin(index)
        assert len(filled.input_ids) <= SEQUENCE_LENGTH
        starts = filled.input_ids[filled.position_ids == 0]
        assert set(tokenizer.convert_ids_to_tokens(starts.tolist())) == {"<|im_start|>"}
        assert filled.supervised_tokens == packed.supervised_tokens(index) > 0
    assert decode_message(run.workspace.result(Stage.BLEND).read_text()) == rounded(result)


def rounded(result: BlendResult) -> BlendResult:
    """The result as a message tells it: with six digits."""
    sources = tuple(
        replace(
            source,
            target_share=float(f"{source.target_share:.6g}"),
            achieved_share=float(f"{source.achieved_share:.6g}"),
            epochs=float(f"{source.epochs:.6g}"),
        )
        for source in result.sources
    )
    return replace(result, sources=sources)


def test_held_out_rows_are_validated_on_and_never_trained_on(make_run: Callable[..., Run]) -> None:
    run = make_run()
    prepare(run)
    packed = PackedBlend.open(run.workspace.blend)
    held = set(packed.validation_bin_examples.tolist())
    assert len(held) == 4 + 15
    assert not held & set(packed.bin_examples.tolist())
    for index in range(packed.num_validation_bins):
        source = packed.validation_bin_sources[index]
        assert set(packed.validation_bin(index).sources.tolist()) == {source}


def test_a_row_of_two_sources_is_held_out_of_both_or_of_none(
    make_run: Callable[..., Run], data: Path
) -> None:
    write_rows(data / "general.jsonl", rows(40, "ads", 12) + rows(150, "x", 5))
    run = make_run()
    prepare(run)
    packed = PackedBlend.open(run.workspace.blend)

    def contents(examples: Sequence[int]) -> set[tuple[int, ...]]:
        bounds = [packed.example_offsets[example : example + 2] for example in examples]
        return {tuple(packed.input_ids[begin:end].tolist()) for begin, end in bounds}

    held = contents(packed.validation_bin_examples.tolist())
    assert len(held) >= 4 + 15
    assert not held & contents(packed.bin_examples.tolist())


def test_separate_validation_rows_are_kept_out_of_the_sources(
    make_run: Callable[..., Run], data: Path
) -> None:
    write_rows(data / "validation.jsonl", rows(5, "ads", 12) + rows(3, "new", 4))
    run = make_run(edit("blend.validation", {"uri": "pvc://data/validation.jsonl"}))
    result = prepare(run)
    packed = PackedBlend.open(run.workspace.blend)
    assert packed.source_names == ("ads", "general", "(validation)")
    assert set(packed.validation_bin_sources.tolist()) == {2}
    assert len(packed.validation_bin_examples) == 8
    assert result.sources[0].examples == 2 * 35


def test_the_digest_follows_what_decides_the_blend_and_nothing_else(
    make_run: Callable[..., Run], data: Path, tmp_path: Path
) -> None:
    def digest(change: Change | None = None) -> str:
        path = edit("storage.path", f"run-{len(list(tmp_path.glob('claims/work/*')))}")

        def both(document: dict[str, Any]) -> None:
            path(document)
            if change is not None:
                change(document)

        return prepare(make_run(both)).digest

    first = digest()
    assert digest() == first
    assert digest(edit("cluster.nodes", 2)) == first
    assert digest(edit("training.learningRate", 1e-4)) == first
    changed = [
        digest(edit("blend.seed", 7)),
        digest(edit("blend.unit", "examples")),
        digest(edit("blend.budget", {"epochs": 1})),
        digest(edit("blend.validation.fraction", 0)),
        digest(edit("blend.sources.0.weight", 60)),
        digest(edit("training.sequenceLength", 512)),
        digest(edit("model.chatTemplate", "llama-2")),
    ]
    content = (data / "general.jsonl").read_text().splitlines(keepends=True)
    (data / "general.jsonl").write_text("".join([*content[1:], content[0]]))
    changed.append(digest())
    assert len({first, *changed}) == 1 + len(changed)


@pytest.mark.parametrize(
    ("change", "code", "parts"),
    [
        pytest.param(
            edit("blend.sources.0.uri", "pvc://data/none.jsonl"),
            ExitCode.BAD_DATA,
            ["spec.blend.sources[0].uri: no such file or folder: ", "data/none.jsonl"],
            id="missing file",
        ),
        pytest.param(
            edit("blend.sources.1.maxEpochs", 0.5),
            ExitCode.BAD_DATA,
            ["spec.blend.sources[1] (general)", "maxEpochs is 0.5", "lower its weight from 50 to at most"],
            id="source too small",
        ),
        pytest.param(
            edit("training.sequenceLength", 32),
            ExitCode.BAD_DATA,
            ["spec.blend.sources[0].uri (ads): all 40 rows", "longer than spec.training.sequenceLength"],
            id="everything too long",
        ),
        pytest.param(
            edit("model.uri", "file:///nowhere"),
            ExitCode.BAD_MODEL,
            ["spec.model.uri: file:///nowhere holds no model"],
            id="missing model",
        ),
        pytest.param(
            edit("model.chatTemplate", "llama-3"),
            ExitCode.BAD_CONFIGURATION,
            [
                "spec.model.chatTemplate: llama-3 is built of <|begin_of_text|>, <|end_header_id|>, "
                "<|eot_id|>, <|start_header_id|>, which the tokenizer lacks",
                "use vicuna or llama-2 or chatml",
            ],
            id="template of other tokens",
        ),
    ],
)
def test_bad_input_is_named_and_leaves_nothing(
    make_run: Callable[..., Run], change: Change, code: ExitCode, parts: list[str]
) -> None:
    error = failure_of(make_run(change))
    assert error.exit_code is code
    for part in parts:
        assert part in error.message


def test_turns_out_of_order_are_told_with_file_and_line(make_run: Callable[..., Run], data: Path) -> None:
    turns = [{"role": role, "content": "x"} for role in ("user", "user", "assistant")]
    with (data / "ads.jsonl").open("a") as file:
        file.write(json.dumps({"messages": turns}) + "\n")
    error = failure_of(make_run(edit("model.chatTemplate", "chatml")))
    assert error.exit_code is ExitCode.BAD_DATA
    assert error.message == (
        "ads.jsonl:41: the chat template refuses the conversation: turn 2 is by user: "
        "after an optional system message, user and assistant must take turns, the user first"
    )


def test_the_faults_of_all_sources_are_told_at_once(make_run: Callable[..., Run], data: Path) -> None:
    with (data / "ads.jsonl").open("a") as file:
        file.write("{oops\n")
    with (data / "general.jsonl").open("a") as file:
        file.write('{"messages": [{"role": "user", "content": "Hi?"}]}\n')
    error = failure_of(make_run())
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
        message = failure_of(run).message
        assert message.startswith("ads.jsonl:41: ")
        assert "over spec.training.sequenceLength 256; shorten or split" in message
    else:
        assert prepare(run).sources[0].dropped == 1
        assert "ads: 41 rows, 4,430 tokens, 1 dropped for length, 4 held out" in capsys.readouterr().out


def test_a_model_that_does_not_fit_is_refused_with_numbers(make_run: Callable[..., Run]) -> None:
    run = make_run()
    config = replace(run.config, gpu=GpuPreset(name="tiny", memory_bytes=100_000))
    error = failure_of(replace(run, config=config))
    assert error.exit_code is ExitCode.DOES_NOT_FIT
    assert error.message.startswith("spec.cluster: 26,880 parameters do not fit on 8 x tiny ")


def test_a_lora_is_sized_by_the_layers_that_the_model_has(
    make_run: Callable[..., Run], base_model: Path
) -> None:
    lora = {"method": "lora", "lora": {"rank": 4, "targetModules": ["v_proj", "mlp.up_proj"]}}
    run = make_run(lambda document: document["training"].update(lora))
    trained = adapter_parameters(empty_model(base_model), run.config.spec.training.lora)
    config = replace(run.config, gpu=GpuPreset(name="tiny", memory_bytes=100_000))
    error = failure_of(replace(run, config=config))
    assert error.exit_code is ExitCode.DOES_NOT_FIT
    assert f"26,880 frozen parameters and a LoRA of {trained:,} do not fit on 8 x tiny" in error.message
    result = prepare(run)
    assert (result.parameters, result.adapter_parameters) == (26_880, trained)


def test_a_lora_of_layers_that_are_not_there_is_refused_with_those_that_are(
    make_run: Callable[..., Run],
) -> None:
    lora = {"method": "lora", "lora": {"targetModules": ["q_proj", "query", "lm_head"]}}
    error = failure_of(make_run(lambda document: document["training"].update(lora)))
    assert error.exit_code is ExitCode.BAD_CONFIGURATION
    assert "spec.training.lora.targetModules[1]: no linear layer is named 'query'" in error.message
    assert "spec.training.lora.targetModules[2]: no linear layer is named 'lm_head'" in error.message
    assert "down_proj, gate_proj, k_proj, o_proj, q_proj, up_proj, v_proj" in error.message


def test_a_tuned_model_goes_on_in_each_source_where_its_training_ended(
    make_run: Callable[..., Run], data: Path, base_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = make_run()
    prepare(first)
    begun = PackedBlend.open(first.workspace.blend)
    start = read_lineage(first.workspace.blend)
    assert start is not None
    shutil.copytree(base_model, data / "tuned")
    write_lineage(data / "tuned", start.after(begun, begun.num_bins))

    def change(document: dict[str, Any]) -> None:
        document["model"]["uri"] = "pvc://data/tuned"
        document["storage"]["path"] = "second"
        document["blend"]["budget"]["epochs"] = 1

    second = make_run(change)
    prepare(second)
    went_on = PackedBlend.open(second.workspace.blend)
    assert "ads: goes on after 2.00 passes of the model's earlier training" in capsys.readouterr().out
    longer = make_run(
        lambda document: (edit("storage.path", "third")(document), edit("blend.budget.epochs", 3)(document))
    )
    prepare(longer)
    at_once = PackedBlend.open(longer.workspace.blend)
    together = [*begun.bin_examples, *went_on.bin_examples]
    difference = Counter(map(int, together))
    difference.subtract(map(int, at_once.bin_examples))
    assert sum(map(abs, difference.values())) <= 2, "each run rounds each source to a whole example"


def write_rubric(run: Run, domain: str, prompt: str) -> None:
    run.workspace.root.mkdir(parents=True, exist_ok=True)
    question = {"id": "q1", "domain": domain, "prompt": prompt}
    run.workspace.rubric.write_text(json.dumps({"questions": [question]}))


def test_a_general_question_of_the_rubric_in_the_rows_is_refused(make_run: Callable[..., Run]) -> None:
    run = make_run()
    write_rubric(run, "general", "question 7, about x")
    assert failure_of(run).message.startswith("question q1: general.jsonl:8 asks the same")


def test_an_in_domain_question_in_the_rows_is_a_warning(make_run: Callable[..., Run]) -> None:
    run = make_run()
    write_rubric(run, "inDomain", "question 7, about ads")
    (warning,) = prepare(run).warnings
    assert "question q1: ads.jsonl:8 asks the same" in warning


def test_a_finished_blend_is_not_done_again(make_run: Callable[..., Run], data: Path) -> None:
    first = prepare(make_run())
    (data / "ads.jsonl").unlink()
    again = prepare(make_run(uid="applied-again"))
    assert again.digest == first.digest


def test_a_finished_blend_is_searched_again_for_another_rubric(make_run: Callable[..., Run]) -> None:
    first = prepare(make_run())
    run = make_run()
    write_rubric(run, "general", "What is the boiling point of water?")
    assert prepare(run).digest == first.digest
    write_rubric(run, "general", "Question 3 about x?")
    with pytest.raises(StageError, match=r"question q1: general\.jsonl:4"):
        prepare(run)
    assert PackedBlend.open(run.workspace.blend).digest == first.digest


def test_an_unfinished_blend_is_done_again(make_run: Callable[..., Run]) -> None:
    run = make_run()
    first = prepare(run)
    (run.workspace.blend / "input_ids.npy").unlink()
    assert prepare(run).digest == first.digest
    PackedBlend.open(run.workspace.blend)


def test_another_configuration_does_not_write_over_it(make_run: Callable[..., Run]) -> None:
    prepare(make_run())
    with pytest.raises(StageError, match="left artifacts of another") as raised:
        prepare(make_run(edit("blend.seed", 7), uid="u2"))
    assert raised.value.exit_code is ExitCode.WORKSPACE_IN_USE


def test_rows_are_encoded_once_for_all_shares(make_run: Callable[..., Run]) -> None:
    def run(name: str, weight: int) -> Run:
        def change(document: Any) -> None:
            document["storage"] |= {"path": name, "sharedPath": "shared"}
            document["blend"]["sources"][0]["weight"] = weight

        return make_run(change, name)

    def files() -> dict[str, int]:
        return {file.name: file.stat().st_mtime_ns for file in run("a", 50).shared.tokens.iterdir()}

    first = prepare(run("a", 50))
    encoded = files()
    assert len(encoded) == 2, "a file for each source"
    second = prepare(run("b", 80))
    assert second.digest != first.digest
    assert files() == encoded


def test_a_model_on_a_claim_is_read_where_it_lies(make_run: Callable[..., Run], base_model: Path) -> None:
    run = make_run(edit("storage.sharedPath", "shared"))
    assert base_model_folder(run.config.spec.model, run.claims, run.shared) == base_model


@pytest.fixture
def environment(make_run: Callable[..., Run], tmp_path: Path) -> dict[str, str]:
    run = make_run()
    (tmp_path / "config.json").write_text(json.dumps(codec.encode(run.config)))
    return {
        Env.CONFIG: str(tmp_path / "config.json"),
        Env.CLAIMS: str(run.claims),
        Env.TERMINATION_LOG: str(tmp_path / "message"),
    }


def test_the_program_leaves_its_outcome_as_termination_message(
    environment: dict[str, str], tmp_path: Path
) -> None:
    process = subprocess.run(
        [sys.executable, "-m", "blendtune_trainer", "blend"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **environment},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    assert isinstance(decode_message((tmp_path / "message").read_text()), BlendResult)
    assert "ads: 40 rows, 4,430 tokens, 0 dropped for length, 4 held out" in process.stdout


def test_a_known_failure_is_left_as_termination_message_too(
    environment: dict[str, str], data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (data / "ads.jsonl").write_text("oops\n")
    assert run_program(lambda: prepare(load_run(environment)), environment) == ExitCode.BAD_DATA
    failure = decode_message((tmp_path / "message").read_text())
    assert isinstance(failure, Failure) and failure.reason is Reason.BAD_DATA
    assert failure.message.startswith("ads.jsonl:1: not valid JSON")
    assert failure.message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        pytest.param("{", ["config.json: "], id="not JSON"),
        pytest.param('{"uid": "u"}', ["namespace: is required", "spec: is required"], id="not a run"),
        pytest.param(
            '{"spec": {"model": {"uri": "hf://a/b", "chatTemplate": "alpaca"}}}',
            ["spec.model.chatTemplate: must be vicuna, llama-2, chatml or llama-3, not 'alpaca'"],
            id="unknown template",
        ),
    ],
)
def test_a_configuration_that_cannot_be_read(
    environment: dict[str, str], tmp_path: Path, content: str, parts: list[str]
) -> None:
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(StageError) as raised:
        load_run(environment)
    assert raised.value.exit_code is ExitCode.BAD_CONFIGURATION
    for part in parts:
        assert part in raised.value.message
