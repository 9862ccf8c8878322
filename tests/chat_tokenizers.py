"""Small tokenizers of the three families that chat models have, trained on the spot."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)
from transformers import PreTrainedTokenizerFast

ENDS = ("<s>", "</s>")
CHATML_TOKENS = ("<|im_start|>", "<|im_end|>")
LLAMA_3_TOKENS = ("<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>")
EVERY_TOKEN = (*ENDS, *CHATML_TOKENS, *LLAMA_3_TOKENS)

_BYTES = tuple(f"<0x{byte:02X}>" for byte in range(256))
_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_CORPUS = (
    "A chat between a curious user and an artificial intelligence assistant.",
    "The assistant gives helpful, detailed, and polite answers to the user's questions.",
    "USER: Where is the summer? ASSISTANT: It is here, and it was there. USER: And then? ASSISTANT: No more.",
    "[INST] <<SYS>>\nBe kind.\n<</SYS>>\n\nWhere is it? [/INST] The answer is 42 . [INST] And? [/INST]",
    "system user assistant\nThere are two lines: 'the last one', they said...  ok?\n\nAnd Zoe?\n\n",
) * 4


def byte_level_bpe(special_tokens: Sequence[str] = EVERY_TOKEN) -> PreTrainedTokenizerFast:
    """As Qwen and Llama-3, with their expression: it splits words, each with its space, from the rest."""
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_WORDS), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    backend.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    backend.train_from_iterator(
        _CORPUS, trainers.BpeTrainer(vocab_size=600, initial_alphabet=alphabet, show_progress=False)
    )
    return _with_special_tokens(backend, special_tokens)


def unigram(special_tokens: Sequence[str] = EVERY_TOKEN) -> PreTrainedTokenizerFast:
    """As T5: sentencepiece's unigram model, where a space is the first character of its word."""
    spaces = pre_tokenizers.Metaspace(prepend_scheme="never")
    learner = Tokenizer(models.Unigram())
    learner.pre_tokenizer = spaces
    learner.train_from_iterator(
        _CORPUS, trainers.UnigramTrainer(vocab_size=200, unk_token="<unk>", show_progress=False)
    )
    learnt = [(piece, score) for piece, score in _state(learner)["vocab"] if piece != "<unk>"]
    vocabulary = [("<unk>", 0.0), *((byte, -1000.0) for byte in _BYTES), *learnt]
    backend = Tokenizer(models.Unigram(vocabulary, unk_id=0, byte_fallback=True))
    backend.pre_tokenizer = spaces
    backend.decoder = _sentencepiece_decoder()
    return _with_special_tokens(backend, special_tokens)


def sentencepiece_bpe(
    special_tokens: Sequence[str] = EVERY_TOKEN, merged: Sequence[tuple[str, str]] = ()
) -> PreTrainedTokenizerFast:
    """As Llama-2 and Vicuna: nothing splits the text before the merges, and bytes stand in for the unknown.

    `merged` are more pairs of pieces that become one token, before all others.
    """
    learner = Tokenizer(models.BPE())
    learner.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="never")
    learner.train_from_iterator(_CORPUS, trainers.BpeTrainer(vocab_size=400, show_progress=False))
    state = _state(learner)
    merges = [*merged, *((left, right) for left, right in state["merges"])]
    pieces = dict.fromkeys(["<unk>", *_BYTES, *state["vocab"], *(left + right for left, right in merges)])
    vocabulary = {piece: index for index, piece in enumerate(pieces)}
    backend = Tokenizer(
        models.BPE(vocab=vocabulary, merges=merges, unk_token="<unk>", byte_fallback=True, fuse_unk=True)
    )
    backend.normalizer = normalizers.Replace(" ", "▁")
    backend.decoder = _sentencepiece_decoder()
    return _with_special_tokens(backend, special_tokens)


def _state(tokenizer: Tokenizer) -> dict[str, Any]:
    state: dict[str, Any] = json.loads(tokenizer.to_str())["model"]
    return state


def _sentencepiece_decoder() -> decoders.Decoder:
    return decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])


def _with_special_tokens(backend: Tokenizer, special_tokens: Sequence[str]) -> PreTrainedTokenizerFast:
    """With <s> among them, a text begins with it unless it is tokenised without special tokens."""
    backend.add_special_tokens(
        [AddedToken(token, special=True, normalized=False) for token in special_tokens]
    )
    begin, end = (token if token in special_tokens else None for token in ENDS)
    if begin:
        backend.post_processor = processors.TemplateProcessing(
            single=f"{begin} $A", special_tokens=[(begin, backend.token_to_id(begin))]
        )
    return PreTrainedTokenizerFast(tokenizer_object=backend, bos_token=begin, eos_token=end)
