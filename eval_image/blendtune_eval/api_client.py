"""Calls an OpenAI-compatible API: bounded in time, in size and in number of tries."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from math import inf
from types import TracebackType
from typing import ParamSpec, Self, TypeVar

import httpx2
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception

from blendtune_eval.one_line import one_line
from blendtune_eval.server_words import asks_for_payment, error_in_success, http_failure, refuses_system

_LARGEST_BODY = 1 << 20  # bytes
_SHORTEST_SECRET = 8  # characters; a shorter key would be found in half of all words
_RETRYABLE = frozenset({408, 409, 425, 429})
_SECONDS = re.compile(r"(?P<amount>\d+(?:\.\d+)?)\s*(?P<unit>m?s)?")
_KEY_START = 6  # characters of a key by which a masked copy of it is known
NOT_UNDERSTOOD = frozenset({400, 415, 422, 501})

AUTHORIZATION = "Authorization"

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """Of the calls to a server; times in seconds."""

    concurrency: int = 8
    retries: int = 3
    call: float = 120.0
    total: float = 4 * 3600.0
    first_wait: float = 1.0  # before the first retry; doubles, with jitter
    longest_wait: float = 120.0  # a server that asks for more is not asked again


class CallFailed(Exception):
    """A call that failed. `status` is that of the HTTP response, None without one."""

    def __init__(
        self, reason: str, *, status: int | None = None, again: bool = False, wait: float | None = None
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status
        self.again = again  # another try may succeed
        self.wait = wait  # seconds that the server asks to wait before


class Unreachable(CallFailed):
    """Nobody answers at the address."""


class ApiClient:
    """One address. The key is sent to that server alone, as a bearer token unless `address` says otherwise:
    redirects are not followed.
    """

    def __init__(self, url: str, key: str, limits: Limits, *, local: bool = False) -> None:
        self._url = url
        self._key = key
        self._key_header = (AUTHORIZATION, header_value(AUTHORIZATION, key))
        self._limits = limits
        self._places = asyncio.Semaphore(limits.concurrency)
        self._end = asyncio.get_running_loop().time() + limits.total
        self._client = httpx2.AsyncClient(
            headers={"Accept": "application/json", "Accept-Encoding": "identity"},
            timeout=None,  # each call has a deadline of its own, from its first byte to its last
            follow_redirects=False,
            trust_env=not local,  # no proxy stands between a pod and itself
        )

    def address(self, url: str, key_header: str) -> None:
        """Sends to another URL of the server, and the key in another header, from now on."""
        self._url = url
        self._key_header = (key_header, header_value(key_header, self._key))

    async def __aenter__(self) -> Self:
        await self._client.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.__aexit__(kind, error, trace)

    async def persist(self, call: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """What an async function returns, called again where that may help. Raises CallFailed."""
        retrying = AsyncRetrying(
            sleep=asyncio.sleep,
            retry=retry_if_exception(lambda error: isinstance(error, CallFailed) and error.again),
            wait=self._wait,
            stop=self._gives_up,
            reraise=True,
        )
        async with self._places:
            return await retrying(call, *args, **kwargs)

    async def post(self, body: bytes) -> tuple[int, bytes]:
        """Status and body. Raises CallFailed without a response, and for a status that asks to try again.

        An error within HTTP 200, as gateways send it, has the status that it names.
        """
        headers = {"Content-Type": "application/json", **(dict([self._key_header]) if self._key else {})}
        seconds = min(self._limits.call, self._remaining())
        if seconds <= 0:
            raise CallFailed(f"the time for all calls, {self._limits.total:g} s, was used up")
        try:
            async with (
                asyncio.timeout(seconds),
                self._client.stream("POST", self._url, content=body, headers=headers) as response,
            ):
                content = await _bounded(response)
        except TimeoutError as error:
            raise CallFailed(f"no reply within {seconds:.3g} s", again=True) from error
        except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
            raise Unreachable(f"no connection: {self._public(str(error))}", again=True) from error
        except httpx2.HTTPError as error:
            raise CallFailed(f"the connection failed: {type(error).__name__}", again=True) from error
        content, status = self._without_key(content), response.status_code
        wait = _retry_after(response.headers)
        if status == HTTPStatus.OK and (found := error_in_success(content)) is not None:
            code, words = found
            if code is None:
                raise CallFailed(f"HTTP 200 with an error: {words}", again=True, wait=wait)
            status = code
        if status != HTTPStatus.OK:
            content = self._without_masked_key(content)
            if status == HTTPStatus.TOO_MANY_REQUESTS and asks_for_payment(content):
                status = HTTPStatus.PAYMENT_REQUIRED  # waiting does not fill an account
        if _may_pass(status) and not refuses_system(content):
            raise CallFailed(http_failure(status, content), status=status, again=True, wait=wait)
        return status, content

    def _wait(self, call: RetryCallState) -> float:
        """Seconds, as many as the server asks for, or ever more; with jitter, so that calls spread.

        Infinitely many where that is more than a call may wait.
        """
        failure = call.outcome.exception() if call.outcome else None
        assert isinstance(failure, CallFailed)
        asked = failure.wait
        if asked is None:
            asked = self._limits.first_wait * 2 ** (call.attempt_number - 1)
        return (
            asked + random.uniform(0, self._limits.first_wait) if asked <= self._limits.longest_wait else inf
        )

    def _gives_up(self, call: RetryCallState) -> bool:
        return call.attempt_number > self._limits.retries or call.upcoming_sleep >= self._remaining()

    def _remaining(self) -> float:
        return self._end - asyncio.get_running_loop().time()

    def _without_key(self, content: bytes) -> bytes:
        if len(self._key) < _SHORTEST_SECRET:
            return content
        return content.replace(self._key.encode(), b"[key]")

    def _without_masked_key(self, content: bytes) -> bytes:
        """What a server says of a failure without words that begin like the key: `sk-abc...xyz`."""
        if len(self._key) < _SHORTEST_SECRET:
            return content
        return re.sub(rb"[\w-]*%b[\w.*-]*" % re.escape(self._key[:_KEY_START].encode()), b"[key]", content)

    def _public(self, text: str) -> str:
        return one_line(self._without_key(text.encode(errors="replace")).decode())


def header_value(header: str, key: str) -> str:
    """What a header holds that carries the key."""
    return f"Bearer {key}" if header == AUTHORIZATION else key


async def _bounded(response: httpx2.Response) -> bytes:
    content = bytearray()
    async for chunk in response.aiter_bytes():  # decoded: some compress though asked not to
        content += chunk
        if len(content) > _LARGEST_BODY:
            raise CallFailed(f"the reply is larger than {_LARGEST_BODY} bytes")
    return bytes(content)


def _may_pass(status: int) -> bool:
    """Whether the same call may succeed later."""
    return status in _RETRYABLE or (status >= 500 and status not in NOT_UNDERSTOOD)


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, from a number or a date; None where there is neither.

    OpenAI and Azure also say them in milliseconds.
    """
    for header, unit in (("retry-after-ms", 1e-3), ("retry-after", 1.0)):
        if found := _SECONDS.fullmatch(headers.get(header, "").strip()):
            return float(found["amount"]) * (1e-3 if found["unit"] == "ms" else unit)
    try:
        moment = parsedate_to_datetime(headers.get("retry-after", ""))
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
