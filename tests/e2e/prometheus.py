"""A real Prometheus, which scrapes the operator and a trainer by the names of their Services."""

from __future__ import annotations

import json
import urllib.parse
import urllib.request
from dataclasses import dataclass
from typing import Any

from tests.e2e.cluster import Cluster
from tests.e2e.release import NAME, NAMESPACE
from tests.e2e.waiting import until

_ADDRESS = "127.0.0.1:9090"
_OPERATOR = f"{NAME}.{NAMESPACE}.svc.cluster.local:8080"


@dataclass(frozen=True)
class Prometheus:
    def query(self, expression: str) -> list[dict[str, Any]]:
        """Labels and value of each series, now."""
        query = urllib.parse.urlencode({"query": expression})
        with urllib.request.urlopen(f"http://{_ADDRESS}/api/v1/query?{query}", timeout=10) as response:
            answer = json.load(response)
        return list(answer["data"]["result"])


def start(cluster: Cluster, trainer: str) -> Prometheus:
    """Starts it, and waits until it answers. `trainer` is a host of the cluster."""
    config = cluster.folder / "prometheus.json"
    jobs = {"operator": _OPERATOR, "trainer": f"{trainer}:8080"}
    scrapes = [
        {"job_name": job, "static_configs": [{"targets": [target]}], "honor_labels": True}
        for job, target in jobs.items()
    ]
    interval = {"scrape_interval": "1s", "scrape_timeout": "1s"}
    config.write_text(json.dumps({"global": interval, "scrape_configs": scrapes}))
    cluster.daemons.start("prometheus", [
        "prometheus", f"--config.file={config}", f"--storage.tsdb.path={cluster.folder / 'prometheus'}",
        f"--web.listen-address={_ADDRESS}",
    ])  # fmt: skip
    until("Prometheus answers", lambda: _ready(cluster))
    return Prometheus()


def _ready(cluster: Cluster) -> bool:
    cluster.daemons.check()
    try:
        with urllib.request.urlopen(f"http://{_ADDRESS}/-/ready", timeout=5):
            return True
    except OSError:
        return False
