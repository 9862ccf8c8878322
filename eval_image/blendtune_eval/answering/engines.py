"""The engines that answer: by rounds of prompts, or all at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from blendtune_api.v1alpha1 import Engine
from blendtune_eval.answering import answer, vllm_answer
from blendtune_eval.answering.decoding import Decoding
from blendtune_eval.answering.prompts import ChatPrompts, Prompt, longest
from blendtune_eval.cache import AnswerCache, GivenAnswer


class AnswerRounds(Protocol):
    """Leaves the answers to the prompts in the cache, round by round, and asks for the next round then.

    `longest_prompt` is that of all rounds, in tokens. `on_progress` gets the number of prompts answered.
    """

    def __call__(
        self,
        folder: Path,
        rounds: Iterable[Sequence[Prompt]],
        longest_prompt: int,
        chat: ChatPrompts,
        decoding: Decoding,
        cache: AnswerCache,
        gpus: int,
        on_progress: Callable[[int], None],
        /,
    ) -> None: ...


ANSWER_ROUNDS: Mapping[Engine, AnswerRounds] = {
    Engine.TRANSFORMERS: answer.answer_rounds,
    Engine.VLLM: vllm_answer.answer_rounds,
}


def answer_all(
    engine: Engine,
    folder: Path,
    prompts: Sequence[Prompt],
    chat: ChatPrompts,
    decoding: Decoding,
    cache: AnswerCache,
    gpus: int,
    on_progress: Callable[[int], None],
) -> list[GivenAnswer]:
    """The answers to the prompts, in their order. Raises StageError as the engine does."""
    ANSWER_ROUNDS[engine](folder, [prompts], longest(prompts), chat, decoding, cache, gpus, on_progress)
    return cache.all_of(prompt.digest for prompt in prompts)
