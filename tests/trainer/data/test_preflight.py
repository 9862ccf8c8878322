"""What would fail while GPUs are held, or after the last step, is refused by the blend Job with advice."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tests.tiny_model import CHATML, TINY, build_tokenizer, write_tiny_model
from tests.trainer.data.blends import refusal_of
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast

from blendtune_api.v1alpha1 import Attention, Export, Method, Model, Training
from blendtune_runtime.chat.tokenizer import load_tokenizer
from blendtune_runtime.errors import BadConfiguration, BadModel
from blendtune_trainer.model.load import require_attention
from blendtune_trainer.preflight import trial
from blendtune_trainer.preflight.positions import require_positions
from blendtune_trainer.preflight.small_copy import small_copy
from blendtune_trainer.preflight.vocabulary import require_own_tokenizer
from blendtune_trainer.prepare import prepare
from blendtune_trainer.stage import Run

Folder = Path
WEIGHTS = "model.safetensors"


def change(folder: Folder, **values: Any) -> None:
    """Changes config.json."""
    file = folder / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | values))


def change_weights(folder: Folder, edit: Callable[[dict[str, torch.Tensor]], None]) -> None:
    weights = load_file(folder / WEIGHTS)
    edit(weights)
    save_file(weights, folder / WEIGHTS, metadata={"format": "pt"})


def a_smaller_embedding(folder: Folder) -> None:
    model = AutoModelForCausalLM.from_pretrained(folder)
    model.resize_token_embeddings(200)
    model.save_pretrained(folder)


def tokens_added(folder: Folder) -> None:
    tokenizer = build_tokenizer(CHATML)
    tokenizer.add_tokens(["<|think|>", "<|tool|>"], special_tokens=True)
    tokenizer.save_pretrained(folder)


def another_tokenizer(folder: Folder) -> None:
    """The embedding is that of a model with many more tokens, whose ends are others."""
    model = AutoModelForCausalLM.from_pretrained(folder)
    model.resize_token_embeddings(300)
    model.config.bos_token_id, model.config.eos_token_id = 280, 281
    model.generation_config.bos_token_id, model.generation_config.eos_token_id = 280, [281]
    model.save_pretrained(folder)


def a_head_of_its_own(folder: Folder) -> None:
    def add(weights: dict[str, torch.Tensor]) -> None:
        weights["lm_head.weight"] = weights["model.embed_tokens.weight"] + 1

    change_weights(folder, add)


def no_head(folder: Folder) -> None:
    change(folder, tie_word_embeddings=False)


def a_missing_weight(folder: Folder) -> None:
    def remove(weights: dict[str, torch.Tensor]) -> None:
        del weights["model.layers.1.mlp.up_proj.weight"]

    change_weights(folder, remove)


def weights_of_another_size(folder: Folder) -> None:
    change(folder, intermediate_size=48)


def a_layer_too_many(folder: Folder) -> None:
    change(folder, num_hidden_layers=1, layer_types=["full_attention"])


def biases_that_are_denied(folder: Folder) -> None:
    def add(weights: dict[str, torch.Tensor]) -> None:
        weights["model.layers.0.self_attn.q_proj.bias"] = torch.ones(32)

    change_weights(folder, add)


def settings_cut_short(folder: Folder) -> None:
    (folder / "generation_config.json").write_text('{"do_sample": true,')


def settings_behind_a_byte_order_mark(folder: Folder) -> None:
    (folder / "generation_config.json").write_text("{}", encoding="utf-8-sig")


def quantised(folder: Folder) -> None:
    change(folder, quantization_config={"quant_method": "mxfp4"})


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        pytest.param(
            a_smaller_embedding,
            ["spec.model.uri: 59 tokens", "whose 200 rows end at id 199", "(200)", "embeddings(259)"],
            id="ids beyond the embedding",
        ),
        pytest.param(
            tokens_added,
            ["2 tokens", "'<|think|>' (259), '<|tool|>' (260)", "remove the added tokens"],
            id="added tokens",
        ),
        pytest.param(
            another_tokenizer,
            ["another model's: it has 259 tokens, the embedding 300 rows", "280, 281", "no token, no token"],
            id="another tokenizer",
        ),
        pytest.param(
            a_head_of_its_own,
            ["tie_word_embeddings: true, but lm_head.weight and model.embed_tokens.weight differ"],
            id="tied, but two weights",
        ),
        pytest.param(
            no_head, ["tie_word_embeddings: false, but the weights have no lm_head.weight"], id="no head"
        ),
        pytest.param(
            a_missing_weight, ["model.layers.1.mlp.up_proj.weight are missing"], id="missing weight"
        ),
        pytest.param(
            weights_of_another_size,
            ["mlp.down_proj.weight is 32 x 64 in the weights and 32 x 48 by config.json"],
            id="another size",
        ),
        pytest.param(
            a_layer_too_many, ["model.layers.1.", "leaves out", "number of layers"], id="more layers"
        ),
        pytest.param(
            biases_that_are_denied, ["have model.layers.0.self_attn.q_proj.bias, which"], id="more biases"
        ),
        pytest.param(
            settings_cut_short, ["generation_config.json is not JSON in UTF-8"], id="settings cut short"
        ),
        pytest.param(
            settings_behind_a_byte_order_mark,
            ["generation_config.json is not JSON in UTF-8"],
            id="settings, BOM",
        ),
        *(
            pytest.param(
                lambda folder, more=more: change(folder, **more), ["no causal language model", *words], id=id
            )
            for more, words, id in (
                ({"num_attention_heads": 3}, ["heads"], "heads that divide nothing"),
                ({"max_position_embeddings": None}, ["max_position_embeddings"], "no positions"),
                ({"dtype": "float8"}, ["float8"], "an unknown type of numbers"),
                (
                    {"rope_parameters": {"rope_type": "foo", "rope_theta": 1e4}},
                    ["transformers does not know 'foo'"],
                    "unknown positions",
                ),
            )
        ),
        pytest.param(quantised, ["are quantised (mxfp4)", "dequantize"], id="quantised"),
    ],
)
def test_a_model_that_cannot_be_trained_is_refused(
    make_run: Callable[..., Run],
    tmp_path: Path,
    base_model: Folder,
    spoil: Callable[[Folder], None],
    words: list[str],
) -> None:
    folder = shutil.copytree(base_model, tmp_path / "spoilt")
    spoil(folder)
    message = refusal_of(with_model(make_run(), folder), BadModel).message
    for part in words:
        assert part in message


def with_model(run: Run, folder: Folder) -> Run:
    spec = replace(run.config.spec, model=Model(uri=f"file://{folder}"))
    return replace(run, config=replace(run.config, spec=spec))


def test_weights_of_a_part_that_the_model_lacks_are_told(
    make_run: Callable[..., Run], tmp_path: Path, base_model: Folder, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = shutil.copytree(base_model, tmp_path / "valued")
    change_weights(folder, lambda weights: weights.update({"v_head.summary.weight": torch.ones(1, 32)}))
    prepare(with_model(make_run(), folder))
    assert "weights of the base model that are not used: v_head\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    "more",
    [
        pytest.param({}, id="as many rows as tokens"),
        pytest.param({"vocab_size": 320}, id="a padded embedding"),
    ],
)
def test_a_tokenizer_of_the_models_own_is_no_fault(
    tmp_path: Path, tokenizer: PreTrainedTokenizerFast, more: dict[str, int]
) -> None:
    write_tiny_model(tmp_path, tokenizer)
    config = AutoConfig.from_pretrained(tmp_path)
    for name, value in more.items():
        setattr(config, name, value)
    require_own_tokenizer(load_tokenizer(tmp_path, None), AutoModelForCausalLM.from_config(config))


def test_a_token_that_stands_for_an_image_needs_no_row(tmp_path: Path) -> None:
    tokenizer = build_tokenizer(CHATML)
    rows = len(tokenizer)
    tokenizer.add_tokens(["<image>"], special_tokens=True)
    tokenizer.save_pretrained(tmp_path)
    file = tmp_path / "tokenizer_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"image_token": "<image>"}))
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model("llama", **TINY, vocab_size=rows))
    require_own_tokenizer(load_tokenizer(tmp_path, None), model)


@pytest.mark.parametrize("method", [Method.FULL, Method.LORA])
def test_the_export_target_is_written_to_and_left_as_it_was(
    make_run: Callable[..., Run], tmp_path: Path, method: Method
) -> None:
    run = make_run()
    spec = replace(
        run.config.spec,
        export=Export(uri=f"file://{tmp_path}/home"),
        training=replace(run.config.spec.training, method=method),
    )
    prepare(replace(run, config=replace(run.config, spec=spec)))
    assert list((tmp_path / "home").iterdir()) == []


def test_an_export_target_that_cannot_be_written_is_refused(
    make_run: Callable[..., Run], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    run = make_run()
    spec = replace(run.config.spec, export=Export(uri=f"file://{tmp_path}/file/model"))
    error = refusal_of(replace(run, config=replace(run.config, spec=spec)), BadConfiguration)
    assert error.message.startswith(f"spec.export.uri: {tmp_path}/file/model")


def test_a_fault_of_the_export_is_found_before_the_training(
    make_run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise IsADirectoryError("additional_chat_templates")

    monkeypatch.setattr(trial, "write_model", fail)
    message = refusal_of(make_run(), BadModel).message
    assert "could not be exported: IsADirectoryError: additional_chat_templates. Load the model" in message


def test_an_architecture_that_does_not_get_small_is_not_tried(
    make_run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("blendtune_trainer.preflight.small_copy._MOST_PARAMETERS", 10)
    prepare(make_run())
    assert "the export was not tried beforehand" in capsys.readouterr().out


@pytest.mark.parametrize(
    "model_type",
    ["llama", "qwen2", "qwen3", "gemma2", "gemma3_text", "phi", "phi3", "mistral", "mixtral", "qwen3_moe",
     "deepseek_v3", "gpt_oss", "gpt2", "gpt_neox", "opt", "biogpt", "falcon", "olmo2", "cohere", "granite"],
)  # fmt: skip
def test_models_of_their_usual_size_get_small(
    model_type: str, tmp_path: Path, tokenizer: PreTrainedTokenizerFast
) -> None:
    config = AutoConfig.for_model(model_type)
    config.save_pretrained(tmp_path / "base")
    tokenizer.save_pretrained(tmp_path / "base")
    small_copy(tmp_path / "base", tmp_path / "small")
    small = AutoConfig.from_pretrained(tmp_path / "small")
    assert set(getattr(small, "layer_types", None) or ()) == set(getattr(config, "layer_types", None) or ())
    assert (tmp_path / "small" / WEIGHTS).stat().st_size < 60_000_000


@pytest.mark.parametrize("model_type", ["opt", "biogpt", "falcon", "gpt_oss", "xglm"])
def test_flash_attention_that_cannot_keep_examples_apart_is_refused(model_type: str) -> None:
    training = Training(learning_rate=1e-3, attention=Attention.FLASH_ATTENTION_2)
    with pytest.raises(BadConfiguration, match=f"see one another in a {model_type}; set auto or sdpa"):
        require_attention(training, AutoConfig.for_model(model_type))


@pytest.mark.parametrize(
    ("model_type", "refused"),
    [
        pytest.param("gpt2", True, id="learned"),
        pytest.param("opt", True, id="learned, with two more rows"),
        pytest.param("biogpt", True, id="learned, offset"),
        pytest.param("llama", False, id="rotary"),
        pytest.param("falcon", False, id="rotary, or by distance"),
    ],
)
def test_examples_longer_than_the_positions_that_a_model_has_learned_are_refused(
    model_type: str, refused: bool
) -> None:
    names = {"hidden_size": 16, "num_attention_heads": 2, "vocab_size": 100, "num_hidden_layers": 1}
    config = AutoConfig.for_model(model_type, **names, max_position_embeddings=64)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    require_positions(64, model)
    if refused:
        with pytest.raises(BadConfiguration, match=r"sequenceLength: 65 is more than the 64 positions"):
            require_positions(65, model)
    else:
        require_positions(65, model)
