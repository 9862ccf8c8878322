"""Batched decoding with Hugging Face transformers; answers leave the batch once they have ended."""

from __future__ import annotations

from collections.abc import Sequence
from inspect import signature
from itertools import takewhile
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from transformers import DynamicCache, GenerationConfig
from transformers.cache_utils import DummyLayer, DynamicLayer, DynamicSlidingWindowLayer

from blendtune_eval.answering.decoding import Decoding
from blendtune_eval.answering.prompts import Prompt, longest

_DIVISIBLE = {DynamicLayer, DynamicSlidingWindowLayer, DummyLayer}  # a dummy: the layer shares another's
SEGMENT = 16  # tokens from one look at which answers have ended to the next


@torch.inference_mode()
def generate(model: Any, batch: Sequence[Prompt], decoding: Decoding) -> list[list[int]]:
    """The new tokens of each prompt, without padding; the stop token is kept where one came.

    transformers decodes to the end of the longest answer. It is asked for a segment at a time, so that the
    others are not carried along to there. What all prompts begin with is read once.
    """
    width = longest(batch)
    cache = _divisible_cache(model)
    shared = _shared_prefix(batch) if cache is not None and _allows_gaps(model, cache) else 0
    ids, mask = _padded(batch, width, shared, decoding.stop_token_ids[0])
    if cache is not None and shared:
        model(input_ids=ids[:1, :shared].to(model.device), past_key_values=cache, logits_to_keep=1)
        cache.batch_repeat_interleave(len(batch))
    segment = SEGMENT if cache is not None else decoding.max_new_tokens
    answers: dict[int, list[int]] = {}
    asked = torch.arange(len(batch))  # the prompt of each row of the batch
    torch.manual_seed(decoding.seed)
    for start in range(0, decoding.max_new_tokens, segment):
        tokens = min(segment, decoding.max_new_tokens - start)
        model.generation_config = _generation_config(decoding, tokens)  # the checkpoint's would fill gaps
        ids = model.generate(
            input_ids=ids.to(model.device),
            attention_mask=functional.pad(mask, (0, start), value=1).to(model.device),
            past_key_values=cache,
            generation_config=model.generation_config,
        ).cpu()
        ended = torch.isin(ids[:, width:], torch.tensor(decoding.stop_token_ids)).any(dim=1)
        answers |= dict(zip(asked.tolist(), ids[:, width:].tolist(), strict=True))
        if ended.all():
            break
        if ended.any() and cache is not None:
            going = torch.nonzero(~ended).squeeze(1)
            ids, mask, asked = ids[going], mask[going], asked[going]
            cache.batch_select_indices(going)  # on the CPU: the layers may lie on several devices
    return [_until_stop(answers[index], decoding.stop_token_ids) for index in range(len(batch))]


def _shared_prefix(batch: Sequence[Prompt]) -> int:
    """Tokens that all prompts begin with, at least one of each left over; 0 for a single prompt."""
    if len(batch) == 1:
        return 0
    columns = zip(*(prompt.token_ids[:-1] for prompt in batch), strict=False)
    return sum(1 for _ in takewhile(lambda column: len(set(column)) == 1, columns))


def _padded(batch: Sequence[Prompt], width: int, shared: int, pad: int) -> tuple[Tensor, Tensor]:
    """Token ids and attention mask, int64[prompts, width]: the padding stands after the shared tokens."""
    padding = [width - len(prompt.token_ids) for prompt in batch]
    rows = [
        [*prompt.token_ids[:shared], *[pad] * gap, *prompt.token_ids[shared:]]
        for gap, prompt in zip(padding, batch, strict=True)
    ]
    mask = [[1] * shared + [0] * gap + [1] * (width - shared - gap) for gap in padding]
    return torch.tensor(rows), torch.tensor(mask)


def _divisible_cache(model: Any) -> DynamicCache | None:
    """A cache that rows can be taken from; None for a model whose layers keep a state of another kind."""
    cache = DynamicCache(config=model.config)
    kinds = {type(layer) for layer in cache.layers}
    return cache if kinds <= _DIVISIBLE else None


def _allows_gaps(model: Any, cache: DynamicCache) -> bool:
    """Whether padding may stand inside a prompt: positions are given, and no window counts it as tokens."""
    given = "position_ids" in signature(model.forward).parameters
    return given and not any(isinstance(layer, DynamicSlidingWindowLayer) for layer in cache.layers)


def _generation_config(decoding: Decoding, max_new_tokens: int) -> GenerationConfig:
    sampling = (
        {"do_sample": True, "temperature": decoding.temperature, "top_k": 0, "top_p": 1.0}
        if decoding.temperature > 0
        else {"do_sample": False}
    )
    return GenerationConfig(
        max_new_tokens=max_new_tokens,
        eos_token_id=list(decoding.stop_token_ids),
        pad_token_id=decoding.stop_token_ids[0],
        **sampling,
    )


def _until_stop(token_ids: list[int], stops: Sequence[int]) -> list[int]:
    end = next((index + 1 for index, token in enumerate(token_ids) if token in stops), len(token_ids))
    return token_ids[:end]
