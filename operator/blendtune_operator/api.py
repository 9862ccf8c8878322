"""The API server over HTTP: JSON in, JSON out, and every refusal as one typed error.

With `kubeconfig` the only module that imports the Kubernetes client, which finds the server and logs in.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import urllib.request
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
from kubernetes.aio import client, config

from blendtune_operator.clock import ServerClock
from blendtune_operator.names import Kind, Object

TIMEOUT_SECONDS = 30.0
APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
_JSON = "application/json"
_ATTEMPTS = 4
_PAGE = 100  # decoded, a page of pods takes megabytes
_LONGEST_WAIT_SECONDS = 5.0  # a longer wait is left to the work queue
_SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")


class ApiError(Exception):
    """The API server refused, or could not be reached (`status` 0). `retry_after` is in seconds.

    `words` are the server's own; the text of the error has the call before them.
    """

    def __init__(
        self, status: int, reason: str, message: str, retry_after: float | None = None, words: str = ""
    ) -> None:
        super().__init__(message)
        self.words = words or message
        self.status = status
        self.reason = reason
        self.retry_after = retry_after


class Api:
    """One connection pool to the API server."""

    def __init__(self, api_client: client.ApiClient, count: Callable[[str, int], None]) -> None:
        """`count` is called with the method and status of each request; status 0: no answer."""
        self._client = api_client
        self._count = count
        self.clock = ServerClock()

    async def get(self, path: str, query: Mapping[str, str] | None = None) -> dict[str, Any]:
        return await self.request("GET", path, query)

    async def request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        content_type: str = _JSON,
    ) -> dict[str, Any]:
        """The answer of the server. Raises ApiError for anything but success.

        Retries a few times what the server has certainly not carried out (429), and GETs that failed.
        """
        for attempt in range(_ATTEMPTS):
            try:
                return await self._request(method, path, query, body, content_type)
            except ApiError as error:
                is_safe = error.status == 429 or (
                    method == "GET" and (not error.status or error.status >= 500)
                )
                delay = error.retry_after or 0.1 * 2**attempt * random.uniform(0.5, 1.0)
                if not is_safe or attempt == _ATTEMPTS - 1 or delay > _LONGEST_WAIT_SECONDS:
                    raise
                await asyncio.sleep(delay)
        raise AssertionError("unreachable")

    @asynccontextmanager
    async def lines(
        self, path: str, query: Mapping[str, str], silence_seconds: float | None = None
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """The lines of an answer as they come: those of a watch, or of a log that is followed.

        Raises ApiError where the server refuses, where the connection breaks, and after `silence_seconds`.
        """
        call = f"GET {path}"
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=TIMEOUT_SECONDS, sock_read=silence_seconds)
        try:
            async with self._session().get(
                self._url(path, query),
                headers=await self._headers("GET", path, "*/*"),
                timeout=timeout,
                proxy=self._client.configuration.proxy,
            ) as response:
                if response.status != 200:
                    raise _refusal(response, await response.read(), call)
                try:
                    yield _unbounded_lines(response.content)
                finally:
                    _abandon(response)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ApiError(0, "Unreachable", f"{call}: {error!r}") from error

    @asynccontextmanager
    async def websocket(
        self, path: str, query: Sequence[tuple[str, str]], protocol: str
    ) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        """A connection that is upgraded. Raises ApiError where the server refuses, or cannot be reached."""
        call = f"GET {path}"
        try:
            async with self._session().ws_connect(
                self._url(path, query),
                headers=await self._headers("GET", path, "*/*"),
                protocols=(protocol,),
                heartbeat=TIMEOUT_SECONDS,
                max_msg_size=0,
                proxy=self._client.configuration.proxy,
            ) as connection:
                yield connection
        except aiohttp.WSServerHandshakeError as error:
            raise ApiError(error.status, "", f"{call}: {error.message}") from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ApiError(0, "Unreachable", f"{call}: {error!r}") from error

    def _session(self) -> aiohttp.ClientSession:
        rest = self._client.rest_client
        if rest.pool_manager is None:
            rest.pool_manager = rest._create_pool_manager()
        session: aiohttp.ClientSession = rest.pool_manager
        return session

    def _url(self, path: str, query: Mapping[str, str] | Sequence[tuple[str, str]] | None) -> str:
        return f"{self._client.configuration.host}{path}" + (f"?{urlencode(query)}" if query else "")

    async def _headers(self, method: str, path: str, accept: str) -> dict[str, str]:
        headers = {**self._client.default_headers, "Accept": accept}
        await self._client.update_params_for_auth(headers, None, ["BearerToken"], path, method, None)
        return headers

    async def _request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        body: Mapping[str, Any] | None,
        content_type: str,
    ) -> dict[str, Any]:
        url = self._url(path, query)
        headers = {**await self._headers(method, path, _JSON), "Content-Type": content_type}
        try:
            response = await self._client.call_api(
                method, url, headers, body, _request_timeout=TIMEOUT_SECONDS
            )
            content = await response.read()  # type: ignore[no-untyped-call]
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            self._count(method, 0)
            raise ApiError(0, "Unreachable", f"{method} {path}: {error!r}") from error
        self._count(method, response.status)
        self.clock.heard(response.headers.get("Date"))
        if 200 <= response.status < 300:
            return _document(content)
        raise _refusal(response, content, f"{method} {path}")


def _abandon(response: aiohttp.ClientResponse) -> None:
    """Closes the connection of an answer that was not read to its end, at once: TLS would wait."""
    if response.connection is not None and response.connection.transport is not None:
        response.connection.transport.abort()


async def _unbounded_lines(content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """Lines without their ends, of any length, which `readline` of the stream would refuse."""
    kept: list[bytes] = []
    async for chunk in content.iter_any():
        first, *others = chunk.split(b"\n")
        kept.append(first)
        for line in others:
            yield b"".join(kept)
            kept = [line]
    if any(kept):
        yield b"".join(kept)


@asynccontextmanager
async def connect(connections: int, count: Callable[[str, int], None]) -> AsyncIterator[Api]:
    """The API server of KUBECONFIG, else that of the pod's own service account."""
    configuration = client.Configuration()
    if os.environ.get("KUBECONFIG") or not _SERVICE_ACCOUNT.exists():
        await config.load_kube_config(  # type: ignore[no-untyped-call]
            config_file=os.environ.get("KUBECONFIG"), client_configuration=configuration
        )
    else:
        config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
    async with connected(configuration, connections, count) as api:
        yield api


