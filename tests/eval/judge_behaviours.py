"""Behaviours of a judge's server, right and wrong."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from typing import Any

from tests.eval.judge_server import Behaviour, Call


def after_anchors(behaviour: Behaviour) -> Behaviour:
    """The behaviour, except that anchors are judged honestly."""
    return lambda call: call.be_honest() if call.is_anchor else behaviour(call)


def once(behaviour: Behaviour) -> Behaviour:
    """The behaviour at the first call about an answer, and an honest judge at later ones."""
    return lambda call: behaviour(call) if call.number == 1 else call.be_honest()


def html_page(status: int) -> Behaviour:
    page = '<html><body>{"criteria": {"thirty-days": {"met": true}}}</body></html>'
    return lambda call: call.respond(status, page, {"Content-Type": "text/html"})


def error(status: int, message: str = "", **headers: str) -> Behaviour:
    return lambda call: call.respond(
        status,
        json.dumps({"error": {"message": message}}),
        {k.replace("_", "-"): v for k, v in headers.items()},
    )


def hang(call: Call) -> None:
    call.stopping.wait()


def drip(call: Call) -> None:
    """Sends headers without an end, one byte at a time, so that no single read takes long."""
    call.handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while not call.stopping.wait(0.02):
        call.handler.wfile.write(b"x")


def drip_body(call: Call) -> None:
    call.handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while not call.stopping.wait(0.02):
        call.handler.wfile.write(b" ")


def cut(call: Call) -> None:
    """Sends half of the body that its header announces."""
    data = json.dumps({"choices": [{"message": {"content": json.dumps(call.verdicts)}}]})
    call.respond(200, data[: len(data) // 2], {"Content-Length": str(len(data))})
    call.handler.close_connection = True


def drop(call: Call) -> None:
    call.handler.close_connection = True
    call.handler.connection.shutdown(socket.SHUT_RDWR)


def huge(call: Call) -> None:
    call.handler.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while not call.stopping.is_set():
        call.handler.wfile.write(b"10000\r\n" + b" " * 0x10000 + b"\r\n")


def says(text: Any, finish: str = "stop", **changes: Any) -> Behaviour:
    return lambda call: call.say(text, finish, **changes)


def completion(document: Any) -> Behaviour:
    return lambda call: call.respond(200, json.dumps(document))


def altered(change: Callable[[dict[str, Any]], Any]) -> Behaviour:
    """The verdicts of an honest judge with a change."""
    return lambda call: call.say(json.dumps(change(call.verdicts)))


def with_verdict(**values: Any) -> Behaviour:
    def change(verdicts: dict[str, Any]) -> dict[str, Any]:
        for verdict in verdicts["criteria"].values():
            verdict |= values
        return verdicts

    return altered(change)


def with_another_criterion(said: dict[str, Any]) -> dict[str, Any]:
    return said | {"criteria": said["criteria"] | {"polite": {"reason": "", "met": True}}}
