"""Asks an OpenAI-compatible server for judgements: bounded in time, in size and in number of tries."""

from __future__ import annotations

import asyncio
import json
import random
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from http import HTTPStatus
from http.client import responses
from types import TracebackType
from typing import Any, Self

import httpx2

from blendtune_eval.cache import Judgement
from blendtune_eval.judge_prompt import JudgeRequest, MalformedReply, one_line, read_reply

SEED = 20231007
_LARGEST_BODY = 1 << 20  # bytes
_SHORTEST_SECRET = 8  # characters; a shorter key would be found in half of all words
_RETRYABLE = frozenset({408, 409, 425, 429})
_NOT_UNDERSTOOD = frozenset({400, 415, 422, 501})
_BAD_KEY = frozenset({401, 403})


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """Of the calls to a judge; times in seconds."""

    concurrency: int = 8
    retries: int = 3
    call: float = 120.0
    total: float = 4 * 3600.0
    first_wait: float = 1.0  # before the first retry; doubles, with jitter
    longest_wait: float = 120.0  # a server that asks for more is not asked again


class RequestForm(StrEnum):
    """How much is asked of a server. One that does not understand a form is asked in the next."""

    SCHEMA_AND_EXTENSIONS = "JSON schema, with the sampling parameters of vLLM"
    SCHEMA = "JSON schema"
    PLAIN = "plain JSON"


