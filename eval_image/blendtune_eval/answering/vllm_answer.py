"""Asks a model through a vLLM server: the very same prompts, and each answer is kept as it comes."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Callable, Iterable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

from blendtune_eval.answering.answer import require_context
from blendtune_eval.answering.decoding import Decoding
from blendtune_eval.answering.prompts import ChatPrompts, Prompt
from blendtune_eval.answering.vllm_server import SERVED_NAME, Deadlines, VllmServer, vllm_server
from blendtune_eval.api_client import ApiClient, CallFailed, Limits
from blendtune_eval.cache import AnswerCache, GivenAnswer
from blendtune_eval.server_words import http_failure
from blendtune_runtime.errors import BadConfiguration, StageError, Transient

LIMITS = Limits(concurrency=64, call=1800.0, total=math.inf)
DEADLINES = Deadlines()


def answer_rounds(
    folder: Path,
    rounds: Iterable[Sequence[Prompt]],
    longest_prompt: int,
    chat: ChatPrompts,
    decoding: Decoding,
    cache: AnswerCache,
    gpus: int,
    on_progress: Callable[[int], None],
) -> None:
    """Leaves the answers to the prompts in the cache, round by round, and asks for the next round then.

    `longest_prompt` is that of all rounds, in tokens. `on_progress` gets the number of prompts answered so
    far. The server is started once, when an answer is missing. Raises StageError where it fails.
    """
    context = longest_prompt + decoding.max_new_tokens
    asked: list[Prompt] = []

    def report() -> None:
        on_progress(sum(cache.get(prompt.digest) is not None for prompt in asked))

    def keep(prompt: Prompt, given: GivenAnswer) -> None:
        cache.add({prompt.digest: given})
        report()

    async def answer() -> None:
        async with AsyncExitStack() as stack:
            following = iter(rounds)
            served: _Served | None = None
            # A thread: what makes the next round judges the answers, and may have an event loop of its own.
            while (prompts := await asyncio.to_thread(next, following, None)) is not None:
                asked.extend(prompts)
                missing = {each.digest: each for each in prompts if cache.get(each.digest) is None}
                if not missing:
                    report()
                    continue
                if served is None:
                    require_context(folder, context)
                    served = await _serve(stack, folder, gpus, context, decoding)
                await _ask_all(served, list(missing.values()), chat, decoding, keep)

    asyncio.run(answer())


@dataclass(frozen=True, slots=True)
class _Served:
    server: VllmServer
    client: ApiClient


async def _serve(stack: AsyncExitStack, folder: Path, gpus: int, context: int, decoding: Decoding) -> _Served:
    """A server for the model and its client, until the stack ends."""
    server = await stack.enter_async_context(
        vllm_server(
            folder,
            gpus=gpus,
            context=context,
            precision=decoding.precision,
            seed=decoding.seed,
            deadlines=DEADLINES,
        )
    )
    client = ApiClient(f"{server.url}/v1/completions", server.key, LIMITS, local=True)
    return _Served(server, await stack.enter_async_context(client))


async def _ask_all(
    served: _Served,
    prompts: Sequence[Prompt],
    chat: ChatPrompts,
    decoding: Decoding,
    keep: Callable[[Prompt, GivenAnswer], None],
) -> None:
    """Asks until all have answered. The first failure ends it, also that of the server itself."""

    async def ask(prompt: Prompt) -> None:
        keep(prompt, await _ask(served.client, prompt, chat, decoding))

    watching = asyncio.create_task(served.server.ended())
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
