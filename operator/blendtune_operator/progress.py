"""Asks a training pod for its progress. Its image may be a user's own, so the answer is not trusted."""

from __future__ import annotations

import json

import aiohttp

from blendtune_api import codec
from blendtune_api.contract import Progress

TIMEOUT = aiohttp.ClientTimeout(total=1.0)
LIMIT_BYTES = 64 * 1024


async def fetch_progress(session: aiohttp.ClientSession, url: str) -> Progress | None:
    """The progress that the pod answers; None when there is no small, readable answer within a second."""
    try:
        async with session.get(url, timeout=TIMEOUT, allow_redirects=False) as response:
            body = bytearray()
            async for chunk in response.content.iter_chunked(LIMIT_BYTES):
                body += chunk
                if len(body) > LIMIT_BYTES:
                    return None
            return codec.decode(Progress, json.loads(body), lenient=True)
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError, RecursionError):
        return None