class Unjudged(Exception):
    """No judgement was to be had. `status`: of the HTTP response, None without one."""

    def __init__(
        self, reason: str, *, status: int | None = None, again: bool = False, wait: float | None = None
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status
        self.again = again  # another try may fare better
        self.wait = wait  # seconds that the server asks to wait before


class Unreachable(Unjudged):
    """Nobody answers at the address."""


class JudgeClient:
    """One server and model. The key is sent to that server alone: redirects are not followed."""

    def __init__(self, url: str, model: str, key: str, limits: Limits) -> None:
        self._url = f"{url.rstrip('/')}/chat/completions"
        self._model = model
        self._key = key
        self._limits = limits
        self._forms = tuple(RequestForm)
        self._places = asyncio.Semaphore(limits.concurrency)
        self._end = asyncio.get_running_loop().time() + limits.total
        self._client = httpx2.AsyncClient(
            headers={
                "Accept": "application/json",
                "Accept-Encoding": "identity",
                **({"Authorization": f"Bearer {key}"} if key else {}),
            },
            timeout=None,  # each call has a deadline of its own, from its first byte to its last
            follow_redirects=False,
        )

    async def __aenter__(self) -> Self:
        await self._client.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.__aexit__(kind, error, trace)

    def settle(self, form: str) -> None:
        """Asks in this form from now on, and in lesser ones where it is not understood."""
        self._forms = self._forms[self._forms.index(RequestForm(form)) :]

    async def ask(self, request: JudgeRequest) -> Judgement:
        """The judgement of one request. Raises Unjudged, whatever the server does."""
        async with self._places:
            retries = 0
            while True:
                try:
                    return await self._ask_once(request)
                except Unjudged as failure:
                    if not failure.again or retries == self._limits.retries:
                        raise
                    await self._wait(retries, failure)
                retries += 1

    async def _ask_once(self, request: JudgeRequest) -> Judgement:
        for form in self._forms:
            status, body = await self._post(self._body(request, form))
            if status not in _NOT_UNDERSTOOD or form is self._forms[-1]:
                break
        if status != HTTPStatus.OK:
            raise Unjudged(_http_failure(status, body), status=status)
        return _judgement(body, request, form)

    async def _post(self, body: bytes) -> tuple[int, bytes]:
        """Status and body. Raises Unjudged where they don't come, or come with the advice to try again."""
        seconds = min(self._limits.call, self._remaining())
        if seconds <= 0:
            raise Unjudged(f"the time for judging, {self._limits.total:g} s, was used up")
        try:
            async with (
                asyncio.timeout(seconds),
                self._client.stream(
                    "POST", self._url, content=body, headers={"Content-Type": "application/json"}
                ) as response,
            ):
                content = await _bounded(response)
        except TimeoutError as error:
            raise Unjudged(f"no reply within {seconds:.3g} s", again=True) from error
        except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
            raise Unreachable(f"no connection: {self._public(str(error))}", again=True) from error
        except httpx2.HTTPError as error:
            raise Unjudged(f"the connection failed: {type(error).__name__}", again=True) from error
        content = self._without_key(content)
        status = response.status_code
        if status in _RETRYABLE or (status >= 500 and status not in _NOT_UNDERSTOOD):
            wait = _retry_after(response.headers.get("Retry-After", ""))
            raise Unjudged(_http_failure(status, content), status=status, again=True, wait=wait)
        return status, content

    async def _wait(self, retries: int, failure: Unjudged) -> None:
        """Waits as long as the server asks, or ever longer; with jitter, so that calls spread.

        Raises `failure` where that is too long.
        """
        asked = self._limits.first_wait * 2**retries if failure.wait is None else failure.wait
        seconds = asked + random.uniform(0, self._limits.first_wait)
        if asked > self._limits.longest_wait or seconds >= self._remaining():
            raise failure
        await asyncio.sleep(seconds)

    def _body(self, request: JudgeRequest, form: RequestForm) -> bytes:
        """Every sampling parameter is sent: what is left out, servers fill in from the checkpoint's own."""
        body: dict[str, Any] = {
            "model": self._model,
            "messages": request.messages,
            "max_tokens": request.max_tokens,
            "temperature": 0,
            "top_p": 1,
            "n": 1,
            "seed": SEED,
            "presence_penalty": 0,
            "frequency_penalty": 0,
            "stream": False,
        }
        if form is not RequestForm.PLAIN:
            schema = {"name": "verdicts", "strict": True, "schema": request.schema}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        if form is RequestForm.SCHEMA_AND_EXTENSIONS:
            body |= {"top_k": -1, "min_p": 0, "repetition_penalty": 1}
        return json.dumps(body).encode()

    def _remaining(self) -> float:
        return self._end - asyncio.get_running_loop().time()

    def _without_key(self, content: bytes) -> bytes:
        if len(self._key) < _SHORTEST_SECRET:
            return content
        return content.replace(self._key.encode(), b"[key]")

    def _public(self, text: str) -> str:
        return one_line(self._without_key(text.encode(errors="replace")).decode())


async def _bounded(response: httpx2.Response) -> bytes:
    content = bytearray()
    async for chunk in response.aiter_raw():
        content += chunk
        if len(content) > _LARGEST_BODY:
            raise Unjudged(f"the reply is larger than {_LARGEST_BODY} bytes")
    return bytes(content)


def _judgement(body: bytes, request: JudgeRequest, form: RequestForm) -> Judgement:
    """What a completion says. Whether it was refused, filtered or cut is seen before its text is read."""
    try:
        document = json.loads(body)
        (choice,) = document["choices"]
        message = choice["message"]
        text, refusal, finish = message.get("content"), message.get("refusal"), choice.get("finish_reason")
        served = document.get("model")
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise Unjudged("the response is no chat completion with one choice", again=True) from error
    if refusal:
        raise Unjudged(f"the judge refused: {one_line(str(refusal))}")
    if finish == "content_filter":
        raise Unjudged("the server's content filter stopped the judge")
    if finish == "length":
        raise Unjudged(f"the judge's reply was cut at {request.max_tokens} tokens")
    if not isinstance(text, str):
        raise Unjudged("the judge's reply holds no text", again=True)
    try:
        reply = read_reply(text, request.criteria)
    except MalformedReply as error:
        raise Unjudged(f"the judge's reply is malformed: {error}", again=True) from error
    return Judgement(
        met=reply.met,
        reasons=reply.reasons,
        declines=reply.declines,
        form=form.value,
        served=one_line(served) if isinstance(served, str) else "",
    )


def _http_failure(status: int, body: bytes) -> str:
    """The status in words, and the server's own message where it is one. A refused key is never echoed."""
    if 300 <= status < 400:
        return f"HTTP {status}, a redirect, which is not followed: the URL must be the final one"
    shown = f"HTTP {status} {responses.get(status, '')}".strip()
    try:
        message = json.loads(body)["error"]["message"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return shown
    return shown if status in _BAD_KEY else f"{shown}: {one_line(str(message))}"


def _retry_after(header: str) -> float | None:
    """Seconds to wait, from a number or a date; None where there is neither."""
    if header.strip().isdecimal():
        return float(header)
    try:
        moment = parsedate_to_datetime(header)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
