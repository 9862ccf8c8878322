"""Tokenizers that come as `tokenizer.model` alone, as Vicuna's: trainer and evaluation read them alike."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
import sentencepiece

from blendtune_api.v1alpha1 import ChatTemplate
from blendtune_eval.answering.prompts import ChatPrompts
from blendtune_runtime.chat.tokenizer import load_tokenizer

CORPUS = (
    "A chat between a curious user and an artificial intelligence assistant.",
    "The assistant gives helpful, detailed, and polite answers to the user's questions.",
    "USER: Where is the summer? ASSISTANT: It is here, and it was there. USER: And then? ASSISTANT: No more.",
)
TEXTS = ("USER: Where is it?", "No more summer, 42 answers", "Zoë détaillée 你好", "It  is\n\nhere")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As that of a Llama: sentencepiece's BPE with bytes for what it does not know."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(CORPUS * 4),
        model_writer=model,
        model_type="bpe",
        vocab_size=400,
        byte_fallback=True,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        split_digits=True,
        minloglevel=2,
    )
    folder = tmp_path_factory.mktemp("vicuna")
    (folder / "tokenizer.model").write_bytes(model.getvalue())
    (folder / "config.json").write_text(json.dumps({"model_type": "llama"}))
    settings = {
        "tokenizer_class": "LlamaTokenizer",
        "bos_token": "<s>",
        "eos_token": "</s>",
        "unk_token": "<unk>",
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings | {"legacy": False}))
    return folder


@pytest.mark.parametrize("text", TEXTS)
def test_it_is_read_as_sentencepiece_reads_it(folder: Path, text: str) -> None:
    expected = sentencepiece.SentencePieceProcessor(model_file=str(folder / "tokenizer.model")).encode(text)
    trained = load_tokenizer(folder, ChatTemplate.VICUNA)
    asked = ChatPrompts(folder, "spec.model", ChatTemplate.VICUNA).tokenizer
    for tokenizer in (trained, asked):
        token_ids = tokenizer(text, add_special_tokens=False).input_ids
        assert token_ids == expected
        assert tokenizer.decode(token_ids) == text
