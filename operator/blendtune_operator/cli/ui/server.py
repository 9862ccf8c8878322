"""Serves the page on loopback: read-only, to this machine's browser alone."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager, suppress
from pathlib import Path

from aiohttp import web

from blendtune_documents.pages import render, render_part
from blendtune_operator.cli.ui.overview import as_values, overview
from blendtune_operator.cli.ui.sources import Shown
from blendtune_operator.client.faults import ClientError

HOST = "127.0.0.1"
_REST_SECONDS = 0.5  # between two messages: many changes at once are one
_PACKAGE = "blendtune_operator.cli.ui"
_HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Resource-Policy": "same-origin",
}

Report = Callable[[str, str], Awaitable[Path | None]]
"""The page of a report by kind and name; None where there is none."""


class Page:
    """The page as it is at present, and everybody who has it open."""

    def __init__(self, place: str) -> None:
        self._place = place
        self._shown = Shown((), {}, "waiting for the first answer")
        self._changed = asyncio.Condition()
        self._version = time.time_ns()  # what a page of an earlier server has seen is none of this one's

    async def follow(self, source: AsyncGenerator[Shown, None]) -> None:
        async with aclosing(source) as found:
            async for shown in found:
                async with self._changed:
                    self._shown, self._version = shown, self._version + 1
                    self._changed.notify_all()
                await asyncio.sleep(_REST_SECONDS)

    def whole(self) -> str:
        return render("ui", self._values(), package=_PACKAGE)

    async def parts(self, seen: str) -> AsyncIterator[str]:
        """The overview after each change, and at once unless its present version was `seen` in the page."""
        while True:
            async with self._changed:
                while str(self._version) == seen:
                    await self._changed.wait()
                seen = str(self._version)
            yield await asyncio.to_thread(render_part, "entries", self._values(), package=_PACKAGE)

    def _values(self) -> dict[str, object]:
        entries = overview(self._shown.objects, self._shown.histories)
        return {**as_values(entries, self._place, self._shown.note), "version": self._version}


@asynccontextmanager
async def serving(page: Page, report: Report, port: int) -> AsyncIterator[str]:
    """Yields the page's address. Raises ClientError where the port is taken; 0 takes a free one."""
    application = web.Application(middlewares=[_guard])

    async def whole(_: web.Request) -> web.Response:
        return web.Response(text=page.whole(), content_type="text/html")

    async def events(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={**_HEADERS, "Content-Type": "text/event-stream"})
        await response.prepare(request)
        with suppress(ConnectionResetError):  # the page was closed
            async for part in page.parts(request.query.get("seen", "")):
                await response.write(f"data: {json.dumps(part)}\n\n".encode())
        return response

    async def one(request: web.Request) -> web.StreamResponse:
        try:
            found = await report(request.match_info["kind"], request.match_info["name"])
        except ClientError as error:
            raise web.HTTPBadGateway(text=str(error)) from error
        if found is None:
            raise web.HTTPNotFound(text="there is no report of that name")
        return web.FileResponse(found, headers={"Content-Type": "text/html; charset=utf-8"})

    application.add_routes([
        web.get("/", whole), web.get("/events", events), web.get("/report/{kind}/{name}", one),
    ])  # fmt: skip
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, HOST, port).start()
        except OSError as error:
            raise ClientError(
                f"port {port} is taken: name another with --port, or 0 for a free one"
            ) from error
        yield f"http://{HOST}:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()


@web.middleware
async def _guard(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Refuses pages of other names that lead here, which a browser would let read the answers."""
    if request.host.partition(":")[0] not in (HOST, "localhost"):
        raise web.HTTPForbidden(text="ask by the address that the command has printed")
    response = await handler(request)
    if not response.prepared:
        response.headers.update(_HEADERS)
    return response
