"""Decoding in batches that shrink as answers end."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from tests.tiny_model import TINY
from transformers import (
    AutoModelForCausalLM,
    GenerationConfig,
    Lfm2Config,
    LlamaConfig,
    MistralConfig,
    PreTrainedConfig,
)

from blendtune_eval.answering import generate as generation
from blendtune_eval.answering.decoding import Decoding
from blendtune_eval.answering.generate import generate
from blendtune_eval.answering.prompts import Prompt

VOCABULARY, LIMIT = 24, 40
STOPS = (2, 3)
SHAPE: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    **TINY,
    "max_position_embeddings": 128,
    "eos_token_id": 2,
    "pad_token_id": 0,
    "initializer_range": 0.3,  # or a random model repeats one token for ever
}
PROMPTS = [
    Prompt(tuple(1 + (3 * row + index) % (VOCABULARY - 1) for index in range(1 + 3 * row)))
    for row in range(12)
]
CONFIGS = {
    "attention": LlamaConfig(**SHAPE),
    "sliding window": MistralConfig(**SHAPE, sliding_window=8),
    "convolutions": Lfm2Config(**SHAPE, layer_types=["conv", "full_attention"]),
}


def model_of(config: PreTrainedConfig) -> Any:
    torch.manual_seed(5)
    return AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()


def decoding(limit: int = LIMIT, temperature: float = 0) -> Decoding:
    return Decoding(
        rendering="", stop_token_ids=STOPS, max_new_tokens=limit, temperature=temperature, precision="float32"
    )


def alone(model: Any, prompt: Prompt, limit: int) -> list[int]:
    """What transformers answers to a single prompt in one call."""
    ids = torch.tensor([prompt.token_ids])
    config = GenerationConfig(
        max_new_tokens=limit, do_sample=False, eos_token_id=list(STOPS), pad_token_id=STOPS[0]
    )
    output = model.generate(ids, attention_mask=torch.ones_like(ids), generation_config=config)
    answer: list[int] = output[0, ids.shape[1] :].tolist()
    return answer


@pytest.mark.parametrize("limit", [1, generation.SEGMENT, generation.SEGMENT + 1, LIMIT])
@pytest.mark.parametrize("kind", CONFIGS)
def test_a_batch_answers_as_each_prompt_alone(kind: str, limit: int) -> None:
    model = model_of(CONFIGS[kind])
    expected = [alone(model, prompt, limit) for prompt in PROMPTS]
    assert limit < LIMIT or len({len(answer) // generation.SEGMENT for answer in expected}) == 3
    assert generate(model, PROMPTS, decoding(limit)) == expected


@pytest.mark.parametrize("kind", CONFIGS)
def test_prompts_that_begin_alike_answer_as_each_alone(kind: str) -> None:
    model = model_of(CONFIGS[kind])
    beginning = tuple(range(1, 12))
    batch = [Prompt((*beginning, *prompt.token_ids)) for prompt in PROMPTS]
    expected = [alone(model, prompt, LIMIT) for prompt in batch]
    assert generate(model, batch, decoding()) == expected


def test_what_prompts_begin_with_is_read_once() -> None:
    model = model_of(CONFIGS["attention"])
    shapes: list[tuple[int, ...]] = []
    model.register_forward_pre_hook(
        lambda _module, _arguments, inputs: shapes.append(tuple(inputs["input_ids"].shape)), with_kwargs=True
    )
    generate(model, [Prompt((1, 2, 3, 4, 5)), Prompt((1, 2, 3, 9)), Prompt((1, 2, 3, 4))], decoding(limit=1))
    assert shapes == [(1, 3), (3, 2)]


def test_ended_answers_are_not_computed_further() -> None:
    model = model_of(CONFIGS["attention"])
    rows: list[int] = []
    model.register_forward_pre_hook(
        lambda _module, _arguments, inputs: rows.append(len(inputs["input_ids"])), with_kwargs=True
    )
    lengths = [len(answer) for answer in generate(model, PROMPTS, decoding())]
    going = [
        sum(length > start for length in lengths) for start in range(0, max(lengths), generation.SEGMENT)
    ]
    assert rows[:: generation.SEGMENT] == going
    assert going[-1] < going[0]


def test_samples_come_from_the_seed() -> None:
    model = model_of(CONFIGS["attention"])
    first, second = (generate(model, PROMPTS, decoding(temperature=2.0)) for _ in range(2))
    assert first == second
    assert first != generate(model, PROMPTS, decoding())
