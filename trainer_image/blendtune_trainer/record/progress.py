"""The progress of the training, which rank 0 serves: /progress for the operator, /metrics for Prometheus."""

from __future__ import annotations

import json
import sys
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from blendtune_api.codec import encode
from blendtune_api.contract import Progress
from blendtune_api.v1alpha1 import Role

_PACE_STEPS = 20  # latest steps, over which throughput and remaining time are averaged

_SERIES: Mapping[str, tuple[str, str]] = {
    "step": ("blendtune_training_step", "Optimizer steps taken."),
    "steps": ("blendtune_training_steps", "Optimizer steps of the whole training."),
    "loss": ("blendtune_training_loss", "Loss of the latest step, nats per supervised token."),
    "learning_rate": ("blendtune_training_learning_rate", "Learning rate of the latest step."),
    "gradient_norm": (
        "blendtune_training_gradient_norm",
        "Gradient norm of the latest step, before clipping.",
    ),
    "tokens": ("blendtune_training_tokens", "Tokens trained on."),
    "tokens_per_second": ("blendtune_training_tokens_per_second", "Throughput of all ranks."),
    "tokens_per_second_per_gpu": (
        "blendtune_training_tokens_per_second_per_gpu",
        "Throughput of one rank.",
    ),
    "mfu": ("blendtune_training_mfu_ratio", "Model FLOP/s utilisation, 0 to 1."),
    "gpu_memory_bytes": (
        "blendtune_training_gpu_memory_peak_bytes",
        "Most memory that rank 0 has allocated on its GPU.",
    ),
    "remaining_seconds": ("blendtune_training_remaining_seconds", "Estimated time to the last step."),
    "save_seconds": ("blendtune_training_save_seconds", "Time of the slowest checkpoint of this attempt."),
    "checkpoint_bytes": ("blendtune_training_checkpoint_bytes", "Size of the latest checkpoint."),
}


class Pace:
    """The speed over the latest steps."""

    def __init__(self) -> None:
        self._steps: deque[tuple[int, float]] = deque(maxlen=_PACE_STEPS)

    def add(self, tokens: int, seconds: float) -> None:
        """Adds a step."""
        self._steps.append((tokens, seconds))

    @property
    def tokens_per_second(self) -> float | None:
        """None before the first step."""
        seconds = sum(seconds for _, seconds in self._steps)
        return sum(tokens for tokens, _ in self._steps) / seconds if seconds > 0 else None

    def seconds_for(self, steps: int) -> float | None:
        """Expected seconds of so many further steps; None before the first step."""
        if not self._steps:
            return None
        return steps * sum(seconds for _, seconds in self._steps) / len(self._steps)


class ProgressBoard(Collector):
    """The latest progress, which the server's threads read. Unknown values are left out, not shown as 0."""

    def __init__(self) -> None:
        self._progress = Progress(step=0, steps=0, phase="loading")
        self._metrics_only: dict[str, float] = {}  # values of /metrics that /progress does not have

    @property
    def progress(self) -> Progress:
        return self._progress

    def update(
        self, *, gradient_norm: float | None = None, gpu_memory_bytes: int | None = None, **changes: Any
    ) -> None:
        """Updates the fields of `Progress` given in `changes`, and the values that only /metrics has."""
        values = {"gradient_norm": gradient_norm, "gpu_memory_bytes": gpu_memory_bytes}
        self._metrics_only |= {name: value for name, value in values.items() if value is not None}
        self._progress = replace(self._progress, **changes)

    def collect(self) -> Iterator[Metric]:
        """The series for Prometheus."""
        progress = self._progress
        for field, (name, description) in _SERIES.items():
            value = self._metrics_only.get(field, getattr(progress, field, None))
            if value is not None:
                yield GaugeMetricFamily(name, description, value=value)
        moved = GaugeMetricFamily(
            "blendtune_training_divergence",
            "KL(base, tuned) on held-out rows at the latest validation, nats per token.",
            labels=["role"],
        )
        by_role = {Role.GENERAL: progress.divergence_general, Role.IN_DOMAIN: progress.divergence_in_domain}
        for role, value in by_role.items():
            if value is not None:
                moved.add_metric([role], value)
        if moved.samples:
            yield moved
        phase = GaugeMetricFamily(
            "blendtune_training_phase", "1 for what the training does now.", labels=["phase"]
        )
        phase.add_metric([progress.phase], 1)
        yield phase


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Keeps a client that did not wait for its answer out of the log."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


@contextmanager
def serving(board: ProgressBoard, port: int, host: str = "") -> Iterator[int]:
    """Serves the board over HTTP during the block. Yields the port; 0 picks a free one."""
    registry = CollectorRegistry()
    registry.register(board)
    ProcessCollector(registry=registry)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            match self.path.partition("?")[0]:
                case "/metrics":
                    self._answer(CONTENT_TYPE_LATEST, generate_latest(registry))
                case "/progress":
                    self._answer("application/json", json.dumps(encode(board.progress)).encode())
                case _:
                    self.send_error(404)

        def _answer(self, content_type: str, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Keeps requests out of the training's log."""

    server = _Server((host, port), Handler)
    thread = threading.Thread(target=server.serve_forever, name="progress", daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