@asynccontextmanager
async def connected(
    configuration: client.Configuration, connections: int, count: Callable[[str, int], None]
) -> AsyncIterator[Api]:
    """The API server that the configuration names; `connections` is their greatest number."""
    configuration.connection_pool_maxsize = connections
    # With trust_env the client reads ~/.netrc before each request.
    configuration.client_session_kwargs = {"trust_env": bool(urllib.request.getproxies())}
    async with client.ApiClient(configuration) as api_client:
        yield Api(api_client, count)


async def list_pages(
    api: Api, kind: Kind, namespace: str | None, selector: str = ""
) -> AsyncIterator[tuple[list[Object], int]]:
    """All objects of a kind, page by page, each page with the resource version of the list.

    No page for a kind that the API server does not know; one empty page where there are no objects.
    """
    query = {"limit": str(_PAGE), **({"labelSelector": selector} if selector else {})}
    while True:
        try:
            page = await api.get(kind.path(namespace), query)
        except ApiError as error:
            if error.status == 404:
                return
            raise
        version = int(page["metadata"]["resourceVersion"])
        kept = {"apiVersion": kind.api_version, "kind": kind.value}
        yield [{**item, **kept} for item in page["items"]], version
        if not page["metadata"].get("continue"):
            return
        query["continue"] = page["metadata"]["continue"]


def _document(content: bytes) -> dict[str, Any]:
    document = json.loads(content)
    assert isinstance(document, dict)
    return document


def _refusal(response: Any, content: bytes, call: str) -> ApiError:
    """The error in an answer: a metav1.Status, or any other text."""
    try:
        status = _document(content)
    except (ValueError, AssertionError):
        status = {}
    message = status.get("message") or content[:200].decode(errors="replace") or response.reason
    wait = response.headers.get("Retry-After", "")
    return ApiError(
        response.status,
        status.get("reason") or "",
        f"{call}: {message}",
        float(wait) if wait.isdigit() else None,
        message,
    )
