"""Programs that run beside the tests, each with a log file."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

STOP_SECONDS = 5


@dataclass(frozen=True)
class Daemon:
    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def check(self) -> None:
        """Raises when the program has ended."""
        if self.process.poll() is not None:
            tail = "\n".join(self.log.read_text(errors="replace").splitlines()[-20:])
            raise RuntimeError(f"{self.name} ended with {self.process.returncode}:\n{tail}")


class Daemons:
    """Starts programs, and stops them all."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._running: list[Daemon] = []
        logs.mkdir(parents=True, exist_ok=True)

    def start(self, name: str, command: Sequence[str], env: Mapping[str, str] | None = None) -> Daemon:
        log = self._logs / f"{name}.log"
        with log.open("wb") as file:
            process = subprocess.Popen(
                command, stdout=file, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, env=env
            )
        daemon = Daemon(name, process, log)
        self._running.append(daemon)
        return daemon

    def check(self) -> None:
        for daemon in self._running:
            daemon.check()

    def stop(self) -> None:
        """Asks all to end, and kills those that have not ended after some seconds."""
        for daemon in reversed(self._running):
            daemon.process.terminate()
        for daemon in self._running:
            with suppress(subprocess.TimeoutExpired):
                daemon.process.wait(STOP_SECONDS)
        self.kill()

    def kill(self) -> None:
        """Ends all at once: what they have kept is of no use any more."""
        for daemon in self._running:
            daemon.process.kill()
        for daemon in self._running:
            daemon.process.wait()
        self._running.clear()
