"""Scores of scopes, from what two models achieved on each question."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blendtune_api.v1alpha1 import ScopeScore
from blendtune_core.paired_scores import PairedValue, PairedValues, corrected
from blendtune_core.statistics import Interval
from blendtune_core.verdict import Direction, direction


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


VALUE = st.sampled_from([0.0, 1 / 3, 2 / 3, 1.0])


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(VALUE, VALUE, st.booleans(), st.booleans()), min_size=3, max_size=12))
def test_whatever_the_unscored_are_the_bounds_hold(
    questions: list[tuple[float, float, bool, bool]],
) -> None:
    """The complete difference lies between the worst and the best case, and so within the interval."""
    known = paired(*((a, b) for a, b, _, _ in questions)).score("all")
    left = paired(*((a if x else None, b if y else None) for a, b, x, y in questions)).score("some")
    if left.delta is None or left.delta_low is None or left.delta_high is None:
        return
    assert known.delta is not None
    assert left.delta_low - 1e-9 <= known.delta <= left.delta_high + 1e-9
    assert left.delta_low <= left.delta <= left.delta_high


def test_narrower_bounds_make_narrower_intervals() -> None:
    questions = [PairedValue(model=1.0, baseline=0.0)] * 10

    def low(bounds: Interval | None) -> float:
        undecided = PairedValue(model=None, baseline=0.0, model_bounds=bounds)
        found = PairedValues(questions=[*questions, undecided]).score("shop").delta_low
        assert found is not None
        return found

    complete = PairedValues(questions=[*questions, questions[0]]).score("shop").delta_low
    assert complete is not None
    assert low(None) < low(Interval(2 / 3, 1.0)) <= complete


def test_what_is_left_undecided_for_a_reason_makes_no_false_positive() -> None:
    """Without any difference, 15% of the questions are left undecided: those on which the model is worse."""
    random = np.random.default_rng(7)
    found, naive, trials = 0, 0, 200
    for _ in range(trials):
        model, baseline = random.binomial(3, 0.5, (2, 30)) / 3
        worst = set(np.argsort(model - baseline, kind="stable")[:5])
        kept = [(None if i in worst else a, b) for i, (a, b) in enumerate(zip(model, baseline, strict=True))]
        for pairs, is_naive in ((kept, False), ([pair for pair in kept if pair[0] is not None], True)):
            values = paired(*pairs)
            up = direction(values.tested(values.score("shop"))) is Direction.UP
            naive, found = naive + (up and is_naive), found + (up and not is_naive)
    print(f"false positives {found / trials:.3f}, if the undecided were left out {naive / trials:.3f}")
    assert found / trials <= 0.05 < naive / trials
