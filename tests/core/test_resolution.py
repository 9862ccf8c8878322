"""What gates can tell apart is said before anything runs, and by a pilot more exactly."""

from __future__ import annotations

from dataclasses import replace

import pytest

from blendtune_api.v1alpha1 import (
    BenchmarkScore,
    EvaluationSummary,
    Gate,
    Metric,
    RetentionScore,
    RetentionText,
    ScopeScore,
)
from blendtune_core.pilot import spreads
from blendtune_core.power import QuestionCounts, detectable_difference
from blendtune_core.resolution import Measures, resolution, told

MEASURES = Measures(questions=QuestionCounts(general=22, in_domain=23), retention_rows=256)
PILOT = EvaluationSummary(
    name="before",
    general=ScopeScore(name="general", n=22, delta=0.0, delta_low=-0.04, delta_high=0.04),
    retention=(
        RetentionScore(
            text=RetentionText.BASE_ANSWERS, rows=22, tokens=900, baseline=0.5, loss=0.5, rise=0.0,
            rise_low=-0.01, rise_high=0.01, divergence=0.0,
        ),
        RetentionScore(
            text=RetentionText.HELD_OUT_ROWS, rows=200, tokens=900, baseline=0.5, loss=0.5, rise=0.0,
            rise_low=-0.02, rise_high=0.02, divergence=0.0,
        ),
    ),
    benchmarks=(
        BenchmarkScore(name="own", metric="acc", score=0.5, n=400, delta=0, delta_low=-0.02, delta_high=0.02),
    ),
)  # fmt: skip
MEASURED = replace(MEASURES, pilot=spreads(PILOT))


def drop(metric: Metric, most: float, name: str | None = None) -> Gate:
    return Gate(metric=metric, name=name, max_drop=most)


@pytest.mark.parametrize(
    ("gate", "measures", "words"),
    [
        pytest.param(
            drop(Metric.GENERAL, 0.05), MEASURES, "About 290 questions would do, or allow 0.18", id="fine"
        ),
        pytest.param(drop(Metric.GENERAL, 0.05), MEASURES, "`retention`: about 32 rows", id="what would do"),
        pytest.param(drop(Metric.GENERAL, 0.2), MEASURES, "decided in 4 runs of 5", id="coarse"),
        pytest.param(drop(Metric.GENERAL, 0.0), MEASURES, "No number of them", id="nothing at all"),
        pytest.param(drop(Metric.GENERAL, 0.06), MEASURED, "measured by the pilot): decided", id="a pilot"),
        pytest.param(drop(Metric.BENCHMARK, 0.02, "gsm8k"), MEASURES, "over 1,319 samples", id="known"),
        pytest.param(drop(Metric.BENCHMARK, 0.02, "own"), MEASURES, "is not known here", id="unknown"),
        pytest.param(drop(Metric.BENCHMARK, 0.03, "own"), MEASURED, "over 400 samples", id="own, by a pilot"),
        pytest.param(
            Gate(metric=Metric.RETENTION, max_rise=0.05), MEASURES, "over 22 rows", id="one row an answer"
        ),
        pytest.param(
            Gate(metric=Metric.RETENTION, max_rise=0.05),
            replace(MEASURES, retention_rows=0),
            "retention.rows is 0",
            id="not measured",
        ),
        pytest.param(
            drop(Metric.GENERAL, 0.5), replace(MEASURES, has_baseline=False), "no baseline", id="alone"
        ),
        pytest.param(Gate(metric=Metric.IN_DOMAIN, min_score=0.5), MEASURES, "within 0.23", id="a level"),
        pytest.param(Gate(metric=Metric.IN_DOMAIN, min_score=0.9), MEASURES, "cannot pass", id="too high"),
        pytest.param(Gate(metric=Metric.IN_DOMAIN, max_critical_errors=0), MEASURES, "counted", id="counts"),
    ],
)
def test_what_a_gate_tells_apart(gate: Gate, measures: Measures, words: str) -> None:
    assert words in told(gate, measures)


def test_the_advised_number_decides() -> None:
    found = resolution(drop(Metric.GENERAL, 0.05), MEASURES)
    assert found is not None and not found.decides
    enough = replace(MEASURES, questions=QuestionCounts(general=290, in_domain=23))
    assert (again := resolution(drop(Metric.GENERAL, 0.05), enough)) is not None and again.decides
    assert found.least == detectable_difference(22)


def test_a_pilot_gives_the_spread_of_one_unit_and_of_retention_the_widest() -> None:
    found = spreads(PILOT)
    assert found["general"].deviation == pytest.approx(0.04 / 1.96 * 22**0.5, rel=1e-3)
    assert found["retention"].deviation == pytest.approx(0.02 / 1.96 * 200**0.5, rel=1e-3)
    assert (found["benchmark own"].units, set(found)) == (400, {"general", "retention", "benchmark own"})
