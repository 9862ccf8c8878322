"""A proxy between operator and API server that injects faults: refusals, lost answers, stale reads."""

from __future__ import annotations

import asyncio
import json
import ssl
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web
from tests.cluster.client import close_connections

_UNCOUNTED = ("/events", "/leases", "/selfsubject")  # writes that carry no state of a run


@dataclass(frozen=True)
class Exchange:
    """A request. `number` counts the writes, or the reads, from 1; `name` is the object's."""

    method: str
    path: str
    name: str
    number: int
    is_write: bool


@dataclass(frozen=True)
class Fault:
    """What happens to a request: one of these."""

    before: Callable[[], None] | None = None  # called instead of forwarding it; the client gets no answer
    after: Callable[[], None] | None = None  # called once the server has answered; the client gets no answer
    status: int = 0  # the answer; it is not forwarded
    retry_after: int = 0
    lost: bool = False  # forwarded, but the client gets no answer
    stale: bool = False  # the answer is the one that the same read got the first time


@dataclass
class FaultProxy:
    """Forwards to `server`; `rule` says what happens to each request, `watch_rule` to each watch event."""

    server: str
    rule: Callable[[Exchange], Fault | None] = lambda _: None
    watch_rule: Callable[[bytes], list[bytes]] = lambda line: [line]
    open_rule: Callable[[], int] = lambda: 0  # the status that answers a watch instead of opening it
    watch_delay: float = 0.0  # seconds before each watch event
    url: str = ""
    writes: list[tuple[str, str, int]] = field(default_factory=list)
    requests: Counter[str] = field(default_factory=Counter)  # by method
    reads: Counter[str] = field(default_factory=Counter)  # by name, with all that is no write of a run
    _first_answers: dict[str, bytes] = field(default_factory=dict)
    _watches: set[asyncio.Task[Any]] = field(default_factory=set)
    _muted: set[asyncio.Task[Any]] = field(default_factory=set)
    _loop: asyncio.AbstractEventLoop | None = None
    _session: aiohttp.ClientSession | None = None

    def forget_answers(self) -> None:
        """Stale reads get the answers of now, and no older ones."""
        self._first_answers.clear()

    def cut_watches(self) -> None:
        """Closes every open watch."""
        assert self._loop is not None
        self._loop.call_soon_threadsafe(lambda: [task.cancel() for task in self._watches])

    def mute_watches(self) -> None:
        """Every open watch stays open, and brings nothing any more."""
        assert self._loop is not None
        self._loop.call_soon_threadsafe(lambda: self._muted.update(self._watches))

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.requests[request.method] += 1
        session = self._session
        assert session is not None
        if request.query.get("watch"):
            return await self._watch(request, session)
        content = await request.read()
        exchange = self._exchange(request, content)
        fault = self.rule(exchange) or Fault()
        if fault.before:
            await asyncio.to_thread(fault.before)
            return _no_answer(request)
        if fault.status:
            self._note(exchange, fault.status)
            return _refusal(fault)
        if fault.stale and request.path_qs in self._first_answers:
            return web.Response(body=self._first_answers[request.path_qs], content_type="application/json")
        async with session.request(
            request.method, self.server + request.path_qs, headers=_headers(request), data=content or None
        ) as answer:
            body = await answer.read()
            self._note(exchange, answer.status)
            if fault.after:
                await asyncio.to_thread(fault.after)
            if fault.lost or fault.after:
                return _no_answer(request)
            if request.method == "GET" and answer.status == 200:
                self._first_answers.setdefault(request.path_qs, body)
            headers = {name: answer.headers[name] for name in ("Retry-After",) if name in answer.headers}
            return web.Response(
                body=body, status=answer.status, content_type=answer.content_type, headers=headers
            )

    async def _watch(self, request: web.Request, session: aiohttp.ClientSession) -> web.StreamResponse:
        if status := self.open_rule():
            return _refusal(Fault(status=status, retry_after=1))
        task = asyncio.current_task()
        assert task is not None
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        timeout = aiohttp.ClientTimeout(total=None)
        async with session.get(
            self.server + request.path_qs, headers=_headers(request), timeout=timeout
        ) as answer:
            response.set_status(answer.status)
            await response.prepare(request)
            self._watches.add(task)
            try:
                async for line in answer.content:
                    await asyncio.sleep(self.watch_delay)
                    for changed in () if task in self._muted else self.watch_rule(line):
                        await response.write(changed)
            except (asyncio.CancelledError, aiohttp.ClientError, ConnectionError):
                pass
            finally:
                self._watches.discard(task)
                self._muted.discard(task)
        return response

    def _exchange(self, request: web.Request, content: bytes) -> Exchange:
        is_read = request.method == "GET" or "dryRun" in request.query
        is_write = not is_read and not any(part in request.path for part in _UNCOUNTED)
        name = request.path.removesuffix("/status").rsplit("/", 1)[1]
        if is_write:
            self.writes.append((request.method, request.path, 0))
        else:
            self.reads[name] += 1
        number = len(self.writes) if is_write else self.reads.total()
        if request.method == "POST" and is_write:
            name = json.loads(content).get("metadata", {}).get("name", name)
        return Exchange(request.method, request.path, name, number, is_write)

    def _note(self, exchange: Exchange, status: int) -> None:
        if exchange.is_write:
            path = exchange.path if exchange.method != "POST" else f"{exchange.path}/{exchange.name}"
            self.writes[exchange.number - 1] = (exchange.method, path, status)


@contextmanager
def fault_proxy(server: str) -> Iterator[FaultProxy]:
    """Serves in a thread of its own."""
    proxy = FaultProxy(server)
    ready, stop = threading.Event(), asyncio.Event()

    async def serve() -> None:
        proxy._loop = asyncio.get_running_loop()
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        connector = aiohttp.TCPConnector(ssl=context, limit=0)
        async with aiohttp.ClientSession(
            connector=connector, read_bufsize=2**21, skip_auto_headers=("Content-Type",)
        ) as session:
            application = web.Application(client_max_size=2**24)
            proxy._session = session
            application.router.add_route("*", "/{path:.*}", proxy.handle)
            runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            proxy.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            ready.set()
            await stop.wait()
            for task in list(proxy._watches):
                task.cancel()
            await runner.cleanup()
        while len(asyncio.all_tasks()) > 1:  # transports close in tasks and callbacks of their own
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)

    thread = threading.Thread(target=asyncio.run, args=(serve(),), name="proxy", daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield proxy
    finally:
        close_connections(proxy.url)
        assert proxy._loop is not None
        proxy._loop.call_soon_threadsafe(stop.set)
        thread.join(10)


def _headers(request: web.Request) -> dict[str, str]:
    kept = ("Authorization", "Content-Type", "Accept")
    return {name: request.headers[name] for name in kept if name in request.headers}


def _no_answer(request: web.Request) -> web.Response:
    """Closes the connection: the client can't tell whether its request was carried out."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)


def _refusal(fault: Fault) -> web.Response:
    status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": fault.status,
              "reason": {409: "Conflict", 429: "TooManyRequests"}.get(fault.status, "InternalError"),
              "message": f"injected {fault.status}"}  # fmt: skip
    headers = {"Retry-After": str(fault.retry_after)} if fault.retry_after else {}
    return web.json_response(status, status=fault.status, headers=headers)
