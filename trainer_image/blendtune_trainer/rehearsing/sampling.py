"""Continues a batch of prompts, token by token, with random numbers that the caller owns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from inspect import signature
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer

_SEGMENT = 8  # tokens from one look at which texts have ended to the next
_DIVISIBLE = {DynamicLayer, DynamicSlidingWindowLayer}


@dataclass(frozen=True, kw_only=True, slots=True)
class Sampling:
    """How tokens are chosen, from the whole vocabulary, and what ends a text."""

    temperature: float  # 0 is greedy
    max_new_tokens: int
    context: int  # tokens of a prompt and its continuation together, at most
    stop_token_ids: frozenset[int]
    ends: Callable[[Sequence[int]], bool] | None = None  # whether tokens hold a text that ends them


@dataclass(frozen=True, kw_only=True, slots=True)
class Continuation:
    """The new tokens of a prompt, without the token that ended them."""

    token_ids: tuple[int, ...]
    finished: bool  # they ended by themselves, not by the limit


@torch.inference_mode()
def continue_prompts(
    model: Any, prompts: Sequence[Sequence[int]], sampling: Sampling, generator: torch.Generator
) -> list[Continuation]:
    """A continuation of each prompt. The same model, prompts and state of `generator` give the same ones.

    Prompts are padded on the left, and those that have ended leave the batch. `generator` lies on the model's
    device.
    """
    device = generator.device
    ids, mask = _padded(prompts, device)
    cache = DynamicCache(config=model.config)
    takes = signature(model.forward).parameters
    last_logits = {"logits_to_keep": 1} if "logits_to_keep" in takes else {}
    going = list(range(len(prompts)))
    written: list[list[int]] = [[] for _ in prompts]
    finished, cut = [False] * len(prompts), [False] * len(prompts)
    position = mask.sum(dim=1, keepdim=True) - 1  # of the last token of each row
    positions = (mask.cumsum(dim=1) - 1).clamp(min=0)
    for step in range(sampling.max_new_tokens):
        output = model(
            input_ids=ids,
            attention_mask=mask,
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
            **last_logits,
        )
        ids = _chosen(output.logits[:, -1].to(device), sampling.temperature, generator)
        for row, token in zip(going, ids[:, 0].tolist(), strict=True):
            if finished[row] or cut[row]:
                continue
            if token in sampling.stop_token_ids:
                finished[row] = True
            else:
                written[row].append(token)
                cut[row] = len(prompts[row]) + len(written[row]) >= sampling.context
        if step % _SEGMENT == _SEGMENT - 1:
            for row in going:
                finished[row] = finished[row] or (sampling.ends is not None and sampling.ends(written[row]))
        if all(finished[row] or cut[row] for row in going):
            break
        position = (position + 1).clamp(max=sampling.context - 1)  # of rows that ended, nothing is used
        mask = torch.cat([mask, mask.new_ones((len(going), 1))], dim=1)
        left = [index for index, row in enumerate(going) if not (finished[row] or cut[row])]
        if step % _SEGMENT == _SEGMENT - 1 and len(left) < len(going) and _divisible(cache):
            kept = torch.tensor(left)
            cache.batch_select_indices(kept)  # on the CPU: the layers may lie on several devices
            kept = kept.to(device)
            ids, mask, position = ids[kept], mask[kept], position[kept]
            going = [going[index] for index in left]
        positions = position
    return [
        Continuation(token_ids=tuple(tokens), finished=ended)
        for tokens, ended in zip(written, finished, strict=True)
    ]


def _padded(prompts: Sequence[Sequence[int]], device: torch.device) -> tuple[Tensor, Tensor]:
    """Token ids and attention mask, int64[prompts, tokens of the longest]."""
    width = max(map(len, prompts))
    ids = torch.tensor([[0] * (width - len(prompt)) + list(prompt) for prompt in prompts])
    mask = torch.tensor([[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts])
    return ids.to(device), mask.to(device)


def _chosen(logits: Tensor, temperature: float, generator: torch.Generator) -> Tensor:
    """The next token of each row, int64[rows, 1], from float[rows, vocabulary]."""
    if temperature == 0:
        return logits.argmax(dim=-1, keepdim=True)
    return torch.multinomial((logits.float() / temperature).softmax(dim=-1), 1, generator=generator)


def _divisible(cache: DynamicCache) -> bool:
    """Whether rows can be taken from the cache."""
    return {type(layer) for layer in cache.layers} <= _DIVISIBLE
