"""The operator's own series: its reconciles, its requests, and when its watches last brought an event."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum

from prometheus_client import Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector, CollectorRegistry

from blendtune_operator.names import Kind

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class Result(StrEnum):
    SUCCESS = "success"
    CONFLICT = "conflict"  # the object changed in between: reconciled again soon
    RETRY = "retry"  # the API server refused, or could not be reached
    ERROR = "error"


class Telemetry:
    """Counters and gauges in one registry."""

    def __init__(self, registry: CollectorRegistry, version: str) -> None:
        self.reconciles = Counter(
            "blendtune_reconcile", "Reconciles by kind and result.", ("kind", "result"), registry=registry
        )
        self.duration = Histogram(
            "blendtune_reconcile_duration_seconds", "Time of one reconcile.", ("kind",),
            buckets=_BUCKETS, registry=registry,
        )  # fmt: skip
        self.depth = Gauge("blendtune_workqueue_depth", "Runs that wait for a reconcile.", registry=registry)
        self.leader = Gauge("blendtune_leader", "1 while this operator holds the Lease.", registry=registry)
        self.missed = Gauge(
            "blendtune_watch_missed_objects",
            "Objects that the last resync found and the watch had not brought.",
            ("kind",),
            registry=registry,
        )
        self._requests = Counter(
            "blendtune_api_requests",
            "Requests to the API server; code 0: no answer.",
            ("method", "code"),
            registry=registry,
        )
        ProcessCollector(registry=registry)
        build = Gauge("blendtune_build_info", "Version of the operator.", ("version",), registry=registry)
        build.labels(version).set(1)

    def count_request(self, method: str, code: int) -> None:
        self._requests.labels(method, str(code)).inc()

    @contextmanager
    def timed(self, kind: Kind) -> Iterator[None]:
        begin = time.perf_counter()
        try:
            yield
        finally:
            self.duration.labels(kind).observe(time.perf_counter() - begin)


class WatchCollector(Collector):
    """When each watch last brought an event."""

    def __init__(self, last_event: Mapping[Kind, float]) -> None:
        self._last_event = last_event

    def collect(self) -> Iterator[Metric]:
        family = GaugeMetricFamily(
            "blendtune_watch_last_event_timestamp_seconds",
            "When the watch of a kind last brought an event, in seconds since the epoch.",
            labels=["kind"],
        )
        for kind, moment in self._last_event.items():
            family.add_metric([kind], moment)
        yield family
