from __future__ import annotations

import pytest

from blendtune_api.v1alpha1 import Gate, Metric
from blendtune_core.power import QuestionCounts, detectable_difference, unresolved

COUNTS = QuestionCounts(general=22, in_domain=23)


@pytest.mark.parametrize(
    ("gate", "words"),
    [
        pytest.param(Gate(metric=Metric.GENERAL, max_drop=0.1), "ask 71 questions, or allow 0.18", id="drop"),
        pytest.param(Gate(metric=Metric.GENERAL, max_drop=0.2), "", id="coarse drop"),
        pytest.param(Gate(metric=Metric.OVERALL, max_drop=0.15), "", id="more questions tell more"),
        pytest.param(Gate(metric=Metric.GENERAL, max_drop=0), "expect it to be inconclusive", id="no drop"),
        pytest.param(Gate(metric=Metric.IN_DOMAIN, min_gain=0.1), "finer than 23 questions", id="gain"),
        pytest.param(Gate(metric=Metric.IN_DOMAIN, min_gain=0.0), "", id="any sure gain"),
        pytest.param(Gate(metric=Metric.IN_DOMAIN, min_score=0.9), "interval of a perfect score", id="score"),
        pytest.param(Gate(metric=Metric.IN_DOMAIN, min_score=0.8), "", id="score within reach"),
        pytest.param(Gate(metric=Metric.BUSINESS_IMPACT, min_score=0.8), "cannot pass", id="impact"),
        pytest.param(Gate(metric=Metric.GENERAL, max_critical_errors=0), "", id="errors are counted"),
    ],
)
def test_a_margin_that_the_questions_cannot_carry(gate: Gate, words: str) -> None:
    found = unresolved([Gate(metric=Metric.OVERALL, min_score=0.5), gate], COUNTS, "spec.gates")
    assert [fault.path for fault in found] == (["spec.gates[1]"] if words else [])
    assert not words or words in found[0].message


def test_a_metric_without_questions() -> None:
    (found,) = unresolved(
        [Gate(metric=Metric.GENERAL, max_drop=0.5)], QuestionCounts(general=0, in_domain=9), "g"
    )
    assert "no question for general" in found.message


def test_the_advised_number_of_questions_is_enough() -> None:
    assert detectable_difference(71) <= 0.1 < detectable_difference(70)
