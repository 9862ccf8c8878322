"""The operator as a process of its own, so that it can be killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.cluster.control_plane import ROOT, free_port

SOURCES = ("crds", "operator")


class OperatorProcess:
    """`python -m blendtune_operator` with short times; `kill` and `start` may come from any thread."""

    def __init__(
        self,
        kubeconfig: Path,
        log: Path,
        environment: Mapping[str, str] | None = None,
        program: Sequence[str] = ("blendtune_operator",),
    ) -> None:
        """`program` is the module that runs the operator, with its arguments."""
        self._program = program
        self.port = free_port()
        self.log = log
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
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
        with self._lock, self.log.open("ab") as log:
            assert not self.is_running, "the operator already runs"
            self._process = subprocess.Popen(
                [sys.executable, "-m", *self._program],
                env=self._environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
            )

    def kill(self) -> None:
        """SIGKILL: the operator can finish nothing."""
        with self._lock:
            if self._process is not None:
                self._process.kill()
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
                self._process.kill()
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
