"""A real Prometheus that scrapes given ports, and what it answers."""

from __future__ import annotations

import json
import shutil
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.cluster.control_plane import free_port
from tests.e2e.daemons import Daemons
from tests.e2e.waiting import until

RULES = sorted((Path(__file__).parents[2] / "helm/blendtune/rules").glob("*.yaml"))


def tool(name: str) -> str:
    """The path of a program of Prometheus; the test is skipped where it is not installed."""
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed (Debian: apt-get install prometheus)")
    return path


@dataclass(frozen=True)
class Prometheus:
    address: str

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Labels and value of each series, now. Raises ValueError for an expression that is wrong."""
        query = urllib.parse.urlencode({"query": expression})
        return list(self._get(f"query?{query}")["result"])

    def rules(self) -> list[dict[str, Any]]:
        return [rule for group in self._get("rules")["groups"] for rule in group["rules"]]

    def _get(self, path: str) -> Any:
        try:
            with urllib.request.urlopen(f"http://{self.address}/api/v1/{path}", timeout=10) as response:
                return json.load(response)["data"]
        except urllib.error.HTTPError as error:
            with error:
                raise ValueError(f"{path}: {error.read().decode()}") from error

    def is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://{self.address}/-/ready", timeout=5):
                return True
        except OSError:
            return False


@contextmanager
def prometheus(folder: Path, targets: Mapping[str, tuple[int, Mapping[str, str]]]) -> Iterator[Prometheus]:
    """Scrapes the port of each job every second, adds its labels, and evaluates the chart's rules."""
    program = tool("prometheus")
    jobs: list[Any] = [
        {
            "job_name": job,
            "honor_labels": True,
            "static_configs": [{"targets": [f"127.0.0.1:{port}"], "labels": dict(labels)}],
        }
        for job, (port, labels) in targets.items()
    ]
    interval = dict.fromkeys(("scrape_interval", "scrape_timeout", "evaluation_interval"), "1s")
    config = folder / "prometheus.json"
    rules = [str(file) for file in RULES]
    config.write_text(json.dumps({"global": interval, "scrape_configs": jobs, "rule_files": rules}))
    address = f"127.0.0.1:{free_port()}"
    daemons = Daemons(folder / "logs")
    try:
        server = daemons.start("prometheus", [
            program, f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address={address}",
        ])  # fmt: skip
        started = Prometheus(address)

        def ready() -> bool:
            server.check()
            return started.is_ready()

        until("Prometheus answers", ready)
        yield started
    finally:
        daemons.stop()


def promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [tool("promtool"), *arguments], capture_output=True, text=True, timeout=60, check=False
    )
