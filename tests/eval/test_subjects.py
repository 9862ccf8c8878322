"""Which chat template each model is asked with, and where its answers end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.chat_tokenizers import CHATML_TOKENS, ENDS, byte_level_bpe, unigram
from tests.eval.conftest import save_model
from transformers import PreTrainedTokenizerFast

from blendtune_api.contract import EvalConfig, ExitCode
from blendtune_api.v1alpha1 import (
    ChatTemplate,
    EvaluatedModel,
    RubricEvalBaseline,
    RubricEvalCluster,
    RubricEvalSpec,
    Storage,
)
from blendtune_eval.answering.checkpoints import Places
from blendtune_eval.answering.prompts import ChatPrompts
from blendtune_eval.answering.subjects import Subject, open_baseline, open_model
from blendtune_eval.rubric import Rubric
from blendtune_runtime.chat.templates import template_text, use_chat_template
from blendtune_runtime.errors import StageError

VICUNA, LLAMA_2, CHATML, LLAMA_3 = ChatTemplate
Ask = Callable[..., list[Subject]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`tuned` was exported with Vicuna's template; `bare` and `other` have none, `own` has ChatML."""
    folder = tmp_path_factory.mktemp("models")
    tokenizer = byte_level_bpe()
    save_model(folder / "bare", tokenizer, seed=1)
    use_chat_template(tokenizer, VICUNA)
    save_model(folder / "tuned", tokenizer, seed=2)
    use_chat_template(tokenizer, CHATML)
    save_model(folder / "own", tokenizer, seed=3)
    save_model(folder / "other", unigram((*ENDS, *CHATML_TOKENS)), seed=4)
    return folder


@pytest.fixture
def ask(folder: Path, rubric: Rubric) -> Ask:
    def opened(model: EvaluatedModel, baseline: EvaluatedModel | None = None) -> list[Subject]:
        spec = RubricEvalSpec(
            model=replace(model, uri=f"file://{folder / model.uri}"),
            baseline=RubricEvalBaseline(
                model=baseline and replace(baseline, uri=f"file://{folder / baseline.uri}")
            ),
            storage=Storage(persistent_volume_claim="work"),
            cluster=RubricEvalCluster(gpus=0),
        )
        config = EvalConfig(uid="u", namespace="ns", name="ev", spec=spec)
        places = Places(claims=folder, downloads=folder, uid="u")
        tuned = open_model(config, places, rubric, trained=True)
        base = open_baseline(config, places, rubric, tuned.chat, trained=True)
        return [tuned] if base is None else [tuned, base]

    return opened


@pytest.mark.parametrize(
    "baseline",
    [
        pytest.param(EvaluatedModel(uri="bare", chat_template=VICUNA), id="the run's template"),
        pytest.param(EvaluatedModel(uri="bare"), id="none"),
        pytest.param(EvaluatedModel(uri="own"), id="its own"),
        pytest.param(EvaluatedModel(uri="own", chat_template=VICUNA), id="its own and the run's"),
    ],
)
def test_both_models_of_a_run_see_the_same(ask: Ask, baseline: EvaluatedModel) -> None:
    tuned, base = ask(EvaluatedModel(uri="tuned"), baseline)
    assert tuned.prompts == base.prompts
    assert tuned.decoding == base.decoding
    assert tuned.chat.template == template_text(VICUNA)
    assert tuned.chat.text(list(tuned.prompts[0].token_ids)).endswith("at sea level? ASSISTANT:")


def test_a_template_named_for_the_baseline_is_the_baselines_alone(ask: Ask) -> None:
    tuned, base = ask(EvaluatedModel(uri="tuned"), EvaluatedModel(uri="own", chat_template=LLAMA_2))
    assert tuned.chat.template == template_text(VICUNA)
    assert base.chat.template == template_text(LLAMA_2)


def test_another_vocabulary_is_asked_in_the_models_format_where_it_has_none(ask: Ask) -> None:
    tuned, base = ask(EvaluatedModel(uri="tuned"), EvaluatedModel(uri="other"))
    assert tuned.prompts != base.prompts
    assert tuned.decoding.rendering == base.decoding.rendering


@pytest.mark.parametrize(
    ("template", "ends"),
    [
        pytest.param(VICUNA, ["</s>"], id="vicuna"),
        pytest.param(LLAMA_2, ["</s>"], id="llama-2"),
        pytest.param(CHATML, ["</s>", "<|im_end|>"], id="chatml"),
        pytest.param(LLAMA_3, ["</s>", "<|eot_id|>"], id="llama-3"),
    ],
)
def test_a_named_template_decides_prompt_and_ends(
    ask: Ask, folder: Path, template: ChatTemplate, ends: list[str]
) -> None:
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder / "bare")
    tokenizer.chat_template = template_text(template)
    (model,) = ask(EvaluatedModel(uri="own", chat_template=template))
    question = [{"role": "user", "content": "At what temperature does water boil at sea level?"}]
    prompt = tokenizer.apply_chat_template(question, add_generation_prompt=True).input_ids
    assert list(model.prompts[0].token_ids) == prompt
    assert tokenizer.convert_ids_to_tokens(list(model.decoding.stop_token_ids)) == ends


@pytest.mark.parametrize(
    ("model", "baseline", "words"),
    [
        pytest.param(
            EvaluatedModel(uri="other", chat_template=LLAMA_3),
            None,
            "spec.model.chatTemplate: llama-3 is built of <|begin_of_text|>",
            id="model",
        ),
        pytest.param(
            EvaluatedModel(uri="tuned"),
            EvaluatedModel(uri="other", chat_template=LLAMA_3),
            "spec.baseline.model.chatTemplate: llama-3 is built of <|begin_of_text|>",
            id="baseline",
        ),
    ],
)
def test_a_template_of_other_tokens_is_refused(
    ask: Ask, model: EvaluatedModel, baseline: EvaluatedModel | None, words: str
) -> None:
    with pytest.raises(StageError) as raised:
        ask(model, baseline)
    assert raised.value.exit_code is ExitCode.BAD_CONFIGURATION
    assert words in str(raised.value)


def test_stop_tokens_come_from_tokenizer_and_template(
    models_folder: Path, tokenizer: PreTrainedTokenizerFast
) -> None:
    chat = ChatPrompts(models_folder / "tuned", "spec.model")
    assert set(chat.stop_token_ids()) == set(tokenizer.convert_tokens_to_ids(["<eos>", "<|end|>"]))


def test_no_chat_template(tmp_path: Path, models_folder: Path) -> None:
    for file in (models_folder / "tuned").iterdir():
        if file.name != "chat_template.jinja":
            (tmp_path / file.name).write_bytes(file.read_bytes())
    with pytest.raises(StageError, match="no chat template") as caught:
        ChatPrompts(tmp_path, "spec.model")
    assert caught.value.exit_code is ExitCode.BAD_MODEL
