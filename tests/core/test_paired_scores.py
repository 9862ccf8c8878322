"""Scores of scopes, from what two models achieved on each question."""

from __future__ import annotations

import pytest

from blendtune_api.v1alpha1 import ScopeScore
from blendtune_core.paired_scores import PairedValue, PairedValues, corrected


def paired(*questions: tuple[float | None, float | None], compared: bool = True) -> PairedValues:
    return PairedValues(
        questions=[PairedValue(model=model, baseline=baseline) for model, baseline in questions],
        compared=compared,
    )


def test_no_question_has_no_score() -> None:
    assert paired().score("empty") == ScopeScore(name="empty")


def test_a_score_is_weighted_and_beside_its_baseline() -> None:
    questions = [PairedValue(model=1, baseline=0, weight=3), PairedValue(model=0.5, baseline=0.5)]
    score = PairedValues(questions=questions).score("shop")
    assert (score.score, score.baseline_score, score.delta) == pytest.approx((0.875, 0.125, 0.75))
    assert score.delta_low is not None and score.delta_high is not None
    assert score.delta_low < 0.75 < score.delta_high
    assert (score.worst, score.best, score.delta_worst, score.delta_best) == (None,) * 4


def test_a_difference_counts_the_questions_scored_in_both() -> None:
    score = paired((1, 0), (None, 1), (0, None)).score("shop")
    assert (score.score, score.n, score.unscored, score.baseline_score) == (0.5, 2, 1, 0.5)
    assert score.delta == 1
    assert (score.worst, score.best) == pytest.approx((1 / 3, 2 / 3))
    assert (score.delta_worst, score.delta_best) == pytest.approx((-1 / 3, 1 / 3))


def test_what_may_not_be_compared_has_no_difference() -> None:
    values = paired((1, 0), (1, 0), compared=False)
    score = values.score("shop")
    assert (score.baseline_score, score.delta) == (0, None)
    assert values.tested(score) == score


def test_a_negative_value_counts_but_no_score_is_negative() -> None:
    values = PairedValues(questions=[PairedValue(model=-1), PairedValue(model=0.5)], minimum=-1)
    score = values.score("impact")
    assert (score.score, score.low) == (0, 0)
    assert score.high is not None and score.high > 0


def test_p_values_are_corrected_for_their_number() -> None:
    tested = [ScopeScore(name="a", p_value=0.03), ScopeScore(name="b", p_value=0.01), ScopeScore(name="c")]
    assert [score.p_value for score in corrected(tested)] == [0.03, 0.02, None]
