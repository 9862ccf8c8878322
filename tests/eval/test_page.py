"""The sentence of the report that gives the reason for the verdict."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from blendtune_api.contract import EvalResult
from blendtune_api.v1alpha1 import EvaluationDigests, GateResult, GateStatus, Metric, ScopeScore, Verdict
from blendtune_eval.report.page import verdict_reason

NOTHING: dict[str, Any] = {}
ROSE = {"delta": 0.4, "p_value": 0.01}
FELL = {"delta": -0.4, "p_value": 0.01}
UNSURE = {"delta": 0.4, "p_value": 0.2}
OPEN = {"delta": -0.1, "delta_low": -0.31, "delta_high": 0.1, "p_value": 0.3}


def scores(in_domain: dict[str, Any], general: dict[str, Any]) -> EvalResult:
    return EvalResult(
        overall=ScopeScore(name="overall"),
        general=ScopeScore(name="general", **general),
        in_domain=ScopeScore(name="inDomain", **in_domain),
        dimensions=(),
        categories=(),
        coverage=1.0,
        digests=EvaluationDigests(),
        verdict=Verdict.INCONCLUSIVE,
    )


@pytest.mark.parametrize(
    ("measured", "reason"),
    [
        pytest.param(
            replace(scores(ROSE, FELL), verdict=Verdict.MIXED), "In-domain rose, general fell.", id="apart"
        ),
        pytest.param(
            scores(ROSE, OPEN),
            "In-domain rose, general did not surely change. A general drop of up to 0.31 is not excluded.",
            id="one, and a drop may hide",
        ),
        pytest.param(
            replace(scores(ROSE, OPEN), verdict=Verdict.IMPROVED),
            "In-domain rose, general did not surely change.",
            id="one, within the margin",
        ),
        pytest.param(scores(FELL, FELL), "In-domain and general fell.", id="both"),
        pytest.param(scores(NOTHING, NOTHING), "In-domain and general did not surely change.", id="nothing"),
        pytest.param(
            replace(scores(ROSE, FELL), coverage=0.5),
            "Only 50% of the questions could be judged.",
            id="unscored",
        ),
        pytest.param(replace(scores(ROSE, FELL), verdict=None), "", id="no verdict"),
    ],
)
def test_it_names_what_moved(measured: EvalResult, reason: str) -> None:
    assert verdict_reason(measured) == reason


def test_it_names_the_gates_that_show_a_loss() -> None:
    gates = (
        GateStatus(metric=Metric.RETENTION, rule="maxRise", threshold=0.05, result=GateResult.FAILED),
        GateStatus(
            metric=Metric.BENCHMARK, name="mmlu", rule="maxDrop", threshold=0.02, result=GateResult.FAILED
        ),
        GateStatus(metric=Metric.GENERAL, rule="maxDrop", threshold=0.02, result=GateResult.INCONCLUSIVE),
    )
    found = verdict_reason(replace(scores(ROSE, OPEN), verdict=Verdict.MIXED), gates)
    assert found.endswith("did not surely change. Lost more than a gate allows: retention, benchmark mmlu.")
