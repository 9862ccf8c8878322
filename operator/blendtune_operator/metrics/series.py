"""What the series of runs have in common."""

from __future__ import annotations

from collections.abc import Sequence

from prometheus_client.core import GaugeMetricFamily

RUN = ("kind", "namespace", "name")


def run_family(name: str, text: str, *labels: str) -> GaugeMetricFamily:
    """A gauge with the labels of a run and `labels`."""
    return GaugeMetricFamily(name, text, labels=[*RUN, *labels])


def add_known(family: GaugeMetricFamily, labels: Sequence[str], value: float | None) -> None:
    """A value that is not known leaves no sample."""
    if value is not None:
        family.add_metric(labels, value)
