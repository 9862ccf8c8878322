"""Texts that are tokenized by their pieces have the tokens that they have as a whole."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.chat_tokenizers import byte_level_bpe, sentencepiece_bpe, unigram
from tests.package_tokenizers import tokenizer_folder
from tests.tiny_model import CHATML, build_tokenizer
from tokenizers import AddedToken, Regex, normalizers, pre_tokenizers
from transformers import AutoTokenizer

from blendtune_trainer.tokens import pieces
from blendtune_trainer.tokens.pieces import Pieces, cuts_at_spaces, text_tokenizer
from blendtune_trainer.tokens.tokenized import WholeTexts

PACKAGES = ("llama3", "qwen3", "deepseek_v3", "gptoss")
SOME = (
    *(
        "a",
        "The",
        "don't",
        "I'LL",
        "x1y22",
        "12345",
        "3.14",
        "naïve",
        "e\u0301",
        "\u0301",
        "日本語",
        "カナ",
        "🎉👍🏽",
    ),
    *(
        " ",
        "  ",
        "   ",
        "\n",
        "\r\n",
        "\n\n",
        "\t",
        "\u00a0",
        "\u3000",
        "\u2028",
        "\x1c",
        "\u200b",
        "\u00b4",
        "\ufeff",
    ),
    *(".", "...", "(", ")", "</", "'s", "_", "#", "```", "=>", "user", "assistant", ":", "|", "<|", "Ǆ"),
)


@cache
def tokenizer_of(name: str) -> Any:
    match name:
        case "bytes":
            return build_tokenizer(CHATML)
        case "byte-level":
            return byte_level_bpe()
    return AutoTokenizer.from_pretrained(tokenizer_folder(name))


@cache
def both(name: str) -> tuple[Pieces, WholeTexts]:
    tokenizer = tokenizer_of(name)
    fast = text_tokenizer(tokenizer)
    assert isinstance(fast, Pieces)
    return fast, WholeTexts(tokenizer)


def texts(name: str) -> st.SearchStrategy[list[str]]:
    """Texts in parts, among them tokens of the tokenizer that are added to its vocabulary."""
    added = [token.content for token in tokenizer_of(name).added_tokens_decoder.values()][:40]
    part = st.sampled_from(SOME) | st.sampled_from(added) | st.text(st.characters(codec="utf-8"), max_size=3)
    return st.lists(part, max_size=30)


@pytest.mark.parametrize("name", ["bytes", "byte-level", *PACKAGES])
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_pieces_give_the_tokens_of_the_whole(name: str, data: st.DataObject) -> None:
    fast, whole = both(name)
    several = ["".join(data.draw(texts(name))) for _ in range(2)]
    for ours, theirs in zip(fast.tokenize(several), whole.tokenize(several), strict=True):
        assert ours.ids == theirs.ids


@pytest.mark.parametrize("name", ["bytes", "byte-level", *PACKAGES])
@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_an_answer_has_the_tokens_that_it_has_in_the_whole(name: str, data: st.DataObject) -> None:
    fast, whole = both(name)
    asked, answer, rest = ("".join(data.draw(texts(name))) for _ in range(3))
    end = tokenizer_of(name).eos_token
    text = asked + answer + end + rest
    span = (len(asked), len(asked + answer + end))
    (ours,), (theirs,) = fast.tokenize([text]), whole.tokenize([text])
    assert ours.tokens_of(span) == theirs.tokens_of(span)


def test_what_is_kept_is_bounded_and_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "_KEPT_PIECES", 20)
    monkeypatch.setattr(pieces, "_KEPT_LENGTH", 4)
    fast, whole = Pieces(byte_level_bpe()), WholeTexts(byte_level_bpe())
    for number in range(30):
        text = f"Where is the summer of {number}, and who has seen it? Nobody{number}."
        assert [*fast.ids_of(text)] == whole.ids_of(text)
        assert len(fast._kept) <= 20 + 16
        assert max(map(len, fast._kept)) <= 4


def changed(change: str) -> Any:
    """A byte-level tokenizer that may make a token across a space."""
    tokenizer = byte_level_bpe()
    backend: Any = tokenizer.backend_tokenizer
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    match change:
        case "no expression":
            backend.pre_tokenizer = byte_level
        case "another expression":
            split = pre_tokenizers.Split(Regex(r"\w+ \w+|\s+"), behavior="isolated")
            backend.pre_tokenizer = pre_tokenizers.Sequence([split, byte_level])
        case "no pre-tokenizer":
            backend.pre_tokenizer = None
        case "a prefix for each piece":
            backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
        case "another normalizer":
            backend.normalizer = normalizers.Prepend("x")
        case "merges left out at random":
            backend.model.dropout = 0.1
        case "a token that takes the space after it":
            tokenizer.add_tokens([AddedToken("<takes>", rstrip=True, normalized=False)])
        case "a token with a space":
            tokenizer.add_tokens([AddedToken("New York", normalized=False)])
        case "a token that stands alone":
            tokenizer.add_tokens([AddedToken("alone", single_word=True, normalized=False)])
    return tokenizer


@pytest.mark.parametrize(
    "change",
    [
        *("no expression", "another expression", "no pre-tokenizer", "a prefix for each piece"),
        *("another normalizer", "merges left out at random", "a token that takes the space after it"),
        *("a token with a space", "a token that stands alone"),
    ],
)
def test_a_tokenizer_that_might_join_pieces_tokenizes_the_whole(change: str) -> None:
    assert not cuts_at_spaces(changed(change).backend_tokenizer)


@pytest.mark.parametrize("family", [unigram, sentencepiece_bpe])
def test_sentencepiece_tokenizes_the_whole(family: Any) -> None:
    assert isinstance(text_tokenizer(family()), WholeTexts)
