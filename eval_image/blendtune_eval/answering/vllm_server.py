"""A vLLM server for one model, run as a child process on the loopback address."""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import shutil
import signal
import socket
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import NoReturn

import httpx2

from blendtune_api.contract import Env
from blendtune_eval.answering.tensor_parallel import refused_by_server
from blendtune_eval.one_line import one_line
from blendtune_runtime.errors import BadConfiguration, DoesNotFit, StageError, Transient

PROGRAM = "vllm"
SERVED_NAME = "model"
_HOST = "127.0.0.1"
_TAIL_BYTES = 4096
_TAIL_LINES = 5
_OUT_OF_MEMORY = re.compile(
    r"out of memory|OutOfMemory|No available memory|larger than the available KV", re.I
)
_NOT_FOR_THE_CHILD = frozenset({Env.JUDGE_API_KEY, "PYTHONPATH", "VIRTUAL_ENV"})  # it has packages of its own


@dataclass(frozen=True, kw_only=True, slots=True)
class Deadlines:
    """How long the server may take, in seconds."""

    start: float = 3600.0  # loading large weights from a network volume takes long
    stop: float = 30.0  # between SIGTERM and SIGKILL
    poll: float = 0.2


class VllmServer:
    """A running server. Its output goes to stderr; the last of it is kept for error messages."""

    def __init__(self, process: asyncio.subprocess.Process, port: int, key: str, output: int) -> None:
        self.url = f"http://{_HOST}:{port}"
        self.key = key
        self._process = process
        self._tail = b""
        self._reader = Thread(target=self._forward, args=(output,), daemon=True)
        self._reader.start()

    async def ended(self) -> NoReturn:
        """Waits until the server ends by itself; raises the StageError that it leaves."""
        await self._process.wait()
        raise self._ended("while it answered")

    async def ready(self, deadlines: Deadlines) -> None:
        """Returns once the server is healthy. Raises what `ended` does; Transient where it takes too long."""
        try:
            async with asyncio.timeout(deadlines.start), _client() as client:
                while self._process.returncode is None:
                    with suppress(httpx2.HTTPError):
                        if (await client.get(f"{self.url}/health")).is_success:
                            return
                    await asyncio.sleep(deadlines.poll)
        except TimeoutError as error:
            raise Transient(
                f"{PROGRAM} was not ready within {deadlines.start:g} s; its last words: {self._last_lines()}"
            ) from error
        raise self._ended("before it was ready")

    async def stop(self, deadlines: Deadlines) -> None:
        with suppress(ProcessLookupError):
            self._process.terminate()
        try:
            async with asyncio.timeout(deadlines.stop):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        self._reader.join(1)

    def _ended(self, when: str) -> StageError:
        """The error for a server that ended by itself."""
        self._reader.join(1)
        code = self._process.returncode
        assert code is not None, "it has ended"
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        message = f"{PROGRAM} {how} {when}; its last words: {self._last_lines()}"
        output = self._tail.decode(errors="replace")
        if (refused := refused_by_server(output)) is not None:
            return refused
        if _OUT_OF_MEMORY.search(output):
            return DoesNotFit(
                f"{message}. The model does not fit into the memory of the GPUs: ask for more of them or "
                "larger ones in spec.cluster, or lower spec.sampling.maxNewTokens",
            )
        return Transient(message)

    def _last_lines(self) -> str:
        lines = [one_line(line) for line in self._tail.decode(errors="replace").splitlines() if line.strip()]
        return " | ".join(lines[-_TAIL_LINES:]) or "none"

    def _forward(self, output: int) -> None:
        with os.fdopen(output, "rb", buffering=0) as pipe:
            while chunk := pipe.read(_TAIL_BYTES):
                self._tail = (self._tail + chunk)[-_TAIL_BYTES:]
                sys.stderr.write(chunk.decode(errors="replace"))


@asynccontextmanager
async def vllm_server(
    folder: Path, *, gpus: int, context: int, precision: str, seed: int, deadlines: Deadlines
) -> AsyncIterator[VllmServer]:
    """A healthy server for the model in a folder, for `context` tokens; stopped when the block ends.

    Raises BadConfiguration where the program is not there or cannot be started, or the server says that its
    GPUs cannot share the model's heads; DoesNotFit or Transient where it does not become healthy.
    """
    program = shutil.which(PROGRAM)
    if program is None:
        raise BadConfiguration(
            f"spec.engine: vllm: there is no program {PROGRAM} here. Name an image that has it in "
            "spec.cluster.eval.image (docs/evaluation.md tells how to build one), install it in local mode, "
            "or set the engine to transformers"
        )
    port, key = _free_port(), secrets.token_urlsafe()
    output, written = os.pipe()
    try:
        process = await asyncio.create_subprocess_exec(
            program,
            *_arguments(folder, port, gpus, context, precision, seed),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=written,
            stderr=written,
            env=_environment(key),
        )
    except OSError as error:
        os.close(output)
        raise BadConfiguration(f"spec.engine: vllm: {program} can't be started: {error}") from error
    finally:
        os.close(written)
    server = VllmServer(process, port, key, output)
    try:
        await server.ready(deadlines)
        yield server
    finally:
        await server.stop(deadlines)


def _arguments(folder: Path, port: int, gpus: int, context: int, precision: str, seed: int) -> Sequence[str]:
    options = {
        "host": _HOST,
        "port": port,
        "served-model-name": SERVED_NAME,
        "dtype": precision,
        "tensor-parallel-size": gpus,
        "max-model-len": context,
        "generation-config": PROGRAM,  # not the checkpoint's own
        "seed": seed,
    }
    return [
        "serve",
        str(folder),
        *(word for name, value in options.items() for word in (f"--{name}", str(value))),
    ]


def _environment(key: str) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if name not in _NOT_FOR_THE_CHILD}
    return inherited | {"VLLM_API_KEY": key, "VLLM_NO_USAGE_STATS": "1", "HF_HUB_OFFLINE": "1"}


def _client() -> httpx2.AsyncClient:
    return httpx2.AsyncClient(timeout=5.0, trust_env=False)  # no proxy stands between us and ourselves


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        port: int = probe.getsockname()[1]
        return port
