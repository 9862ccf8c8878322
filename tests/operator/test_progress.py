"""Whatever a training pod answers, the operator gets a progress or nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import aiohttp
import pytest
from aiohttp import web

from blendtune_api.contract import Progress
from blendtune_operator.progress import LIMIT_BYTES, fetch_progress

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def answering(body: str, status: int = 200) -> Handler:
    async def handler(_: web.Request) -> web.StreamResponse:
        return web.Response(text=body, status=status)

    return handler


async def redirecting(_: web.Request) -> web.StreamResponse:
    raise web.HTTPFound("/elsewhere")


async def asked(answer: Handler) -> tuple[Progress | None, list[str]]:
    """What is made of the answer, and which paths were asked for."""
    paths: list[str] = []

    @web.middleware
    async def noting(request: web.Request, handler: Handler) -> web.StreamResponse:
        paths.append(request.path)
        return await handler(request)

    application = web.Application(middlewares=[noting])
    application.router.add_get("/progress", answer)
    application.router.add_get("/elsewhere", answering('{"step": 2, "steps": 2}'))
    runner = web.AppRunner(application)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        async with aiohttp.ClientSession() as session:
            progress = await fetch_progress(session, f"http://127.0.0.1:{runner.addresses[0][1]}/progress")
    finally:
        await runner.cleanup()
    return progress, paths


@pytest.mark.parametrize(
    ("handler", "expected"),
    [
        pytest.param(answering('{"step": 1, "steps": 2, "x": 3}'), Progress(step=1, steps=2), id="progress"),
        pytest.param(answering("oops"), None, id="no JSON"),
        pytest.param(answering('{"step": "x"}'), None, id="another JSON"),
        pytest.param(answering("[" * LIMIT_BYTES), None, id="nested"),
        pytest.param(answering(" " * LIMIT_BYTES + '{"step": 1, "steps": 2}'), None, id="too large"),
        pytest.param(redirecting, None, id="a way elsewhere"),
    ],
)
def test_an_answer(handler: Handler, expected: Progress | None) -> None:
    assert asyncio.run(asked(handler)) == (expected, ["/progress"])


def test_no_answer() -> None:
    async def ask() -> Progress | None:
        async with aiohttp.ClientSession() as session:
            return await fetch_progress(session, "http://127.0.0.1:1/progress")

    assert asyncio.run(ask()) is None
