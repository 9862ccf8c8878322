"""Batched sampling: the same from the same generator, and each text ends where it ends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from tests.tiny_model import write_tiny_model
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

from blendtune_trainer.rehearsing.sampling import Sampling, continue_prompts

PROMPTS = [[1, 40, 41, 42], [1, 50], [1, 60, 61, 62, 63, 64, 65], [1, 50]]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, tokenizer: PreTrainedTokenizerFast) -> Any:
    folder: Path = tmp_path_factory.mktemp("model")
    write_tiny_model(folder, tokenizer)
    return AutoModelForCausalLM.from_pretrained(folder).eval()


def sampling(**changes: Any) -> Sampling:
    values = {
        "temperature": 1.0,
        "max_new_tokens": 30,
        "context": 512,
        "stop_token_ids": frozenset({2}),
        **changes,
    }
    return Sampling(**values)


def generator(seed: int = 5) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_the_same_generator_gives_the_same_texts(model: Any) -> None:
    first = continue_prompts(model, PROMPTS, sampling(), generator())
    torch.rand(3)  # the global generator is not used
    assert continue_prompts(model, PROMPTS, sampling(), generator()) == first
    assert continue_prompts(model, PROMPTS, sampling(), generator(6)) != first
    assert first[1] != first[3]  # equal prompts are continued on their own


def test_greedy_texts_are_those_of_transformers(model: Any) -> None:
    """Padding, and texts that leave the batch, change nothing."""
    found = continue_prompts(model, PROMPTS, sampling(temperature=0), generator())
    for prompt, continuation in zip(PROMPTS, found, strict=True):
        ids = torch.tensor([prompt])
        expected = model.generate(
            input_ids=ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=30,
            eos_token_id=2, pad_token_id=2,
        )[0, len(prompt) :].tolist()  # fmt: skip
        stop = expected.index(2) if 2 in expected else len(expected)
        assert list(continuation.token_ids) == expected[:stop]
        assert continuation.finished == (2 in expected)


@pytest.mark.parametrize("stops", [range(0, 260, 2), range(0, 260, 20)], ids=["often", "seldom"])
def test_a_text_ends_before_its_stop_token(model: Any, stops: range) -> None:
    """Most texts leave the batch early; those that are left are as finished as they say."""
    found = continue_prompts(model, PROMPTS * 8, sampling(stop_token_ids=frozenset(stops)), generator())
    for continuation in found:
        assert not set(continuation.token_ids) & set(stops)
        assert continuation.finished or len(continuation.token_ids) == 30
    assert any(continuation.finished for continuation in found)


def test_a_text_may_end_by_its_words(model: Any) -> None:
    found = continue_prompts(
        model, PROMPTS, sampling(stop_token_ids=frozenset(), ends=lambda ids: len(ids) >= 5), generator()
    )
    assert {len(continuation.token_ids) for continuation in found} == {8}  # it is looked at every 8 tokens
    assert all(continuation.finished for continuation in found)


def test_no_row_is_longer_than_the_context(model: Any) -> None:
    """A model of absolute positions has no more of them; rows that are cut do not disturb the others."""
    free = continue_prompts(model, PROMPTS, sampling(temperature=0, stop_token_ids=frozenset()), generator())
    cut = continue_prompts(
        model, PROMPTS, sampling(temperature=0, stop_token_ids=frozenset(), context=20), generator()
    )
    for prompt, long, short in zip(PROMPTS, free, cut, strict=True):
        assert short.token_ids == long.token_ids[: 20 - len(prompt)]
        assert not short.finished
