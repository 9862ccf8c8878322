from __future__ import annotations

from dataclasses import replace

import pytest

from blendtune_api.v1alpha1 import EvaluationDigests, GateResult, GateStatus, Metric, ScopeScore, Verdict
from blendtune_core.verdict import (
    GENERAL_MARGIN,
    Direction,
    direction,
    general_margin,
    not_comparable,
    verdict,
)

UP = ScopeScore(name="x", delta=0.3, delta_low=0.1, delta_high=0.5, p_value=0.01)
DOWN = ScopeScore(name="x", delta=-0.3, delta_low=-0.5, delta_high=-0.1, p_value=0.01)
UNSURE = ScopeScore(name="x", delta=0.1, delta_low=-0.3, delta_high=0.5, p_value=0.6)
KEPT = ScopeScore(name="x", delta=0.0, delta_low=-0.1, delta_high=0.1, p_value=1.0)


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        pytest.param(UP, Direction.UP, id="up"),
        pytest.param(DOWN, Direction.DOWN, id="down"),
        pytest.param(UNSURE, Direction.UNSURE, id="chance"),
        pytest.param(ScopeScore(name="x", score=0.5), Direction.UNSURE, id="no baseline"),
        pytest.param(replace(UP, delta_worst=0.1, delta_best=0.5), Direction.UP, id="up in any case"),
        pytest.param(
            replace(UP, delta_worst=-0.1, delta_best=0.5), Direction.UNSURE, id="perhaps not up at all"
        ),
        pytest.param(replace(UP, delta_worst=0.0, delta_best=0.5), Direction.UNSURE, id="perhaps unmoved"),
        pytest.param(
            replace(DOWN, delta_worst=-0.5, delta_best=0.1), Direction.UNSURE, id="perhaps not down at all"
        ),
        pytest.param(
            replace(DOWN, delta_worst=-0.5, delta_best=0.0), Direction.UNSURE, id="perhaps unmoved, not down"
        ),
    ],
)
def test_direction(scope: ScopeScore, expected: Direction) -> None:
    assert direction(scope) is expected


@pytest.mark.parametrize(
    ("general", "in_domain", "coverage", "expected"),
    [
        pytest.param(KEPT, UP, 1.0, Verdict.IMPROVED, id="learned and kept"),
        pytest.param(UNSURE, UP, 1.0, Verdict.INCONCLUSIVE, id="learned, and not shown to be kept"),
        pytest.param(
            replace(KEPT, delta_worst=-0.2), UP, 1.0, Verdict.INCONCLUSIVE, id="the unscored may hide a drop"
        ),
        pytest.param(UP, UP, 1.0, Verdict.IMPROVED, id="both up"),
        pytest.param(DOWN, UP, 1.0, Verdict.MIXED, id="learnt and forgot"),
        pytest.param(DOWN, UNSURE, 1.0, Verdict.REGRESSED, id="only forgot"),
        pytest.param(UNSURE, UNSURE, 1.0, Verdict.INCONCLUSIVE, id="nothing moved"),
        pytest.param(UP, UP, 0.94, Verdict.INCONCLUSIVE, id="too much unscored"),
    ],
)
def test_verdict(general: ScopeScore, in_domain: ScopeScore, coverage: float, expected: Verdict) -> None:
    assert verdict(general, in_domain, coverage) is expected


@pytest.mark.parametrize(
    ("allowed", "margin", "expected"),
    [
        pytest.param((), GENERAL_MARGIN, Verdict.IMPROVED, id="no gate"),
        pytest.param((0.3,), 0.3, Verdict.IMPROVED, id="a wide one"),
        pytest.param((0.3, 0.05), 0.05, Verdict.INCONCLUSIVE, id="the least counts"),
    ],
)
def test_the_gates_say_which_drop_is_harmless(
    allowed: tuple[float, ...], margin: float, expected: Verdict
) -> None:
    gates = [
        GateStatus(metric=Metric.GENERAL, rule="maxDrop", threshold=drop, result=GateResult.INCONCLUSIVE)
        for drop in allowed
    ]
    gates.append(
        GateStatus(metric=Metric.IN_DOMAIN, rule="maxDrop", threshold=0.01, result=GateResult.PASSED)
    )
    assert general_margin(gates) == margin
    assert verdict(KEPT, UP, 1.0, gates) is expected


@pytest.mark.parametrize(
    ("results", "expected"),
    [
        pytest.param([GateResult.PASSED], Verdict.IMPROVED, id="passed"),
        pytest.param([GateResult.PASSED, GateResult.INCONCLUSIVE], Verdict.INCONCLUSIVE, id="one is open"),
        pytest.param([GateResult.FAILED], Verdict.MIXED, id="failed"),
    ],
)
def test_retention_shows_what_questions_cannot(results: list[GateResult], expected: Verdict) -> None:
    gates = [
        GateStatus(metric=Metric.RETENTION, rule="maxRise", threshold=0.05, result=result)
        for result in results
    ]
    assert verdict(UNSURE, UP, 1.0, gates) is expected


@pytest.mark.parametrize(
    ("result", "rule", "in_domain", "expected"),
    [
        pytest.param(GateResult.FAILED, "maxDrop", UP, Verdict.MIXED, id="learned, and lost it"),
        pytest.param(GateResult.FAILED, "maxDrop", UNSURE, Verdict.REGRESSED, id="only lost it"),
        pytest.param(GateResult.FAILED, "minGain", UP, Verdict.IMPROVED, id="a gain that was hoped for"),
        pytest.param(GateResult.PASSED, "maxDrop", UP, Verdict.IMPROVED, id="kept"),
    ],
)
def test_a_benchmark_that_surely_fell_is_a_loss(
    result: GateResult, rule: str, in_domain: ScopeScore, expected: Verdict
) -> None:
    gate = GateStatus(metric=Metric.BENCHMARK, name="mmlu", rule=rule, threshold=0.02, result=result)
    assert verdict(KEPT, in_domain, 1.0, [gate]) is expected


ASKED = EvaluationDigests(model="m", rubric="r", judge="j", template="t", decoding="d")


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        pytest.param({"rubric": "other"}, ["rubric"], id="rubric"),
        pytest.param({"judge": "other"}, ["judge"], id="judge"),
        pytest.param({"template": "other"}, ["chat template"], id="template"),
        pytest.param({"decoding": "other"}, ["decoding"], id="decoding"),
        pytest.param({"template": "other", "decoding": "other"}, ["chat template", "decoding"], id="two"),
    ],
)
def test_what_was_asked_or_judged_otherwise_is_named(changed: dict[str, str], named: list[str]) -> None:
    reason = not_comparable(ASKED, replace(ASKED, **changed))
    names = ("rubric", "judge", "chat template", "decoding")
    assert [name for name in names if name in reason.partition("differ in")[2]] == named


def test_only_the_weights_may_differ() -> None:
    assert not_comparable(ASKED, replace(ASKED, model="other")) == ""
