"""The operator as a process of its own, so that it can be killed."""

from __future__ import annotations

import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Protocol

from tests.cluster.control_plane import ROOT, free_port

SOURCES = ("crds", "operator")
_OPERATOR = "blendtune_operator"
_SERVER = multiprocessing.get_context("forkserver")
_PRELOADED = [f"{_OPERATOR}.{module}" for module in ("kubernetes_cluster", "server", "watching.controller")]


class OperatorProcess:
    """`python -m blendtune_operator` with short times; `kill` and `start` may come from any thread.

    It is forked from a server that has imported everything: imports take longer than most tests.
    """

    def __init__(
        self,
        kubeconfig: Path,
        log: Path,
        environment: Mapping[str, str] | None = None,
        program: Sequence[str] = (),
    ) -> None:
        """`program`: a module that runs the operator instead, and its arguments, started from nothing."""
        self._program = program
        self.port = free_port()
        self.log = log
        self._lock = threading.Lock()
        self._process: _Process | None = None
        self._environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(str(ROOT / folder) for folder in ("", *SOURCES)),
            "KUBECONFIG": str(kubeconfig),
            "BLENDTUNE_HTTP_PORT": str(self.port),
            "BLENDTUNE_BACKOFF_BASE_SECONDS": "0.2",
            "BLENDTUNE_PROGRESS_INTERVAL_SECONDS": "1",
            "BLENDTUNE_OBSTACLE_INTERVAL_SECONDS": "1",
            "BLENDTUNE_RESYNC_SECONDS": "1",
            "BLENDTUNE_LEASE_DURATION_SECONDS": "1",
            **(environment or {}),
        }

    def start(self) -> None:
        with self._lock:
            assert not self.is_running, "the operator already runs"
            self._process = self._started() if self._program else _Forked(self._environment, self.log)

    def kill(self) -> None:
        """SIGKILL: the operator can finish nothing."""
        with self._lock:
            if self._process is not None:
                self._process.send_signal(signal.SIGKILL)
                self._process.wait()

    def stop(self, seconds: float = 15) -> int:
        """SIGTERM; the exit code."""
        with self._lock:
            if self._process is None:
                return 0
            self._process.send_signal(signal.SIGTERM)
            try:
                return self._process.wait(seconds)
            except subprocess.TimeoutExpired:
                self._process.send_signal(signal.SIGKILL)
                self._process.wait()
                raise

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def text(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def _started(self) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", *self._program],
                env=self._environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
            )


class _Process(Protocol):
    """What is needed of subprocess.Popen."""

    pid: int

    def send_signal(self, sig: int, /) -> None: ...
    def wait(self, timeout: float | None = None) -> int: ...
    def poll(self) -> int | None: ...


class _Forked:
    """A `_Process` that has not begun from nothing."""

    def __init__(self, environment: dict[str, str], log: Path) -> None:
        _SERVER.set_forkserver_preload(_PRELOADED)
        self._process: BaseProcess = _SERVER.Process(target=_operate, args=(environment, log), daemon=True)
        self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid
        self._lock = threading.Lock()  # the exit code can be read once

    def send_signal(self, sig: int, /) -> None:
        if self.poll() is None:
            os.kill(self.pid, sig)

    def wait(self, timeout: float | None = None) -> int:
        with self._lock:
            self._process.join(timeout)
        code = self.poll()
        if code is None:
            raise subprocess.TimeoutExpired(_OPERATOR, timeout or 0.0)
        return code

    def poll(self) -> int | None:
        with self._lock:
            return self._process.exitcode


def _operate(environment: dict[str, str], log: Path) -> None:
    os.environ.clear()
    os.environ.update(environment)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(output, 1)
    os.dup2(output, 2)
    sys.argv = [_OPERATOR]
    runpy.run_module(_OPERATOR, run_name="__main__", alter_sys=True)
