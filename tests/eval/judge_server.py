"""A judge behind a real HTTP server on the loopback address, with a behaviour that tests choose."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from blendtune_api import v1alpha1
from blendtune_eval.judging.anchors import ANCHORS
from blendtune_eval.judging.judge import Rules
from blendtune_eval.rubric import Question
from blendtune_eval.rules.abstention import declines

ANCHOR_ANSWERS = frozenset(anchor.answer for anchor in ANCHORS)


@dataclass
class Call:
    """One request to the server and the ways to respond to it."""

    handler: BaseHTTPRequestHandler
    body: dict[str, Any]
    questions: Sequence[Question]
    number: int  # of the calls about this answer, from 1
    stopping: threading.Event

    @cached_property
    def _parts(self) -> tuple[str, str]:
        """The wording and the answer in the request."""
        text: str = self.body["messages"][-1]["content"]
        wording, _, rest = text.partition("Question:\n")[2].partition("\n\nReference:\n")
        marker = rest.partition("two lines with the marker ")[2].partition(":\n")[0]
        _, answer, _ = rest.rpartition(f"{marker}:\n")[2].split(f"{marker}\n")
        return wording, answer.removesuffix("\n")

    @property
    def answer(self) -> str:
        return self._parts[1]

    @property
    def is_anchor(self) -> bool:
        return self.answer in ANCHOR_ANSWERS

    @property
    def verdicts(self) -> dict[str, Any]:
        """The verdicts of an honest judge: the known ones on anchors, those of the rules on other answers."""
        wording, answer = self._parts
        anchor = next((anchor for anchor in ANCHORS if anchor.answer == answer), None)
        if anchor is not None:
            met = {item.name: item.name in anchor.met for item in anchor.question.criteria}
            return reply(met, declined=anchor.declines)
        question = next(question for question in self.questions if wording in question.wordings)
        score = Rules().judge(question, wording, answer)
        met = {verdict.criterion: verdict.met for verdict in score.verdicts}
        return reply(met, declined=declines(answer, wording))

    def respond(self, status: int, content: str | bytes, headers: Mapping[str, str] | None = None) -> None:
        data = content.encode() if isinstance(content, str) else content
        self.handler.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **(headers or {})}.items():
            self.handler.send_header(name, value)
        self.handler.end_headers()
        self.handler.wfile.write(data)

    def say(self, text: Any, finish: str = "stop", **changes: Any) -> None:
        """A chat completion with this text."""
        message = {"role": "assistant", "content": text, **changes}
        choices = [{"index": 0, "message": message, "finish_reason": finish}]
        self.respond(200, json.dumps({"model": "served-judge", "choices": choices}))

    def be_honest(self) -> None:
        self.say(json.dumps(self.verdicts))


def reply(met: Mapping[str, bool], *, declined: bool = False) -> dict[str, Any]:
    return {
        "criteria": {name: {"reason": "as it reads", "met": value} for name, value in met.items()},
        "declines": declined,
    }


Behaviour = Callable[[Call], None]


@dataclass
class JudgeServer:
    url: str
    behaviour: Behaviour = Call.be_honest
    bodies: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    asked: Counter[str] = field(default_factory=Counter)  # requests by the user's message

    @property
    def spec(self) -> v1alpha1.OpenAIJudge:
        return v1alpha1.OpenAIJudge(url=self.url, model="judge-8b")


@contextmanager
def judge_server(questions: Sequence[Question]) -> Iterator[JudgeServer]:
    stopping = threading.Event()
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with lock:
                judge.bodies.append(body)
                judge.headers.append(dict(self.headers))
                judge.asked[body["messages"][-1]["content"]] += 1
                number = judge.asked[body["messages"][-1]["content"]]
            try:
                judge.behaviour(Call(self, body, questions, number, stopping))
            except OSError:
                self.close_connection = True  # the client has gone

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    judge = JudgeServer(url=f"http://127.0.0.1:{server.server_port}/v1")
    thread = threading.Thread(target=lambda: server.serve_forever(poll_interval=0.02))
    thread.start()
    try:
        yield judge
    finally:
        stopping.set()
        server.shutdown()
        thread.join()
        server.server_close()
