"""Asks a model through a vLLM server: the very same prompts, and each answer is kept as it comes."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Callable, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any

from blendtune_eval.answering.answer import require_context
from blendtune_eval.answering.decoding import Decoding
from blendtune_eval.answering.prompts import ChatPrompts, Prompt, longest
from blendtune_eval.answering.vllm_server import SERVED_NAME, Deadlines, vllm_server
from blendtune_eval.api_client import ApiClient, CallFailed, Limits
from blendtune_eval.cache import AnswerCache, GivenAnswer
from blendtune_eval.server_words import http_failure
from blendtune_runtime.errors import BadConfiguration, StageError, Transient

LIMITS = Limits(concurrency=64, call=1800.0, total=math.inf)
DEADLINES = Deadlines()


def answer_all(
    folder: Path,
    prompts: Sequence[Prompt],
    chat: ChatPrompts,
    decoding: Decoding,
    cache: AnswerCache,
    gpus: int,
    on_progress: Callable[[int], None],
) -> list[GivenAnswer]:
    """The answers to the prompts, in their order. `on_progress` gets the number of prompts answered so far.

    The server is started only when an answer is missing. Raises StageError where it fails.
    """
    distinct = {prompt.digest: prompt for prompt in prompts}

    def keep(prompt: Prompt, given: GivenAnswer) -> None:
        cache.add({prompt.digest: given})
        report()

    def report() -> None:
        on_progress(sum(cache.get(prompt.digest) is not None for prompt in prompts))

    missing = [prompt for digest, prompt in distinct.items() if cache.get(digest) is None]
    if missing:
        context = longest(list(distinct.values())) + decoding.max_new_tokens
        require_context(folder, context)
        asyncio.run(_ask_all(folder, missing, chat, decoding, gpus, context, keep))
    else:
        report()
    answers = [cache.get(prompt.digest) for prompt in prompts]
    return [answer for answer in answers if answer is not None]


async def _ask_all(
    folder: Path,
    prompts: Sequence[Prompt],
    chat: ChatPrompts,
    decoding: Decoding,
    gpus: int,
    context: int,
    keep: Callable[[Prompt, GivenAnswer], None],
) -> None:
    """Asks until all have answered. The first failure ends it, also that of the server itself."""
    async with (
        vllm_server(
            folder,
            gpus=gpus,
            context=context,
            precision=decoding.precision,
            seed=decoding.seed,
            deadlines=DEADLINES,
        ) as server,
        ApiClient(f"{server.url}/v1/completions", server.key, LIMITS, local=True) as client,
    ):

        async def ask(prompt: Prompt) -> None:
            keep(prompt, await _ask(client, prompt, chat, decoding))

        watching = asyncio.create_task(server.ended())
        asking = [asyncio.create_task(ask(prompt)) for prompt in prompts]
        pending: set[asyncio.Task[None]] = {watching, *asking}
        try:
            while pending != {watching}:
                done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
        finally:
            for task in (watching, *asking):
                task.cancel()
            await asyncio.gather(watching, *asking, return_exceptions=True)


async def _ask(client: ApiClient, prompt: Prompt, chat: ChatPrompts, decoding: Decoding) -> GivenAnswer:
    """Raises StageError."""

    async def attempt() -> GivenAnswer:
        status, body = await client.post(_body(prompt, decoding))
        if status != HTTPStatus.OK:
            raise CallFailed(http_failure(status, body), status=status)
        return _given(body, chat)

    try:
        return await client.persist(attempt)
    except CallFailed as failure:
        raise _failure(failure) from failure


def _body(prompt: Prompt, decoding: Decoding) -> bytes:
    """Every sampling parameter is sent.

    Only our stop tokens end an answer: without `ignore_eos`, vLLM adds those of the checkpoint's
    generation_config.
    """
    body: dict[str, Any] = {
        "model": SERVED_NAME,
        "prompt": prompt.token_ids,
        "max_tokens": decoding.max_new_tokens,
        "temperature": decoding.temperature,
        "top_p": 1,
        "top_k": -1,
        "min_p": 0,
        "repetition_penalty": 1,
        "presence_penalty": 0,
        "frequency_penalty": 0,
        "n": 1,
        "seed": decoding.seed,
        "ignore_eos": True,
        "stop_token_ids": decoding.stop_token_ids,
        "add_special_tokens": False,
        "skip_special_tokens": True,
        "return_token_ids": True,
        "stream": False,
    }
    return json.dumps(body).encode()


def _given(body: bytes, chat: ChatPrompts) -> GivenAnswer:
    """The answer as our own tokenizer reads its tokens. Raises CallFailed or StageError."""
    try:
        (choice,) = json.loads(body)["choices"]
        finish, token_ids = choice["finish_reason"], choice.get("token_ids")
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise CallFailed("the response is no completion with one choice", again=True) from error
    if finish not in ("stop", "length"):
        raise CallFailed(f"the answer was ended by {finish!r}", again=True)
    if not isinstance(token_ids, list) or not all(isinstance(token, int) for token in token_ids):
        raise BadConfiguration(
            "spec.engine: vllm: the server returns no token ids: use vLLM 0.10.2 or newer, which know "
            "return_token_ids"
        )
    return GivenAnswer(text=chat.text(token_ids), tokens=len(token_ids), finished=finish == "stop")


def _failure(failure: CallFailed) -> StageError:
    message = f"vllm does not answer a question: {failure.reason}"
    refused = failure.status is not None and not failure.again
    return BadConfiguration(f"spec.engine: {message}") if refused else Transient(message)
