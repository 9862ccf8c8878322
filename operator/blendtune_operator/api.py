"""The API server over HTTP: JSON in, JSON out, and every refusal as one typed error.

The only module that imports the Kubernetes client, which finds the server and logs in.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import urllib.request
from collections.abc import AsyncIterator, Callable, Mapping
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
_PAGE = 500
_LONGEST_WAIT_SECONDS = 5.0  # a longer wait is left to the work queue
_SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")


class ApiError(Exception):
    """The API server refused, or could not be reached (`status` 0). `retry_after` is in seconds."""

    def __init__(self, status: int, reason: str, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
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

    async def _request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        body: Mapping[str, Any] | None,
        content_type: str,
    ) -> dict[str, Any]:
        url = f"{self._client.configuration.host}{path}" + (f"?{urlencode(query)}" if query else "")
        headers = {**self._client.default_headers, "Accept": _JSON, "Content-Type": content_type}
        await self._client.update_params_for_auth(headers, None, ["BearerToken"], path, method, body)
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
    )
