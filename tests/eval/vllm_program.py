"""Stands in for `vllm serve`: a real process with a real server, which behaves as a file tells it.

It answers each prompt with the same tokens and notes what it was asked.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

FOLDER = Path(os.environ["STUB_FOLDER"])
PLAN: dict[str, Any] = json.loads((FOLDER / "plan.json").read_text())
LOCK = threading.Lock()
answered = 0
failed: dict[str, int] = {}


def note(name: str, value: Any) -> None:
    with (FOLDER / name).open("a") as file:
        file.write(json.dumps(value) + "\n")


def end(words: str, code: int) -> None:
    print(words, file=sys.stderr, flush=True)
    os._exit(code)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.respond(503 if PLAN["behaviour"] == "never healthy" else 200, b"")

    def do_POST(self) -> None:
        global answered
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        assert self.headers["Authorization"] == f"Bearer {os.environ['VLLM_API_KEY']}"
        with LOCK:
            note("requests.jsonl", body)
            key = str(body["prompt"])
            failed[key] = failed.get(key, 0) + 1
            first = failed[key] == 1
            answered += 1
            if PLAN["behaviour"] == "dies" and answered > PLAN["after"]:
                end("ValueError: the engine core broke", 3)
            if PLAN["behaviour"] == "killed" and answered > PLAN["after"]:
                os.kill(os.getpid(), signal.SIGKILL)
        choice = {"text": "", "finish_reason": "stop", "token_ids": PLAN["tokens"]}
        match PLAN["behaviour"]:
            case "hangs":
                time.sleep(3600)
            case "500 once" if first:
                return self.respond(500, b"<html>no</html>")
            case "500":
                return self.respond(500, b'{"error": {"message": "engine is busy"}}')
            case "400":
                return self.respond(400, b'{"error": {"message": "top_k is unknown"}}')
            case "cut JSON once" if first:
                return self.respond(200, b'{"choices": [{"tok')
            case "aborted once" if first:
                choice["finish_reason"] = "abort"
            case "length":
                choice["finish_reason"] = "length"
            case "empty":
                choice["token_ids"] = []
            case "no tokens":
                del choice["token_ids"]
        return self.respond(200, json.dumps({"choices": [choice]}).encode())

    def respond(self, status: int, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        pass


if __name__ == "__main__":
    note("starts.jsonl", {"arguments": sys.argv[1:], "pid": os.getpid(), "environment": dict(os.environ)})
    if PLAN["behaviour"] == "no start":
        end("loading weights\nValueError: KettleForCausalLM is no supported architecture", 1)
    if PLAN["behaviour"] == "28 heads":
        end("Total number of attention heads (28) must be divisible by tensor parallel size (8).", 1)
    if PLAN["behaviour"] == "out of memory":
        end("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 26 GiB", 1)
    port = int(sys.argv[sys.argv.index("--port") + 1])
    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    server.serve_forever(poll_interval=0.02)
