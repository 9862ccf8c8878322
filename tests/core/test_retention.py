"""Retention: losses per token, their rise, and an interval that holds what it promises."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blendtune_api.v1alpha1 import RetentionText
from blendtune_core import retention
from blendtune_core.retention import FEWEST_ROWS, RowLoss, retention_score, rise_interval

TEXT = RetentionText.BASE_ANSWERS
ROWS = st.lists(
    st.builds(
        RowLoss,
        tokens=st.integers(1, 60),
        base=st.floats(0, 200),
        tuned=st.floats(0, 200),
        divergence=st.floats(0, 50),
    ),
    min_size=FEWEST_ROWS,
    max_size=40,
)


def rows(rises: list[float], tokens: int = 10) -> list[RowLoss]:
    """Rows with a rise per token each, over a base loss of 2 nats per token."""
    return [
        RowLoss(tokens=tokens, base=2.0 * tokens, tuned=(2.0 + rise) * tokens, divergence=0.5 * tokens)
        for rise in rises
    ]


def test_losses_are_per_token_over_all_rows() -> None:
    measured = [*rows([0.1] * 9, tokens=10), *rows([0.5], tokens=110)]
    score = retention_score(TEXT, measured)
    assert score is not None
    assert (score.rows, score.tokens) == (10, 200)
    assert score.baseline == pytest.approx(2.0)
    assert score.rise == pytest.approx((90 * 0.1 + 110 * 0.5) / 200)
    assert score.loss == pytest.approx(2.0 + score.rise)
    assert score.divergence == pytest.approx(0.5)


def test_a_rise_that_all_rows_share_is_certain() -> None:
    score = retention_score(TEXT, rows([0.03] * 50))
    assert score is not None
    assert (score.rise_low, score.rise_high) == (pytest.approx(0.03), pytest.approx(0.03))


def test_too_few_rows_say_nothing() -> None:
    empty = RowLoss(tokens=0, base=0.0, tuned=0.0, divergence=0.0)
    assert retention_score(TEXT, [*rows([0.1] * (FEWEST_ROWS - 1)), empty]) is None


@settings(max_examples=10, deadline=None, derandomize=True)
@given(ROWS)
def test_the_rise_lies_in_its_interval_and_a_shift_shifts_it(measured: list[RowLoss]) -> None:
    score = retention_score(TEXT, measured)
    shifted = retention_score(
        TEXT,
        [
            RowLoss(
                tokens=row.tokens,
                base=row.base,
                tuned=row.tuned + 0.25 * row.tokens,
                divergence=row.divergence,
            )
            for row in measured
        ],
    )
    assert score is not None and shifted is not None
    assert score.rise_low - 1e-9 <= score.rise <= score.rise_high + 1e-9
    assert shifted.rise_low == pytest.approx(score.rise_low + 0.25, abs=1e-9)
    assert shifted.rise_high == pytest.approx(score.rise_high + 0.25, abs=1e-9)


@pytest.mark.parametrize("count", [45, 300])
def test_the_interval_holds_the_truth(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows of unequal lengths, whose rises are skewed and larger in long rows."""
    monkeypatch.setattr(retention, "RESAMPLES", 2_000)
    random = np.random.default_rng(count)
    lengths = np.arange(5, 120)
    truth = 0.02 + 0.001 * np.mean(lengths**2) / np.mean(lengths)

    def holds() -> bool:
        tokens = random.choice(lengths, count).astype(np.float64)
        rises = tokens * (0.02 + 0.001 * tokens + 0.3 * (random.gamma(2.0, 1.0, count) - 2.0))
        interval = rise_interval(tokens, rises)
        return interval.low <= truth <= interval.high

    trials = 200
    held = sum(holds() for _ in range(trials)) / trials
    print(f"{count} rows: {held:.3f}")
    assert 0.90 <= held <= 0.99
