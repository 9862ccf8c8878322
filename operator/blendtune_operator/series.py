"""What all series of runs have in common."""

from __future__ import annotations

from prometheus_client.core import GaugeMetricFamily

RUN = ("kind", "namespace", "name")


def run_family(name: str, text: str, *labels: str) -> GaugeMetricFamily:
    """A gauge with the labels of a run and `labels`."""
    return GaugeMetricFamily(name, text, labels=[*RUN, *labels])
