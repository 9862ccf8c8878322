from __future__ import annotations

from dataclasses import replace

import pytest

from blendtune_api.v1alpha1 import EvaluationDigests, ScopeScore, Verdict
from blendtune_core.verdict import Direction, direction, not_comparable, verdict

UP = ScopeScore(name="x", delta=0.3, p_value=0.01)
DOWN = ScopeScore(name="x", delta=-0.3, p_value=0.01)
UNSURE = ScopeScore(name="x", delta=0.3, p_value=0.06)


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
        pytest.param(UNSURE, UP, 1.0, Verdict.IMPROVED, id="learnt and kept"),
        pytest.param(UP, UP, 1.0, Verdict.IMPROVED, id="both up"),
        pytest.param(DOWN, UP, 1.0, Verdict.MIXED, id="learnt and forgot"),
        pytest.param(DOWN, UNSURE, 1.0, Verdict.REGRESSED, id="only forgot"),
        pytest.param(UNSURE, UNSURE, 1.0, Verdict.INCONCLUSIVE, id="nothing moved"),
        pytest.param(UP, UP, 0.94, Verdict.INCONCLUSIVE, id="too much unscored"),
    ],
)
def test_verdict(general: ScopeScore, in_domain: ScopeScore, coverage: float, expected: Verdict) -> None:
    assert verdict(general, in_domain, coverage) is expected


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
