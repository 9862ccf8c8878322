"""The end tokens of the exported model."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.chat_tokenizers import byte_level_bpe
from tests.tiny_model import write_tiny_model
from transformers import AutoModelForCausalLM

from blendtune_api.v1alpha1 import ChatTemplate
from blendtune_runtime.chat.tokenizer import load_tokenizer
from blendtune_trainer.model.settings_files import generation_document


@pytest.mark.parametrize(
    ("template", "ends"),
    [
        pytest.param(ChatTemplate.VICUNA, ["</s>"], id="vicuna"),
        pytest.param(ChatTemplate.LLAMA_2, ["</s>"], id="llama-2"),
        pytest.param(ChatTemplate.CHATML, ["</s>", "<|im_end|>"], id="chatml"),
        pytest.param(ChatTemplate.LLAMA_3, ["</s>", "<|eot_id|>"], id="llama-3"),
    ],
)
def test_answers_end_with_the_text_and_with_the_turn(
    tmp_path: Path, template: ChatTemplate, ends: list[str]
) -> None:
    write_tiny_model(tmp_path, byte_level_bpe())
    tokenizer = load_tokenizer(tmp_path, template)
    model = AutoModelForCausalLM.from_pretrained(tmp_path)
    written = generation_document({"temperature": 0.6, "_from_model_config": True}, model, tokenizer)
    declared = written["eos_token_id"]
    ids = declared if isinstance(declared, list) else [declared]
    assert tokenizer.convert_ids_to_tokens(ids) == ends
    assert written["temperature"] == 0.6
    assert "_from_model_config" not in written
